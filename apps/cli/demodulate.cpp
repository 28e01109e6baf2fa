// SPDX-License-Identifier: GPL-3.0-or-later
// demodulate: samples from a file or pipe -> frames, one line each.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/cli/resampler.hpp"
#include "apps/cli/sample_file.hpp"
#include "core/bytes.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "phy/modes.hpp"
#include "phy/receiver.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using phy::Sample;

constexpr std::size_t kReadBytes = 1 << 16;
// Silence put before a file, at the profile's rate, so that a frame that begins with its first sample is found like any
// other.
constexpr std::size_t kLeadIn = 4'096;

struct DemodulateOptions {
    SampleFileOptions samples;
    std::string file = "-";
    std::string output;  ///< for the payload; empty: not written
    bool json = false;
};

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Prints frames and counts them.
class FramePrinter {
public:
    FramePrinter(const DemodulateOptions& o, const SampleFile& setup, double delay, std::FILE* payload_file)
        : json_(o.json), setup_(setup), delay_(delay), payload_file_(payload_file) {}

    bool print(const phy::Frame& f) {
        // The frame's place in the file: on the file's own samples, the resampler's delay taken off.
        const double scale = setup_.rate_hz / setup_.profile->sample_rate_hz;
        const double after_lead_in = static_cast<double>(f.sample_index) - static_cast<double>(kLeadIn);
        const double place = (after_lead_in + static_cast<double>(f.sample_fraction)) * scale - delay_;
        const double index = std::max(place, 0.0);
        const auto good = static_cast<std::size_t>(
            std::count_if(f.blocks.begin(), f.blocks.end(), [](const phy::FrameBlock& b) { return b.crc_ok; }));
        const std::string_view mode = phy::modes()[f.mode].name;
        if (json_) {
            const std::string line = dump(Json{{"time_s", index / setup_.rate_hz},
                                               {"sample_index", static_cast<std::uint64_t>(index)},
                                               {"snr_db", number(f.snr_db)},
                                               {"cfo_hz", number(f.cfo_hz)},
                                               {"sfo_ppm", number(f.sfo_ppm)},
                                               {"power_dbfs", number(f.power_dbfs)},
                                               {"mode", mode},
                                               {"crc_ok", f.ok()},
                                               {"blocks", f.blocks.size()},
                                               {"blocks_ok", good},
                                               {"bytes", f.payload.size()},
                                               {"payload", to_hex(f.payload)}});
            std::puts(line.c_str());
        } else {
            std::printf(
                "%12.6f s  %-14.14s %5zu bytes  snr %5.1f dB  cfo %+9.1f Hz  sfo %+6.2f ppm  %s (%zu/%zu blocks)\n",
                index / setup_.rate_hz, std::string(mode).c_str(), f.payload.size(), static_cast<double>(f.snr_db),
                static_cast<double>(f.cfo_hz), static_cast<double>(f.sfo_ppm), f.ok() ? "ok" : "BLOCK ERRORS", good,
                f.blocks.size());
        }
        ++frames_;
        bool fine = std::fflush(stdout) == 0;
        if (payload_file_ != nullptr && f.ok()) {
            fine = std::fwrite(f.payload.data(), 1, f.payload.size(), payload_file_) == f.payload.size() && fine;
        }
        return fine;
    }
    [[nodiscard]] std::uint64_t frames() const noexcept { return frames_; }

private:
    static Json number(float v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }
    bool json_;
    SampleFile setup_;
    double delay_;
    std::FILE* payload_file_;
    std::uint64_t frames_ = 0;
};

struct CloseFile {
    void operator()(std::FILE* f) const { std::fclose(f); }
};

int demodulate(const DemodulateOptions& options) {
    DemodulateOptions o = options;
    static const std::string kMeta = ".sigmf-meta";
    if (o.file.ends_with(kMeta)) {  // meant is the file it describes
        o.file.erase(o.file.size() - kMeta.size());
        std::error_code none;
        o.file += std::filesystem::exists(o.file + ".sigmf-data", none) ? ".sigmf-data" : "";
    }
    const bool from_file = o.file != "-";
    const std::string source = from_file ? o.file : "standard input";
    station::SigmfDescription described;
    if (from_file && (o.samples.rate_hz == 0.0 || o.samples.format.empty())) {
        auto read = station::read_sigmf_meta(o.file);
        if (!read) {
            return complain(read.error().message, 1);
        }
        described = *read;
    }
    const auto setup = sample_file(o.samples, o.file, described);
    if (!setup) {
        return complain(setup.error());
    }
    auto resampler = Resampler::create(setup->rate_hz, setup->profile->sample_rate_hz);
    if (!resampler) {
        return complain(resampler.error());
    }
    host::UniqueFd file;
    int in_fd = STDIN_FILENO;
    if (from_file) {
        file = host::UniqueFd{::open(o.file.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file) {
            return complain(o.file + " cannot be opened: " + host::reason(errno), 1);
        }
        in_fd = file.get();
    } else if (::isatty(STDIN_FILENO) == 1) {
        return complain("samples would come from the terminal: give a file, or a pipe", 2);
    }
    if (!o.output.empty() && host::same_file(in_fd, o.output)) {
        return complain(o.output + " is also the input; write the payload to another file", 2);
    }
    std::unique_ptr<std::FILE, CloseFile> payload_file;
    if (!o.output.empty()) {
        payload_file.reset(std::fopen(o.output.c_str(), "wbe"));
        if (!payload_file) {
            return complain(o.output + " cannot be written: " + host::reason(errno), 1);
        }
    }
    phy::Receiver::Config config;
    config.profile = setup->profile;
    phy::Receiver receiver(config);
    FramePrinter printer(o, *setup, resampler->delay_samples(), payload_file.get());
    station::IqDecoder decoder(setup->format);
    std::vector<std::uint8_t> buffer(kReadBytes);
    std::vector<Sample> samples;
    std::vector<Sample> at_rate;
    std::uint64_t file_samples = 0;
    std::uint64_t not_finite = 0;
    std::uint64_t pushed = 0;
    std::uint64_t cut = 0;
    bool fine = true;
    const auto take = [&] {
        pushed += at_rate.size();
        receiver.push(at_rate);
        while (auto frame = receiver.poll_frame()) {
            cut += frame->sample_index + frame->length_samples > pushed ? 1 : 0;
            fine = printer.print(*frame) && fine;
        }
    };
    at_rate.assign(kLeadIn, Sample{});
    take();
    while (fine) {
        const auto n = host::read_some(in_fd, buffer, source + " cannot be read");
        if (!n) {
            return complain(n.error().message, 1);
        }
        if (*n == 0) {
            break;
        }
        samples.clear();
        decoder.decode({buffer.data(), *n}, samples);
        file_samples += samples.size();
        for (auto& s : samples) {  // here and not only in the receiver: a resampler would smear them
            if (!std::isfinite(s.real()) || !std::isfinite(s.imag())) {
                if (not_finite++ == 0) {
                    complain("warning: the file holds samples that are not numbers; each is taken as 0", 0);
                }
                s = Sample{};
            }
        }
        at_rate.clear();
        resampler->process(samples, at_rate);
        take();
    }
    at_rate.clear();
    resampler->flush(at_rate);
    take();
    receiver.flush();
    at_rate.clear();
    take();
    if (payload_file && std::fflush(payload_file.get()) != 0) {
        return complain(o.output + " cannot be written: " + host::reason(errno), 1);
    }
    if (!fine) {
        return complain("output cannot be written: " + host::reason(errno), 1);
    }
    if (decoder.left_over() != 0) {
        complain("warning: the file ends inside a sample; its last " + std::to_string(decoder.left_over()) +
                     " bytes are ignored",
                 0);
    }
    const auto& c = receiver.counters();
    cut += c.headers_ok > printer.frames() ? c.headers_ok - printer.frames() : 0;
    if (cut != 0) {
        complain("warning: " + std::to_string(cut) + " frame(s) began and do not end before the file does", 0);
    }
    if (o.json) {
        const std::string line = dump(Json{{"summary", Json{{"samples", file_samples},
                                                            {"samples_not_finite", not_finite + c.samples_not_finite},
                                                            {"samples_clipped", c.samples_clipped},
                                                            {"bytes_ignored", decoder.left_over()},
                                                            {"preambles", c.preambles},
                                                            {"headers_ok", c.headers_ok},
                                                            {"frames", printer.frames()},
                                                            {"frames_ok", c.frames_ok},
                                                            {"frames_partial", c.frames_partial},
                                                            {"frames_cut_off", cut},
                                                            {"blocks_ok", c.blocks_ok},
                                                            {"blocks_bad", c.blocks_bad}}}});
        std::puts(line.c_str());
    } else {
        std::printf("%llu frames, %llu without error, in %.3f s of samples; %llu preambles, %llu headers\n",
                    static_cast<unsigned long long>(printer.frames()), static_cast<unsigned long long>(c.frames_ok),
                    static_cast<double>(file_samples) / setup->rate_hz, static_cast<unsigned long long>(c.preambles),
                    static_cast<unsigned long long>(c.headers_ok));
    }
    if (file_samples == 0) {
        return complain(source + " holds no samples", 1);
    }
    return 0;
}

}  // namespace

void add_demodulate(CLI::App& app, int& exit_code) {
    CLI::App* command = nullptr;
    auto& o = add_command<DemodulateOptions>(app, exit_code, "demodulate", "Samples -> frames, one line each", command,
                                             demodulate);
    command->add_option("file", o.file, "File of samples, - for standard input")->capture_default_str();
    command->add_flag("--json", o.json, "One JSON object a frame, and a summary at the end");
    command->add_option("--output", o.output, "Write the payload of frames without error here");
    add_sample_file(*command, o.samples);
}

}  // namespace meshnet::apps
