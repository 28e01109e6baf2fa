// SPDX-License-Identifier: GPL-3.0-or-later
// demodulate: samples from a recording or pipe -> frames, one line each.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/frame_printer.hpp"
#include "apps/cli/frame_stream.hpp"
#include "apps/cli/listen.hpp"
#include "apps/cli/on_air.hpp"
#include "apps/cli/sample_file.hpp"
#include "core/bytes.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "phy/modes.hpp"
#include "phy/receiver.hpp"
#include "station/radio/recording.hpp"
#include "station/radio/resampler.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using phy::Sample;
using station::Recording;
using station::Resampler;

// Silence put before a file, at the profile's rate, so that a frame that begins with its first sample is found like any
// other.
constexpr std::size_t kLeadIn = 4'096;

struct DemodulateOptions {
    SampleFileOptions samples;
    RadioOptions radio;
    ListenOptions listen;
    std::string file = "-";
    std::string output;  ///< for the payload; empty: not written
    unsigned channel = 0;
    unsigned decode_threads = 0;
    bool swap_iq = false;
    bool json = false;
};

void warn(const std::string& line) {
    complain("warning: " + line, 0);
}

/// What was read, for the summary and the hints.
struct Tally {
    std::uint64_t samples = 0, not_finite = 0, lost = 0, cut_off = 0;
};

/// One recording through resampler and receiver.
class Demodulation {
public:
    Demodulation(const phy::Profile& profile, double rate_hz, Resampler resampler, unsigned decode_threads,
                 FramePrinter& printer)
        : printer_(printer),
          stream_(
              {&profile, decode_threads, kLeadIn, true}, rate_hz, std::move(resampler),
              [this](const phy::Frame& frame, const Place& place) { fine_ = printer_.print(frame, place) && fine_; }) {}

    /// Reads to the end. Error: the recording cannot be read. False: the output cannot be written.
    Result<bool> run(Recording& recording) {
        Recording::Piece piece;
        while (fine_) {
            auto more = recording.read(piece);
            if (!more) {
                return more.error();
            }
            if (!*more) {
                break;
            }
            clean(piece.samples);
            stream_.push(piece.samples, piece.sample_index, piece.time_index);
        }
        stream_.finish();
        return fine_;
    }
    [[nodiscard]] Tally tally() const {
        const std::uint64_t headers = receiver().counters().headers_ok;
        const std::uint64_t without_frame = headers > printer_.frames() ? headers - printer_.frames() : 0;
        return {stream_.samples(), not_finite_, stream_.samples_lost(), stream_.cut_off() + without_frame};
    }
    [[nodiscard]] const phy::Receiver& receiver() const noexcept { return stream_.receiver(); }

private:
    /// Here and not only in the receiver: a resampler would smear them.
    void clean(std::vector<Sample>& samples) {
        for (auto& s : samples) {
            if (!std::isfinite(s.real()) || !std::isfinite(s.imag())) {
                if (not_finite_++ == 0) {
                    warn("the file holds samples that are not numbers; each is taken as 0");
                }
                s = Sample{};
            }
        }
    }

    FramePrinter& printer_;
    std::uint64_t not_finite_ = 0;
    bool fine_ = true;
    FrameStream stream_;
};

void print_summary(bool json, const Tally& t, const phy::ReceiverCounters& c, std::uint64_t frames,
                   std::size_t bytes_ignored, double rate_hz) {
    if (json) {
        const std::string line =
            json_line(Json{{"summary", Json{{"samples", t.samples},
                                            {"samples_lost", t.lost},
                                            {"samples_not_finite", t.not_finite + c.samples_not_finite},
                                            {"samples_clipped", c.samples_clipped},
                                            {"bytes_ignored", bytes_ignored},
                                            {"preambles", c.preambles},
                                            {"headers_ok", c.headers_ok},
                                            {"frames", frames},
                                            {"frames_ok", c.frames_ok},
                                            {"frames_partial", c.frames_partial},
                                            {"frames_cut_off", t.cut_off},
                                            {"blocks_ok", c.blocks_ok},
                                            {"blocks_bad", c.blocks_bad}}}});
        std::puts(line.c_str());
        return;
    }
    std::printf("%llu frames, %llu without error, in %.3f s of samples; %llu preambles, %llu headers\n",
                static_cast<unsigned long long>(frames), static_cast<unsigned long long>(c.frames_ok),
                static_cast<double>(t.samples) / rate_hz, static_cast<unsigned long long>(c.preambles),
                static_cast<unsigned long long>(c.headers_ok));
}

/// The exit code of a recording that was read to its end, with a line on what may be wrong with it.
int judge(const std::string& source, const Recording& recording, const Demodulation& done, const phy::Profile& profile,
          double rate_hz) {
    const Tally t = done.tally();
    const auto& c = done.receiver().counters();
    const std::string read_as =
        "read as " + std::string(station::iq_format_name(recording.format())) + " (" + recording.format_source() + ")";
    if (t.samples == 0) {
        return complain(source + " holds no samples", 1);
    }
    if (t.not_finite > t.samples / 2) {
        return complain("most samples of " + source + " are not numbers when " + read_as +
                            "; give another --format: " + station::iq_format_names(),
                        1);
    }
    const std::string it_was = source + " was " + read_as + " at " + station::rate_text(rate_hz) + " Hz for profile " +
                               std::string(profile.name);
    if (c.preambles == 0) {
        complain("hint: no preamble was found; " + it_was + ": is --format, --rate or --profile another?", 0);
    } else if (c.headers_ok == 0) {
        complain("hint: preambles but no header were found; " + it_was, 0);
    }
    return 0;
}

/// The recording that the options name. Error: one line.
Result<Recording> open_recording(const DemodulateOptions& o, const SampleFile& said) {
    station::RecordingOptions options;
    options.format = said.format;
    options.rate_hz = said.rate_hz;
    options.channel = o.channel;
    options.swap_iq = o.swap_iq;
    if (o.file != "-") {
        return Recording::open(o.file, options);
    }
    if (::isatty(STDIN_FILENO) == 1) {
        return Error{ErrorCode::kInvalidArgument, "samples would come from the terminal: give a file, or a pipe"};
    }
    return Recording::of_stream(STDIN_FILENO, "standard input", options);
}

int demodulate(const DemodulateOptions& o) {
    const auto said = parse_sample_file(o.samples);
    if (!said) {
        return complain(said.error());
    }
    if (o.radio.given()) {
        ListenOptions listen_options = o.listen;
        listen_options.output = o.output;
        listen_options.json = o.json;
        listen_options.decode_threads = o.decode_threads;
        return listen(o.radio, *said->profile, listen_options);
    }
    const std::string source = o.file == "-" ? "standard input" : o.file;
    auto recording = open_recording(o, *said);
    if (!recording) {
        return complain(recording.error());
    }
    for (const std::string& line : recording->warnings()) {
        warn(line);
    }
    const auto rate = sample_rate(*said->profile, recording->rate_hz());
    if (!rate) {
        return complain(rate.error());
    }
    auto resampler = Resampler::create(*rate, said->profile->sample_rate_hz);
    if (!resampler) {
        return complain(resampler.error());
    }
    std::unique_ptr<std::FILE, CloseFile> payload_file;
    if (!o.output.empty()) {
        if (host::same_file(recording->fd(), o.output)) {
            return complain(o.output + " is also the input; write the payload to another file", 2);
        }
        payload_file.reset(std::fopen(o.output.c_str(), "wbe"));
        if (!payload_file) {
            return complain(o.output + " cannot be written: " + host::reason(errno), 1);
        }
    }
    FramePrinter printer(o.json, payload_file.get());
    Demodulation work(*said->profile, *rate, std::move(resampler).value(), o.decode_threads, printer);
    const auto fine = work.run(*recording);
    if (!fine) {
        return complain(fine.error().message, 1);
    }
    if (payload_file && std::fflush(payload_file.get()) != 0) {
        return complain(o.output + " cannot be written: " + host::reason(errno), 1);
    }
    if (!*fine) {
        return complain("output cannot be written: " + host::reason(errno), 1);
    }
    if (recording->left_over() != 0) {
        warn("the file ends inside a sample; its last " + std::to_string(recording->left_over()) +
             " bytes are ignored");
    }
    const Tally tally = work.tally();
    if (tally.cut_off != 0) {
        warn(std::to_string(tally.cut_off) + " frame(s) began and do not end before the file does");
    }
    print_summary(o.json, tally, work.receiver().counters(), printer.frames(), recording->left_over(), *rate);
    return judge(source, *recording, work, *said->profile, *rate);
}

}  // namespace

void add_demodulate(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<DemodulateOptions>(app, exit_code, "demodulate", "Samples -> frames, one line each", command,
                                             demodulate);
    command
        ->add_option("file", o.file,
                     "Recording: SigMF (.sigmf-data, .sigmf-meta, .sigmf), WAV, or raw samples; - for standard "
                     "input, cf32 unless --format says otherwise")
        ->capture_default_str();
    command->add_flag("--json", o.json, "One JSON object a frame, and a summary at the end");
    command->add_option("--output", o.output, "Write the payload of frames without error here");
    command->add_option("--channel", o.channel, "Which of several interleaved channels, from 1")
        ->check(CLI::Range(1, 1'000));
    command
        ->add_option("--decode-threads", o.decode_threads,
                     "Threads that decode code blocks beside the receiver; frames are the same")
        ->check(CLI::Range(0, 16))
        ->capture_default_str();
    command->add_flag("--swap-iq", o.swap_iq,
                      "Take the complex conjugate, as if I and Q were swapped; frames are found either way");
    add_sample_file(*command, o.samples, "by the recording's metadata, else ");
    add_radio(*command, o.radio);
    command->add_option("--record", o.listen.record, "With --device: write the samples there too (.sigmf-data, .cf32)");
    command->add_option("--seconds", o.listen.seconds, "With --device: stop after so long (default: at SIGINT)")
        ->check(CLI::Range(0.001, 1e9));
}

}  // namespace meshnet::apps
