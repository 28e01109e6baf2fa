// SPDX-License-Identifier: GPL-3.0-or-later
// modulate: payload on standard input -> frames as samples, in chunks, so that neither end of a pipe waits for the
// other's end.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/cli/command.hpp"
#include "apps/cli/on_air.hpp"
#include "apps/cli/sample_file.hpp"
#include "apps/cli/send_bursts.hpp"
#include "core/bytes.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/recorder.hpp"
#include "station/radio/recording.hpp"
#include "station/radio/resampler.hpp"
#include "station/radio/sigmf.hpp"

namespace meshnet::apps {

namespace {

using phy::Sample;
using station::IqFormat;
using station::Resampler;

struct ModulateOptions {
    SampleFileOptions samples;
    std::string mode = "qpsk-1/2";
    std::string output;  ///< empty or "-": standard output
    std::size_t payload_size = 1'500;
    double gap_ms = 2.0;  ///< silence around frames
    bool force = false;   ///< replaces a file
    RadioOptions radio;   ///< where to send, instead of samples
};

/// Samples at the profile's rate in, a file or pipe of samples out.
class SampleSink {
public:
    SampleSink(int fd, std::string name, IqFormat format, Resampler resampler)
        : fd_(fd), name_(std::move(name)), format_(format), resampler_(std::move(resampler)) {}

    [[nodiscard]] Status write(std::span<const Sample> samples) {
        resampled_.clear();
        resampler_.process(samples, resampled_);
        return write_resampled();
    }
    [[nodiscard]] Status finish() {
        resampled_.clear();
        resampler_.flush(resampled_);
        return write_resampled();
    }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

private:
    [[nodiscard]] Status write_resampled() {
        bytes_.clear();
        station::encode_iq(format_, resampled_.data(), resampled_.size(), bytes_);
        written_ += resampled_.size();
        return host::write_all(fd_, bytes_, name_ + " cannot be written");
    }
    int fd_;
    std::string name_;
    IqFormat format_;
    Resampler resampler_;
    std::vector<Sample> resampled_;
    Bytes bytes_;
    std::uint64_t written_ = 0;
};

/// Where the samples go.
struct Output {
    std::string name;
    host::UniqueFd file;
    int fd = STDOUT_FILENO;
    bool with_metadata = false;  ///< beside a file on a disk, not beside a pipe or a device
};

bool to_file(const ModulateOptions& o) {
    return !o.output.empty() && o.output != "-";
}

/// What can be said against the output before any input is read.
Status check_output(const ModulateOptions& o, IqFormat format) {
    const auto wrong = [](const std::string& line) { return Error{ErrorCode::kInvalidArgument, line}; };
    if (!to_file(o)) {
        return ::isatty(STDOUT_FILENO) == 1 ? Status(wrong("samples would go to the terminal: give --output FILE, or a "
                                                           "pipe"))
                                            : Ok{};
    }
    if (host::same_file(STDIN_FILENO, o.output)) {
        return wrong(o.output + " is also the input; write the samples to another file");
    }
    for (const std::string_view ending : {".wav", ".sigmf", ".sigmf-meta", ".sigmf-collection"}) {
        if (o.output.ends_with(ending)) {
            return wrong(o.output + ": no " + std::string(ending) +
                         " is written; write a .sigmf-data, or raw samples of another ending");
        }
    }
    if (station::iq_format_row(format).sigmf.empty()) {
        return wrong("the metadata of a file, SigMF, has no name for " + std::string(iq_format_name(format)) +
                     "; choose another --format, or write to a pipe");
    }
    return station::check_new_file(o.output, o.force);
}

Result<Output> open_output(const ModulateOptions& o) {
    Output out;
    out.name = to_file(o) ? o.output : "standard output";
    if (to_file(o)) {
        out.file = host::UniqueFd{::open(o.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (!out.file) {
            return host::system_error(o.output + " cannot be written", errno);
        }
        out.fd = out.file.get();
        struct stat about {};
        out.with_metadata = ::fstat(out.fd, &about) == 0 && S_ISREG(about.st_mode);
    }
    return out;
}

station::SigmfMeta metadata_of(const phy::Profile& profile, IqFormat format, double rate_hz, const std::string& mode) {
    station::SigmfMeta meta;
    meta.format = format;
    meta.sample_rate_hz = rate_hz;
    meta.description = "meshnet frames, profile " + std::string(profile.name) + ", mode " + mode;
    meta.captures.push_back({0, 0});
    return meta;
}

/// Payload from standard input, a frame at a time.
class PayloadReader {
public:
    explicit PayloadReader(std::size_t frame_bytes) : payload_(frame_bytes) {}
    /// Empty at the end.
    Result<ByteView> next() {
        const auto size = host::read_full(STDIN_FILENO, payload_, "standard input");
        if (!size) {
            return size.error();
        }
        return ByteView(payload_).first(*size);
    }

private:
    Bytes payload_;
};

/// Frames with silence around them, until the payload ends. Notes in `meta` where each stands.
class FrameWriter {
public:
    FrameWriter(const phy::Profile& profile, phy::ModeIndex mode, double rate_hz, double delay, double gap_ms)
        : transmitter_(profile),
          mode_(mode),
          scale_(rate_hz / profile.sample_rate_hz),
          delay_(delay),
          gap_(static_cast<std::size_t>(std::llround(gap_ms * 1e-3 * profile.sample_rate_hz))) {}

    Status write_all(ByteView payload, PayloadReader& input, SampleSink& sink, station::SigmfMeta* meta) {
        std::vector<Sample> burst;
        std::uint64_t rendered = gap_.size();
        Status fine = sink.write(gap_);
        while (fine && !payload.empty()) {
            burst.clear();
            transmitter_.modulate(mode_, payload, burst);
            if (meta != nullptr) {
                const std::uint64_t start = at(rendered);
                meta->annotations.push_back(
                    {start, at(rendered + burst.size()) - start, std::string(phy::modes()[mode_].name)});
            }
            rendered += burst.size() + gap_.size();
            fine = sink.write(burst);
            fine = fine ? sink.write(gap_) : fine;
            if (fine) {
                auto next = input.next();
                if (!next) {
                    return next.error();
                }
                payload = *next;
            }
        }
        return fine ? sink.finish() : fine;
    }

private:
    /// On the file's samples.
    [[nodiscard]] std::uint64_t at(std::uint64_t index) const {
        return static_cast<std::uint64_t>((static_cast<double>(index) + delay_) * scale_);
    }
    phy::Transmitter transmitter_;
    phy::ModeIndex mode_;
    double scale_, delay_;
    std::vector<Sample> gap_;
};

int modulate(const ModulateOptions& o) {
    const auto said = parse_sample_file(o.samples);
    if (!said) {
        return complain(said.error());
    }
    if (!std::isfinite(o.gap_ms)) {
        return complain("--gap-ms is not a number", 2);
    }
    const auto mode = phy::parse_mode(o.mode);
    if (!mode) {
        return complain(mode.error());
    }
    if (o.radio.given()) {
        return send_bursts(o.radio, *said->profile, *mode, o.payload_size, o.gap_ms * 1e-3);
    }
    const phy::Profile& profile = *said->profile;
    const double rate = station::rate_or_near(said->rate_hz.value_or(profile.sample_rate_hz), profile.sample_rate_hz);
    const IqFormat format =
        said->format ? *said->format : station::iq_format_of_path(o.output).value_or(IqFormat::kCf32);
    auto resampler = Resampler::create(profile.sample_rate_hz, rate);
    if (!resampler) {
        return complain(resampler.error());
    }
    if (auto right = check_output(o, format); !right) {
        return complain(right.error());
    }
    // The first payload before the output is opened: a command without input leaves the file of before.
    PayloadReader input(o.payload_size);
    const auto first = input.next();
    if (!first) {
        return complain(first.error().message, 1);
    }
    if (first->empty()) {
        return complain("nothing on standard input: no frame made", 1);
    }
    auto output = open_output(o);
    if (!output) {
        return complain(output.error().message, 1);
    }
    station::SigmfMeta meta = metadata_of(profile, format, rate, o.mode);
    const double delay = resampler->delay_samples();
    SampleSink sink(output->fd, output->name, format, std::move(resampler).value());
    FrameWriter frames(profile, *mode, rate, delay, o.gap_ms);
    // Metadata before the samples, so that a cut-off file can be read, and again with the places of the frames.
    const auto write_metadata = [&] {
        return output->with_metadata ? station::write_sigmf_meta(o.output, meta) : Ok{};
    };
    Status fine = write_metadata();
    fine = fine ? frames.write_all(*first, input, sink, output->with_metadata ? &meta : nullptr) : fine;
    fine = fine ? write_metadata() : fine;
    return fine ? 0 : complain(fine.error().message, 1);
}

}  // namespace

void add_modulate(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<ModulateOptions>(app, exit_code, "modulate", "Payload on standard input -> samples", command,
                                           modulate);
    command->add_option("--mode", o.mode, "Mode; meshnet-cli modes lists them")->capture_default_str();
    command->add_option("--output", o.output,
                        "Write samples here, with SigMF metadata beside it (default: standard output)");
    command->add_option("--payload-size", o.payload_size, "Bytes in a frame at most")
        ->check(CLI::Range(1, 24'576))
        ->capture_default_str();
    command->add_option("--gap-ms", o.gap_ms, "Silence before, between and after frames")
        ->check(CLI::Range(0.0, 60'000.0))
        ->capture_default_str();
    command->add_flag("--force", o.force, "Replace the file of --output if there is one");
    add_sample_file(*command, o.samples, "");
    add_radio(*command, o.radio);
}

}  // namespace meshnet::apps
