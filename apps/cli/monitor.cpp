// SPDX-License-Identifier: GPL-3.0-or-later
// monitor: what is on a channel, as a screen, as lines or as JSON; from a radio or a recording.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/cli/channel_view.hpp"
#include "apps/cli/command.hpp"
#include "apps/cli/frame_stream.hpp"
#include "apps/cli/monitor_screen.hpp"
#include "apps/cli/on_air.hpp"
#include "apps/cli/sample_file.hpp"
#include "apps/cli/terminal.hpp"
#include "host/text.hpp"
#include "station/radio/recording.hpp"

namespace meshnet::apps {

namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

constexpr double kLeastRowMs = 10.0, kMostRowMs = 60'000.0;
constexpr double kLeastRangeDb = 10.0, kMostRangeDb = 100.0;
constexpr std::size_t kTextColumns = 32;  // of a spectrum in a line or in JSON
constexpr auto kRedraw = std::chrono::milliseconds(100);

struct MonitorOptions {
    SampleFileOptions samples;
    RadioOptions radio;
    std::string file;
    double seconds = 0.0;  // 0: no end
    double row_ms = 100.0, every_s = 1.0, range_db = 40.0;
    unsigned channel = 0, decode_threads = 0;
    bool swap_iq = false, json = false;
};

/// The stream of a source, what is known of it, and how that is shown.
class Monitor {
public:
    Monitor(const MonitorOptions& o, const phy::Profile& profile, double rate_hz,
            std::optional<station::Resampler> resampler, bool from_zero)
        : options_(o),
          view_(profile, o.row_ms * 1e-3),
          stream_({&profile, o.decode_threads, 0, from_zero}, rate_hz, std::move(resampler),
                  [this](const phy::Frame& frame, const Place& place) { on_frame(view_.on_frame(frame, place)); }) {
        stream_.watch_slices([this](std::span<const phy::Sample> samples) {
            if (std::exchange(lost_, stream_.samples_lost()) != stream_.samples_lost()) {
                view_.on_gap();
            }
            view_.on_samples(samples, stream_.receiver());
            if (!terminal_ && view_.seconds() >= next_line_s_) {
                print_channel();
            }
        });
        status_.range_db = o.range_db;
        next_line_s_ = o.every_s;
    }

    void describe(std::string source, double centre_hz) {
        status_.source = std::move(source);
        status_.centre_hz = centre_hz;
    }
    /// From now on the terminal shows it, if there is one and nobody asked for JSON.
    void take_terminal() {
        if (!options_.json) {
            terminal_ = Terminal::open();
        }
    }
    [[nodiscard]] bool on_screen() const noexcept { return terminal_ != nullptr; }
    [[nodiscard]] FrameStream& stream() noexcept { return stream_; }
    [[nodiscard]] bool over() const { return options_.seconds > 0.0 && stream_.seconds() >= options_.seconds; }

    /// Keys, and the screen if it is due. False: the user has had enough, or nobody reads the output any more.
    bool go_on(const station::RadioCounters& radio) {
        status_.samples_lost = stream_.samples_lost();
        status_.radio = radio;
        if (!terminal_) {
            return fine_ && !stop_requested();
        }
        while (const auto key = terminal_->key()) {
            on_key(*key);
        }
        if (Clock::now() >= next_draw_) {
            next_draw_ = Clock::now() + kRedraw;
            status_.message = terminal_->last_message();
            if (!status_.paused || drawn_paused_ != status_.paused) {
                fine_ = terminal_->show(monitor_screen(view_, status_, terminal_->look()));
            }
            drawn_paused_ = status_.paused;
        }
        return fine_ && !quit_ && !stop_requested();
    }

    /// The end: gives the terminal back and sums up. The exit code.
    int finish() {
        stream_.finish();
        terminal_.reset();
        if (fine_) {
            options_.json ? print_json_summary() : print_text_summary();
            fine_ = std::fflush(stdout) == 0;
        }
        return fine_ || errno == EPIPE ? 0 : complain("output cannot be written: " + host::reason(errno), 1);
    }

private:
    void on_key(char key) {
        switch (key) {
            case 'q':
                quit_ = true;
                break;
            case ' ':
                status_.paused = !status_.paused;
                break;
            case '+':
            case '=':
                view_.set_row_seconds(std::min(view_.row_seconds() * 2.0, kMostRowMs * 1e-3));
                break;
            case '-':
                view_.set_row_seconds(std::max(view_.row_seconds() / 2.0, kLeastRowMs * 1e-3));
                break;
            case ']':
                status_.range_db = std::min(status_.range_db + 5.0, kMostRangeDb);
                break;
            case '[':
                status_.range_db = std::max(status_.range_db - 5.0, kLeastRangeDb);
                break;
            default:
                break;
        }
    }
    void on_frame(const HeardFrame& heard) {
        if (terminal_) {
            return;
        }
        print(options_.json ? json_line(Json{{"frame", json_of(heard)}}) : heard_text(heard));
    }
    void print_channel() {
        next_line_s_ += options_.every_s;
        const auto floor = view_.noise_floor_dbfs();
        const SpectrumRow spectrum = view_.take_spectrum(kTextColumns);
        if (options_.json) {
            print(json_line(Json{{"channel", Json{{"time_s", stream_.time_s()},
                                                  {"noise_floor_dbfs", floor ? Json(*floor) : Json(nullptr)},
                                                  {"busy", view_.busy_lately()},
                                                  {"samples_lost", stream_.samples_lost()},
                                                  {"overruns", status_.radio.overruns},
                                                  {"spectrum_dbfs", spectrum}}}}));
            return;
        }
        char text[128];
        std::snprintf(text, sizeof text, "%12.1f s  noise %6.1f dBFS  busy %3.0f %%  [", stream_.time_s(),
                      floor.value_or(0.0), 100.0 * view_.busy_lately());
        print(text + spectrum_text(spectrum, kTextColumns, lowest_db(view_, ChannelView::kBins), status_.range_db) +
              "]");
    }
    void print(const std::string& line) {
        std::puts(line.c_str());
        fine_ = std::fflush(stdout) == 0 && fine_;
    }
    void print_text_summary() {
        const auto count = [](std::uint64_t n) { return static_cast<unsigned long long>(n); };
        std::printf(
            "%llu frames, %llu with errors, in %.1f s; channel busy %.1f %%; %llu samples lost, %llu overruns\n",
            count(view_.frames_heard()), count(view_.frames_with_errors()), stream_.seconds(), 100.0 * view_.busy(),
            count(stream_.samples_lost()), count(status_.radio.overruns));
        for (const std::string& line : station_lines(view_, ChannelView::kMostStations + 1)) {
            std::puts(line.c_str());
        }
    }
    void print_json_summary() {
        const auto& c = stream_.receiver().counters();
        const auto floor = view_.noise_floor_dbfs();
        Json summary{{"seconds", stream_.seconds()},
                     {"samples_lost", stream_.samples_lost()},
                     {"busy", view_.busy()},
                     {"noise_floor_dbfs", floor ? Json(*floor) : Json(nullptr)},
                     {"preambles", c.preambles},
                     {"headers_ok", c.headers_ok},
                     {"frames", view_.frames_heard()},
                     {"frames_with_errors", view_.frames_with_errors()},
                     {"stations", stations_json(view_)}};
        visit_counters(status_.radio, [&summary](const char* name, const auto& value) { summary[name] = value; });
        std::puts(json_line(Json{{"summary", summary}}).c_str());
    }

    const MonitorOptions& options_;
    ChannelView view_;
    FrameStream stream_;
    MonitorStatus status_;
    std::unique_ptr<Terminal> terminal_;
    Clock::time_point next_draw_{};
    double next_line_s_ = 0.0;
    std::uint64_t lost_ = 0;
    bool fine_ = true, quit_ = false, drawn_paused_ = false;
};

std::string tuned_to(double hz, const phy::Profile& profile) {
    char text[64] = "";
    if (hz > 0.0) {
        std::snprintf(text, sizeof text, "%.6g MHz, ", hz * 1e-6);
    }
    return text + ("profile " + std::string(profile.name));
}

int monitor_radio(const MonitorOptions& o, const phy::Profile& profile) {
    auto config = radio_config(o.radio, profile);
    if (!config) {
        return complain(config.error());
    }
    const std::string device = config->device;
    const double centre_hz = station::reaches_antenna(device) ? config->radio.frequency_hz : 0.0;
    auto radio = OnAir::open(std::move(config).value());
    if (!radio) {
        return complain(radio.error());
    }
    Monitor monitor(o, radio->profile(), radio->profile().sample_rate_hz, std::nullopt, false);
    monitor.describe(device + ", " + tuned_to(centre_hz, radio->profile()), centre_hz);
    monitor.take_terminal();
    bool ended = false;
    while (!ended && !monitor.over() && monitor.go_on(radio->counters())) {
        const auto got = radio->receive();
        if (!got) {  // it is away
            ended = o.seconds > 0.0 && radio->seconds_open() >= o.seconds;
            continue;
        }
        if (!got->samples.empty()) {
            monitor.stream().push(got->samples, got->first_index, got->first_index);
        }
        ended = got->end;
    }
    (void)monitor.go_on(radio->counters());
    return monitor.finish();
}

/// Plays `piece` to the monitor; on a screen at the pace at which it was recorded. False: enough.
bool play(Monitor& monitor, station::Recording::Piece& piece, double rate_hz, Clock::time_point start) {
    for (auto& s : piece.samples) {
        if (!std::isfinite(s.real()) || !std::isfinite(s.imag())) {
            s = phy::Sample{};
        }
    }
    const auto step = static_cast<std::size_t>(std::max(rate_hz / 50.0, 1.0));
    std::span<const phy::Sample> rest(piece.samples);
    for (std::uint64_t done = 0; !rest.empty(); done = piece.samples.size() - rest.size()) {
        const auto now = rest.first(std::min(step, rest.size()));
        monitor.stream().push(now, piece.sample_index + done, piece.time_index + done);
        rest = rest.subspan(now.size());
        const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(monitor.stream().seconds()));
        do {
            if (monitor.over() || !monitor.go_on({})) {
                return false;
            }
            if (monitor.on_screen() && Clock::now() < due) {
                ::poll(nullptr, 0, 10);
            }
        } while (monitor.on_screen() && Clock::now() < due);
    }
    return true;
}

int monitor_recording(const MonitorOptions& o, const SampleFile& said) {
    station::RecordingOptions how;
    how.format = said.format;
    how.rate_hz = said.rate_hz;
    how.channel = o.channel;
    how.swap_iq = o.swap_iq;
    auto recording = station::Recording::open(o.file, how);
    if (!recording) {
        return complain(recording.error());
    }
    for (const std::string& line : recording->warnings()) {
        complain("warning: " + line, 0);
    }
    const auto rate = sample_rate(*said.profile, recording->rate_hz());
    if (!rate) {
        return complain(rate.error());
    }
    auto resampler = station::Resampler::create(*rate, said.profile->sample_rate_hz);
    if (!resampler) {
        return complain(resampler.error());
    }
    Monitor monitor(o, *said.profile, *rate, std::move(resampler).value(), true);
    monitor.describe(o.file + ", " + tuned_to(0.0, *said.profile), 0.0);
    monitor.take_terminal();
    const auto start = Clock::now();
    station::Recording::Piece piece;
    for (;;) {
        const auto more = recording->read(piece);
        if (!more) {
            (void)monitor.finish();
            return complain(more.error().message, 1);
        }
        if (!*more || !play(monitor, piece, *rate, start)) {
            break;
        }
    }
    return monitor.finish();
}

int monitor(const MonitorOptions& o) {
    const auto check = [](const char* option, double value, double min, double max) -> Status {
        if (value >= min && value <= max) {
            return Ok{};
        }
        char text[128];
        std::snprintf(text, sizeof text, "%s takes a number from %g to %g, not %g", option, min, max, value);
        return Error{ErrorCode::kInvalidArgument, text};
    };
    for (const Status& right : {check("--row-ms", o.row_ms, kLeastRowMs, kMostRowMs),
                                check("--range-db", o.range_db, kLeastRangeDb, kMostRangeDb),
                                check("--every", o.every_s, 0.05, 3'600.0), check("--seconds", o.seconds, 0.0, 1e9)}) {
        if (!right) {
            return complain(right.error());
        }
    }
    const auto said = parse_sample_file(o.samples);
    if (!said) {
        return complain(said.error());
    }
    if (o.radio.given() == !o.file.empty()) {
        return complain("give a recording, or --device (or --config) for a radio", 2);
    }
    (void)stop_requested();
    return o.radio.given() ? monitor_radio(o, *said->profile) : monitor_recording(o, *said);
}

}  // namespace

void add_monitor(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<MonitorOptions>(
        app, exit_code, "monitor", "What is on a channel: spectrum over time, frames, who sends", command, monitor);
    command->add_option("file", o.file, "A recording, as of demodulate, instead of a radio");
    command->add_flag("--json", o.json, "JSON lines: frame, channel, and a summary at the end");
    command->add_option("--seconds", o.seconds, "Stop after so long (default: at q, SIGINT or the recording's end)");
    command->add_option("--row-ms", o.row_ms, "How long a line of the waterfall lasts; keys + and - change it")
        ->capture_default_str();
    command->add_option("--range-db", o.range_db, "From the noise to the strongest colour; keys [ and ] change it")
        ->capture_default_str();
    command->add_option("--every", o.every_s, "Without a terminal: seconds between two lines on the channel")
        ->capture_default_str();
    command->add_option("--channel", o.channel, "Which of several interleaved channels, from 1")
        ->check(CLI::Range(1, 1'000));
    command->add_option("--decode-threads", o.decode_threads, "Threads that decode code blocks beside the receiver")
        ->check(CLI::Range(0, 16))
        ->capture_default_str();
    command->add_flag("--swap-iq", o.swap_iq, "Take the complex conjugate, as if I and Q were swapped");
    add_sample_file(*command, o.samples, "by the recording's metadata, else ");
    add_radio(*command, o.radio);
}

}  // namespace meshnet::apps
