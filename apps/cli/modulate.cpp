// SPDX-License-Identifier: GPL-3.0-or-later
// modulate: payload on standard input -> frames as samples, in chunks, so that neither end of a pipe waits for the
// other's end.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "apps/cli/command.hpp"
#include "apps/cli/resampler.hpp"
#include "apps/cli/sample_file.hpp"
#include "core/bytes.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::apps {

namespace {

using phy::Sample;
using station::IqFormat;

struct ModulateOptions {
    SampleFileOptions samples;
    std::string mode = "qpsk-1/2";
    std::string output;  ///< empty or "-": standard output
    std::size_t payload_size = 1'500;
    double gap_ms = 2.0;  ///< silence around frames
};

/// Samples at the profile's rate in, a file or pipe of samples out.
class SampleSink {
public:
    SampleSink(int fd, std::string name, const SampleFile& setup, Resampler resampler)
        : fd_(fd), name_(std::move(name)), format_(setup.format), resampler_(std::move(resampler)) {}

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

int modulate(const ModulateOptions& o) {
    const auto setup = sample_file(o.samples, o.output);
    if (!setup) {
        return complain(setup.error());
    }
    if (!std::isfinite(o.gap_ms)) {
        return complain("--gap-ms is not a number", 2);
    }
    const auto mode = phy::parse_mode(o.mode);
    if (!mode) {
        return complain(mode.error());
    }
    auto resampler = Resampler::create(setup->profile->sample_rate_hz, setup->rate_hz);
    if (!resampler) {
        return complain(resampler.error());
    }
    // The first payload before the output is opened: a command without input leaves the file of before.
    Bytes payload(o.payload_size);
    const auto read_payload = [&payload] { return host::read_full(STDIN_FILENO, payload, "standard input"); };
    host::UniqueFd file;
    bool with_metadata = false;  // beside a file on a disk, not beside a pipe or a device
    int out_fd = STDOUT_FILENO;
    const bool to_file = !o.output.empty() && o.output != "-";
    if (to_file && host::same_file(STDIN_FILENO, o.output)) {
        return complain(o.output + " is also the input; write the samples to another file", 2);
    }
    if (!to_file && ::isatty(STDOUT_FILENO) == 1) {
        return complain("samples would go to the terminal: give --output FILE, or a pipe", 2);
    }
    auto size = read_payload();
    if (!size) {
        return complain(size.error().message, 1);
    }
    if (*size == 0) {
        return complain("nothing on standard input: no frame made", 1);
    }
    if (to_file) {
        file = host::UniqueFd{::open(o.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (!file) {
            return complain(o.output + " cannot be written: " + host::reason(errno), 1);
        }
        out_fd = file.get();
        struct stat about {};
        with_metadata = ::fstat(out_fd, &about) == 0 && S_ISREG(about.st_mode);
    }

    const double scale = setup->rate_hz / setup->profile->sample_rate_hz;
    const std::vector<Sample> gap(
        static_cast<std::size_t>(std::llround(o.gap_ms * 1e-3 * setup->profile->sample_rate_hz)));
    const double delay = resampler->delay_samples();
    SampleSink sink(out_fd, to_file ? o.output : "standard output", *setup, std::move(resampler).value());
    phy::Transmitter transmitter(*setup->profile);
    station::SigmfMeta meta;
    meta.format = setup->format;
    meta.sample_rate_hz = setup->rate_hz;
    meta.description = "meshnet frames, profile " + std::string(setup->profile->name) + ", mode " + o.mode;
    meta.captures.push_back({0, 0});

    std::vector<Sample> burst;
    std::uint64_t rendered = gap.size();
    Status fine = sink.write(gap);
    while (fine && *size > 0) {
        burst.clear();
        transmitter.modulate(*mode, ByteView(payload).first(*size), burst);
        const auto at = [&](std::uint64_t index) {
            return static_cast<std::uint64_t>((static_cast<double>(index) + delay) * scale);
        };
        if (with_metadata) {
            meta.annotations.push_back({at(rendered), at(rendered + burst.size()) - at(rendered), o.mode});
        }
        rendered += burst.size() + gap.size();
        fine = sink.write(burst);
        fine = fine ? sink.write(gap) : fine;
        if (fine && !(size = read_payload())) {
            return complain(size.error().message, 1);
        }
    }
    fine = fine ? sink.finish() : fine;
    if (!fine) {
        return complain(fine.error().message, 1);
    }
    if (with_metadata) {
        if (auto written = station::write_sigmf_meta(o.output, meta); !written) {
            return complain(written.error().message, 1);
        }
    }
    return 0;
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
    add_sample_file(*command, o.samples);
}

}  // namespace meshnet::apps
