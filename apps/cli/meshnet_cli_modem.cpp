// SPDX-License-Identifier: GPL-3.0-or-later
// modulate and demodulate: the modem on files and pipes, in chunks, so that neither end of a pipe waits for the other's
// end.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "apps/cli/meshnet_cli.hpp"
#include "apps/cli/resampler.hpp"
#include "core/bytes.hpp"
#include "host/unique_fd.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/iq_file.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using phy::Sample;
using station::IqFormat;

constexpr std::size_t kReadBytes = 1 << 16;
// Silence put before a file, at the profile's rate, so that a frame that begins with its first sample is found like any
// other.
constexpr std::size_t kLeadIn = 4'096;

std::string reason(int error) {
    return std::error_code(error, std::generic_category()).message();
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What both directions must know, or a complaint already made.
struct Setup {
    const phy::Profile* profile = nullptr;
    IqFormat format = IqFormat::kCf32;
    double rate_hz = 0.0;
};

/// What the SigMF metadata beside a file says of its samples; nothing where it is silent.
struct Described {
    std::optional<IqFormat> format;
    std::optional<double> rate_hz;
};

/// Reads the metadata beside `data_path`, if there is some. Source: SigMF 1.2, "Global Object".
Result<Described> read_sigmf_meta(const std::string& data_path) {
    constexpr std::uintmax_t kMaxBytes = 64 << 20;
    const std::string path = station::sigmf_meta_path(data_path);
    Described d;
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        return d;
    }
    const std::string remedy = "; repair or remove it, or give both --rate and --format";
    if (std::filesystem::file_size(path, error) > kMaxBytes || error) {
        return Error{path + " is too large for SigMF metadata" + remedy};
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error{path + " cannot be opened: " + reason(errno)};
    }
    const auto json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object() || !json.contains("global") || !json["global"].is_object()) {
        return Error{path + " is not SigMF metadata" + remedy};
    }
    const auto& global = json["global"];
    if (const auto rate = global.find("core:sample_rate"); rate != global.end()) {
        if (!rate->is_number()) {
            return Error{path + ": core:sample_rate is not a number" + remedy};
        }
        d.rate_hz = rate->get<double>();
    }
    if (const auto channels = global.find("core:num_channels"); channels != global.end() && *channels != 1) {
        return Error{path + ": the file holds several channels; write one of them to a file of its own"};
    }
    if (const auto type = global.find("core:datatype"); type != global.end()) {
        const auto name = type->is_string() ? type->get<std::string>() : std::string("?");
        d.format = name == "cf32_le"   ? std::optional(IqFormat::kCf32)
                   : name == "ci16_le" ? std::optional(IqFormat::kCs16)
                   : name == "ci8"     ? std::optional(IqFormat::kCs8)
                                       : std::nullopt;
        if (!d.format) {
            return Error{path + ": samples of type " + name +
                         " cannot be read; cf32_le, ci16_le and ci8 can. Convert the file, or name its true --format"};
        }
    }
    return d;
}

std::optional<Setup> set_up(const ModemOptions& o, const std::string& samples_path, const Described& described = {}) {
    Setup s;
    s.profile = phy::find_profile(o.profile);
    if (s.profile == nullptr) {
        std::string names;
        for (const auto& p : phy::profiles()) {
            names += (names.empty() ? "" : ", ") + std::string(p.name);
        }
        complain("no profile \"" + o.profile + "\"; the profiles are " + names, 2);
        return std::nullopt;
    }
    s.format = described.format.value_or(station::iq_format_of_path(samples_path));
    if (!o.format.empty()) {
        const auto format = station::iq_format_from_name(o.format);
        if (!format) {
            complain("no sample format \"" + o.format + "\"; the formats are cf32, cs8, cs16", 2);
            return std::nullopt;
        }
        s.format = *format;
    }
    s.rate_hz = o.rate_hz == 0.0 ? described.rate_hz.value_or(s.profile->sample_rate_hz) : o.rate_hz;
    char rate[64];
    std::snprintf(rate, sizeof rate, "a sample rate of %.10g Hz ", s.rate_hz);
    if (!(s.rate_hz > 0.0 && s.rate_hz <= 1e9) || s.rate_hz != std::floor(s.rate_hz)) {
        complain(std::string(rate) + "is not possible; it is a whole number up to 1000000000", 2);
        return std::nullopt;
    }
    if (s.rate_hz < s.profile->occupied_bandwidth_hz()) {
        complain(std::string(rate) + "cannot hold profile " + std::string(s.profile->name) + ", which occupies " +
                     std::to_string(std::llround(s.profile->occupied_bandwidth_hz())) + " Hz",
                 2);
        return std::nullopt;
    }
    return s;
}

/// True if both are the same file on a disk: writing one would destroy the other.
bool same_file(int fd, const std::string& path) {
    struct stat a {};
    struct stat b {};
    return ::fstat(fd, &a) == 0 && ::stat(path.c_str(), &b) == 0 && S_ISREG(a.st_mode) && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/// Reads up to `size` bytes; 0 at the end.
ssize_t read_some(int fd, std::uint8_t* out, std::size_t size) {
    ssize_t n = 0;
    do {
        n = ::read(fd, out, size);
    } while (n < 0 && errno == EINTR);
    return n;
}

bool write_all(int fd, const std::uint8_t* data, std::size_t size) {
    while (size > 0) {
        const ssize_t n = ::write(fd, data, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        data += n;
        size -= static_cast<std::size_t>(n);
    }
    return true;
}

/// Samples at the profile's rate in, a file or pipe of samples out.
class SampleSink {
public:
    SampleSink(int fd, const Setup& setup, Resampler resampler)
        : fd_(fd), format_(setup.format), resampler_(std::move(resampler)) {}

    bool write(std::span<const Sample> samples) {
        resampled_.clear();
        resampler_.process(samples, resampled_);
        return write_resampled();
    }
    bool finish() {
        resampled_.clear();
        resampler_.flush(resampled_);
        return write_resampled();
    }
    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

private:
    bool write_resampled() {
        bytes_.clear();
        station::encode_iq(format_, resampled_.data(), resampled_.size(), bytes_);
        written_ += resampled_.size();
        return write_all(fd_, bytes_.data(), bytes_.size());
    }
    int fd_;
    IqFormat format_;
    Resampler resampler_;
    std::vector<Sample> resampled_;
    Bytes bytes_;
    std::uint64_t written_ = 0;
};

const char* class_name(phy::PreambleClass c) {
    switch (c) {
        case phy::PreambleClass::kShort:
            return "short";
        case phy::PreambleClass::kMedium:
            return "medium";
        case phy::PreambleClass::kLong:
            break;
    }
    return "long";
}

double payload_rate_bps(const phy::Profile& profile, phy::ModeIndex mode) {
    constexpr std::size_t kFew = phy::kMaxPayloadBytes / 8;
    const auto samples =
        phy::frame_samples(profile, mode, phy::kMaxPayloadBytes) - phy::frame_samples(profile, mode, kFew);
    return 8.0 * static_cast<double>(phy::kMaxPayloadBytes - kFew) * profile.sample_rate_hz /
           static_cast<double>(samples);
}

}  // namespace

int modulate(const ModemOptions& o) {
    const auto setup = set_up(o, o.output);
    if (!setup) {
        return 2;
    }
    if (!std::isfinite(o.gap_ms)) {
        return complain("--gap-ms is not a number", 2);
    }
    const auto mode = phy::find_mode(o.mode);
    if (!mode) {
        std::string names;
        for (const auto& m : phy::modes()) {
            names += (names.empty() ? "" : ", ") + std::string(m.name);
        }
        return complain("no mode \"" + o.mode + "\"; the modes are " + names, 2);
    }
    auto resampler = Resampler::create(setup->profile->sample_rate_hz, setup->rate_hz);
    if (!resampler) {
        return complain(resampler.error().message, 2);
    }
    // The first payload before the output is opened: a command without input leaves the file of before.
    Bytes payload(o.payload_size);
    const auto read_payload = [&payload]() -> std::optional<std::size_t> {
        std::size_t size = 0;
        while (size < payload.size()) {
            const ssize_t n = read_some(STDIN_FILENO, payload.data() + size, payload.size() - size);
            if (n < 0) {
                complain("standard input: " + reason(errno), 1);
                return std::nullopt;
            }
            if (n == 0) {
                break;
            }
            size += static_cast<std::size_t>(n);
        }
        return size;
    };
    host::UniqueFd file;
    bool with_metadata = false;  // beside a file on a disk, not beside a pipe or a device
    int out_fd = STDOUT_FILENO;
    const bool to_file = !o.output.empty() && o.output != "-";
    if (to_file && same_file(STDIN_FILENO, o.output)) {
        return complain(o.output + " is also the input; write the samples to another file", 2);
    }
    if (!to_file && ::isatty(STDOUT_FILENO) == 1) {
        return complain("samples would go to the terminal: give --output FILE, or a pipe", 2);
    }
    auto size = read_payload();
    if (!size) {
        return 1;
    }
    if (*size == 0) {
        return complain("nothing on standard input: no frame made", 1);
    }
    if (to_file) {
        file = host::UniqueFd{::open(o.output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)};
        if (!file) {
            return complain(o.output + " cannot be written: " + reason(errno), 1);
        }
        out_fd = file.get();
        struct stat about {};
        with_metadata = ::fstat(out_fd, &about) == 0 && S_ISREG(about.st_mode);
    }

    const double scale = setup->rate_hz / setup->profile->sample_rate_hz;
    const std::vector<Sample> gap(
        static_cast<std::size_t>(std::llround(o.gap_ms * 1e-3 * setup->profile->sample_rate_hz)));
    const double delay = resampler->delay_samples();
    SampleSink sink(out_fd, *setup, std::move(resampler).value());
    phy::Transmitter transmitter(*setup->profile);
    station::SigmfMeta meta;
    meta.format = setup->format;
    meta.sample_rate_hz = setup->rate_hz;
    meta.description = "meshnet frames, profile " + std::string(setup->profile->name) + ", mode " + o.mode;
    meta.captures.push_back({0, 0});

    std::vector<Sample> burst;
    std::uint64_t rendered = gap.size();
    bool fine = sink.write(gap);
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
        fine = sink.write(burst) && sink.write(gap);
        if (fine && !(size = read_payload())) {
            return 1;
        }
    }
    fine = fine && sink.finish();
    if (!fine) {
        return complain((to_file ? o.output : "standard output") + " cannot be written: " + reason(errno), 1);
    }
    if (with_metadata) {
        if (auto written = station::write_sigmf_meta(o.output, meta); !written) {
            return complain(written.error().message, 1);
        }
    }
    return 0;
}

namespace {

/// Prints frames and counts them.
class FramePrinter {
public:
    FramePrinter(const ModemOptions& o, const Setup& setup, double delay, std::FILE* payload_file)
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
                static_cast<double>(f.cfo_hz), static_cast<double>(f.sfo_ppm), f.ok() ? "ok" : "DAMAGED", good,
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
    Setup setup_;
    double delay_;
    std::FILE* payload_file_;
    std::uint64_t frames_ = 0;
};

struct CloseFile {
    void operator()(std::FILE* f) const { std::fclose(f); }
};

}  // namespace

int demodulate(const ModemOptions& options) {
    ModemOptions o = options;
    static const std::string kMeta = ".sigmf-meta";
    if (o.file.ends_with(kMeta)) {  // meant is the file it describes
        o.file.erase(o.file.size() - kMeta.size());
        std::error_code none;
        o.file += std::filesystem::exists(o.file + ".sigmf-data", none) ? ".sigmf-data" : "";
    }
    const bool from_file = o.file != "-";
    const std::string source = from_file ? o.file : "standard input";
    Described described;
    if (from_file && (o.rate_hz == 0.0 || o.format.empty())) {
        auto read = read_sigmf_meta(o.file);
        if (!read) {
            return complain(read.error().message, 1);
        }
        described = *read;
    }
    const auto setup = set_up(o, o.file, described);
    if (!setup) {
        return 2;
    }
    auto resampler = Resampler::create(setup->rate_hz, setup->profile->sample_rate_hz);
    if (!resampler) {
        return complain(resampler.error().message, 2);
    }
    host::UniqueFd file;
    int in_fd = STDIN_FILENO;
    if (from_file) {
        file = host::UniqueFd{::open(o.file.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file) {
            return complain(o.file + " cannot be opened: " + reason(errno), 1);
        }
        in_fd = file.get();
    } else if (::isatty(STDIN_FILENO) == 1) {
        return complain("samples would come from the terminal: give a file, or a pipe", 2);
    }
    if (!o.output.empty() && same_file(in_fd, o.output)) {
        return complain(o.output + " is also the input; write the payload to another file", 2);
    }
    std::unique_ptr<std::FILE, CloseFile> payload_file;
    if (!o.output.empty()) {
        payload_file.reset(std::fopen(o.output.c_str(), "wbe"));
        if (!payload_file) {
            return complain(o.output + " cannot be written: " + reason(errno), 1);
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
        const ssize_t n = read_some(in_fd, buffer.data(), buffer.size());
        if (n < 0) {
            return complain(source + " cannot be read: " + reason(errno), 1);
        }
        if (n == 0) {
            break;
        }
        samples.clear();
        decoder.decode({buffer.data(), static_cast<std::size_t>(n)}, samples);
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
        return complain(o.output + " cannot be written: " + reason(errno), 1);
    }
    if (!fine) {
        return complain("output cannot be written: " + reason(errno), 1);
    }
    if (decoder.left_over() != 0) {
        complain("warning: the file ends inside a sample; its last " + std::to_string(decoder.left_over()) +
                     " bytes are ignored",
                 0);
    }
    const auto& c = receiver.counters();
    cut += c.headers_ok > printer.frames() ? c.headers_ok - printer.frames() : 0;
    if (cut != 0) {
        complain("warning: " + std::to_string(cut) + " frame(s) began and are not whole before the file ends", 0);
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

int list_modes(const std::string& profile_name, bool json) {
    ModemOptions o;
    o.profile = profile_name;
    const auto setup = set_up(o, "");
    if (!setup) {
        return 2;
    }
    Json all = Json::array();
    if (!json) {
        std::printf("%-16s %7s %7s %7s %-9s %13s %15s\n", "mode", "bits", "rate", "spread", "preamble", "needs SNR/dB",
                    "payload kbit/s");
    }
    for (std::size_t i = 0; i < phy::modes().size(); ++i) {
        const auto& m = phy::modes()[i];
        const double rate = payload_rate_bps(*setup->profile, static_cast<phy::ModeIndex>(i));
        const std::string code = std::to_string(m.rate_num) + "/" + std::to_string(m.rate_den);
        if (json) {
            all.push_back(Json{{"index", i},
                               {"mode", m.name},
                               {"bits_per_symbol", m.bits_per_symbol},
                               {"code_rate", code},
                               {"spread", m.spread},
                               {"preamble", class_name(m.preamble)},
                               {"required_snr_db", m.required_snr_db},
                               {"payload_bps", rate}});
        } else {
            std::printf("%-16s %7u %7s %7u %-9s %13.1f %15.1f\n", std::string(m.name).c_str(), m.bits_per_symbol,
                        code.c_str(), m.spread, class_name(m.preamble), static_cast<double>(m.required_snr_db),
                        rate * 1e-3);
        }
    }
    if (json) {
        std::puts(dump(all).c_str());
    }
    return 0;
}

int list_profiles(bool json) {
    Json all = Json::array();
    if (!json) {
        std::printf("%-8s %14s %6s %7s %9s %14s %13s\n", "profile", "samples/s", "FFT", "prefix", "carriers",
                    "bandwidth kHz", "offsets Hz");
    }
    for (const auto& p : phy::profiles()) {
        if (json) {
            all.push_back(Json{{"profile", p.name},
                               {"sample_rate_hz", p.sample_rate_hz},
                               {"fft_size", p.fft_size},
                               {"cyclic_prefix", p.cyclic_prefix},
                               {"carriers", p.carriers},
                               {"occupied_bandwidth_hz", p.occupied_bandwidth_hz()},
                               {"max_cfo_hz", p.max_cfo_hz}});
        } else {
            std::printf("%-8s %14.0f %6zu %7zu %9zu %14.1f %13.0f\n", std::string(p.name).c_str(), p.sample_rate_hz,
                        p.fft_size, p.cyclic_prefix, p.carriers, p.occupied_bandwidth_hz() * 1e-3, p.max_cfo_hz);
        }
    }
    if (json) {
        std::puts(dump(all).c_str());
    }
    return 0;
}

}  // namespace meshnet::apps
