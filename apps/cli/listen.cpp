// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/listen.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/frame_printer.hpp"
#include "apps/cli/frame_stream.hpp"
#include "host/text.hpp"
#include "station/radio/recorder.hpp"

namespace meshnet::apps {

namespace {

class Listener {
public:
    Listener(OnAir& radio, const ListenOptions& options, FramePrinter& printer, station::Recorder* recorder)
        : radio_(radio),
          options_(options),
          recorder_(recorder),
          stream_({&radio.profile(), options.decode_threads, 0, false}, radio.profile().sample_rate_hz, std::nullopt,
                  [this, &printer](const phy::Frame& frame, const Place& place) {
                      fine_ = printer.print(frame, place) && fine_;
                  }) {}

    /// False: the output cannot be written.
    bool run() {
        bool ended = false;
        while (!stop_requested() && fine_ && !ended) {
            const auto got = radio_.receive();
            if (!got) {  // it is away
                ended = options_.seconds > 0.0 && radio_.seconds_open() >= options_.seconds;
                continue;
            }
            if (!got->samples.empty()) {
                if (recorder_ != nullptr) {
                    recorder_->write(got->first_index, got->samples);
                }
                stream_.push(got->samples, got->first_index, got->first_index);
            }
            ended = got->end || (options_.seconds > 0.0 && stream_.seconds() >= options_.seconds);
        }
        stream_.finish();
        return fine_;
    }
    [[nodiscard]] const FrameStream& stream() const noexcept { return stream_; }

private:
    OnAir& radio_;
    const ListenOptions& options_;
    station::Recorder* recorder_;
    bool fine_ = true;
    FrameStream stream_;
};

void print_summary(const Listener& l, const FramePrinter& printer, const station::RadioCounters& radio, bool json) {
    const auto& c = l.stream().receiver().counters();
    if (json) {
        nlohmann::ordered_json summary{{"seconds", l.stream().seconds()}, {"samples_lost", l.stream().samples_lost()},
                                       {"preambles", c.preambles},        {"headers_ok", c.headers_ok},
                                       {"frames", printer.frames()},      {"frames_ok", c.frames_ok}};
        visit_counters(radio, [&summary](const char* name, const auto& value) { summary[name] = value; });
        std::puts(json_line({{"summary", summary}}).c_str());
        return;
    }
    std::printf("%llu frames, %llu without error, in %.1f s; %llu preambles; %llu samples lost, %llu overruns\n",
                static_cast<unsigned long long>(printer.frames()), static_cast<unsigned long long>(c.frames_ok),
                l.stream().seconds(), static_cast<unsigned long long>(c.preambles),
                static_cast<unsigned long long>(l.stream().samples_lost()),
                static_cast<unsigned long long>(radio.overruns));
}

}  // namespace

int listen(const RadioOptions& radio_options, const phy::Profile& profile, const ListenOptions& options) {
    auto config = radio_config(radio_options, profile);
    if (!config) {
        return complain(config.error());
    }
    (void)stop_requested();
    auto radio = OnAir::open(std::move(config).value());
    if (!radio) {
        return complain(radio.error());
    }
    std::unique_ptr<std::FILE, CloseFile> payload;
    if (!options.output.empty()) {
        payload.reset(std::fopen(options.output.c_str(), "wbe"));
        if (!payload) {
            return complain(options.output + " cannot be written: " + host::reason(errno), 1);
        }
    }
    std::shared_ptr<station::Recorder> recorder;
    if (!options.record.empty()) {
        auto made = station::Recorder::create(options.record, radio->profile().sample_rate_hz, false,
                                              [](const std::string& line) { complain("warning: " + line, 0); });
        if (!made) {
            return complain(made.error());
        }
        recorder = std::move(*made);
    }
    FramePrinter printer(options.json, payload.get());
    Listener listener(*radio, options, printer, recorder.get());
    const bool fine = listener.run();
    if (!fine || (payload && std::fflush(payload.get()) != 0)) {
        return complain("output cannot be written: " + host::reason(errno), 1);
    }
    print_summary(listener, printer, radio->counters(), options.json);
    return 0;
}

}  // namespace meshnet::apps
