// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/recording.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <complex>
#include <cstdio>
#include <utility>

#include "core/names.hpp"
#include "host/file.hpp"
#include "host/text.hpp"
#include "station/radio/sigmf_archive.hpp"
#include "station/radio/wav_layout.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kReadBytes = 1 << 16;
constexpr double kNearRate = 100e-6;
constexpr std::uint64_t kMaxHashedBytes = 64 << 20;  // a tenth of a second
constexpr std::string_view kMeta = ".sigmf-meta", kData = ".sigmf-data", kCollection = ".sigmf-collection",
                           kArchive = ".sigmf";

class FileSource final : public ByteSource {
public:
    FileSource(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
    Result<std::size_t> read(std::span<std::uint8_t> out) override {
        return host::read_some(fd_, out, name_ + " cannot be read");
    }

private:
    int fd_;
    std::string name_;
};

/// What a file is by its first bytes.
enum class Content { kUnknown, kWav, kTar, kOther };
struct Magic {
    std::size_t offset;
    std::string_view bytes;
    Content content;
    std::string_view name;
};
using namespace std::string_view_literals;
constexpr std::array kMagics{
    Magic{0, "RIFF"sv, Content::kWav, "a WAV file"},
    Magic{0, "RF64"sv, Content::kWav, "a WAV file"},
    Magic{0, "BW64"sv, Content::kWav, "a WAV file"},
    Magic{0, "RIFX"sv, Content::kWav, "a WAV file"},
    Magic{257, "ustar"sv, Content::kTar, "a tar archive"},
    Magic{0, "riff\x2e\x91\xcf\x11"sv, Content::kOther, "a Wave64 file"},
    Magic{0, "\x1f\x8b\x08"sv, Content::kOther, "compressed by gzip"},
    Magic{0,
          "\xfd"
          "7zXZ\0"sv,
          Content::kOther, "compressed by xz"},
    Magic{0, "\x28\xb5\x2f\xfd"sv, Content::kOther, "compressed by zstd"},
    Magic{0, "BZh91AY"sv, Content::kOther, "compressed by bzip2"},
    Magic{0, "PK\x03\x04"sv, Content::kOther, "a zip archive"},
    Magic{0, "fLaC"sv, Content::kOther, "a FLAC file"},
    Magic{0, "OggS"sv, Content::kOther, "an Ogg file"},
    Magic{0, "\x89HDF\r\n\x1a\n"sv, Content::kOther, "an HDF5 file"},
    Magic{0, "\x93NUMPY"sv, Content::kOther, "a NumPy file"},
};

std::string join(const std::vector<std::string>& names) {
    std::string out;
    for (const auto& name : names) {
        out += (out.empty() ? "" : ", ") + meshnet::quoted(name);
    }
    return out;
}

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}
std::string name_of(const std::string& path) {
    return path.substr(folder_of(path).size());
}
std::string without(const std::string& path, std::string_view ending) {
    return path.substr(0, path.size() - ending.size());
}
bool is_file(const std::string& path) {
    struct stat about {};
    return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode);
}

std::string hex(const unsigned char* bytes, std::size_t size) {
    return to_hex(ByteView(bytes, size));
}

}  // namespace

/// Finds out what a path means, and makes the recording.
class RecordingOpener {
public:
    RecordingOpener(std::string path, const RecordingOptions& options) : path_(std::move(path)), options_(options) {}

    Result<Recording> open() {
        if (auto found = find_metadata(); !found) {
            return found.error();
        }
        if (auto opened = open_file(); !opened) {
            return opened.error();
        }
        if (!regular_) {
            Recording out = Recording::of_stream(file_.get(), path_, options_);
            out.file_ = std::move(file_);
            return out;
        }
        const Content content = sniff();
        const bool by_name = path_.ends_with(kArchive);
        if (by_name || (content == Content::kTar && !described_ && !options_.format)) {
            if (!by_name) {
                warnings_.push_back(path_ + " is a tar archive by its content; read as a SigMF archive");
            }
            return content == Content::kOther ? unreadable() : open_archive();
        }
        if (described_) {
            return with_metadata(std::make_unique<FileSource>(file_.get(), path_), bytes_);
        }
        if (content == Content::kWav && !options_.format) {
            return open_wav();
        }
        if (content == Content::kOther && !options_.format) {
            return unreadable();
        }
        return open_raw();
    }

private:
    // What the operator says himself is not asked of the metadata; if that is all, there may be anything in it.
    [[nodiscard]] bool metadata_wanted() const { return !options_.format || !options_.rate_hz; }
    [[nodiscard]] SigmfKnown known() const { return {options_.format.has_value(), options_.rate_hz.has_value()}; }

    /// `path_` becomes the file of samples, and metadata is read if there is some.
    Status find_metadata() {
        if (path_.ends_with(kCollection)) {
            if (auto one = take_collection(); !one) {
                return one;
            }
        }
        if (path_.ends_with(kMeta)) {
            return take_metadata_path();
        }
        if (!is_file(path_) && is_file(path_ + std::string(kMeta))) {  // the base name
            path_ += kMeta;
            return take_metadata_path();
        }
        const std::string beside = sigmf_meta_path(path_);
        if (is_file(beside)) {
            return metadata_wanted() ? read_metadata(beside) : Ok{};
        }
        // Metadata of the same base name counts only if it names this file.
        const std::size_t dot = path_.rfind('.');
        if (metadata_wanted() && dot != std::string::npos && dot > folder_of(path_).size()) {
            const std::string other = path_.substr(0, dot) + std::string(kMeta);
            if (is_file(other)) {
                const auto text = host::read_file(other, kMaxSigmfBytes);
                const auto what = text ? parse_sigmf(*text, {true, true}) : Error{ErrorCode::kInvalidData, ""};
                if (what && what->dataset == name_of(path_)) {
                    return read_metadata(other);
                }
            }
        }
        return Ok{};
    }

    Status take_collection() {
        const auto text = host::read_file(path_, kMaxSigmfBytes);
        if (!text) {
            return text.error();
        }
        const auto names = parse_sigmf_collection(*text);
        if (!names) {
            return Error{names.error().code, path_ + " " + names.error().message};
        }
        if (names->size() != 1) {
            return Error{ErrorCode::kUnsupported, path_ + " is a collection of " + std::to_string(names->size()) +
                                                      " recordings; name one of them: " + join(*names)};
        }
        path_ = folder_of(path_) + names->front() + std::string(kMeta);
        return Ok{};
    }

    Status take_metadata_path() {
        const std::string meta = path_;
        const std::string base = without(meta, kMeta);
        path_ = is_file(base + std::string(kData)) ? base + std::string(kData) : base;
        const bool standard = is_file(path_);
        if (standard && !metadata_wanted()) {
            return Ok{};
        }
        if (auto read = read_metadata(meta); !read) {
            return read;
        }
        if (!described_->dataset.empty() && (!standard || is_file(folder_of(meta) + described_->dataset))) {
            path_ = folder_of(meta) + described_->dataset;
        }
        if (!is_file(path_)) {
            if (described_->metadata_only) {
                return Error{ErrorCode::kNotFound, meta + " has core:metadata_only: it comes without samples"};
            }
            if (described_->dataset.empty()) {
                path_ = base + std::string(kData);
            }
        }
        return Ok{};
    }

    Status read_metadata(const std::string& meta) {
        const auto text = host::read_file(meta, kMaxSigmfBytes);
        const std::string remedy = "; repair or remove it, or " + options_.say_both;
        if (!text) {
            return Error{text.error().code, text.error().message + remedy};
        }
        auto parsed = parse_sigmf(*text, known());
        if (!parsed) {
            const std::string clause = parsed.error().message;
            return Error{parsed.error().code, meta + (clause.starts_with("is ") ? " " : ": ") + clause + remedy};
        }
        described_ = std::move(*parsed);
        meta_path_ = meta;
        if (!described_->dataset.empty() && described_->dataset != name_of(path_) && is_file(path_)) {
            warnings_.push_back(meta + ": core:dataset names " + meshnet::quoted(described_->dataset) + ", but " +
                                path_ + " is read");
        }
        return Ok{};
    }

    Status open_file() {
        file_ = host::UniqueFd{::open(path_.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file_) {
            return host::system_error("recording " + path_ + " cannot be opened", errno);
        }
        struct stat about {};
        if (::fstat(file_.get(), &about) != 0) {
            return host::system_error("recording " + path_ + " cannot be read", errno);
        }
        if (S_ISDIR(about.st_mode)) {
            return Error{ErrorCode::kInvalidData, path_ + " is a folder; name a file of samples"};
        }
        regular_ = S_ISREG(about.st_mode);
        bytes_ = static_cast<std::uint64_t>(about.st_size);
        return Ok{};
    }

    Content sniff() {
        std::array<char, 512> head{};
        const ssize_t n = ::pread(file_.get(), head.data(), head.size(), 0);
        const std::string_view bytes(head.data(), n < 0 ? 0 : static_cast<std::size_t>(n));
        for (const Magic& magic : kMagics) {
            if (bytes.size() >= magic.offset && bytes.substr(magic.offset).starts_with(magic.bytes)) {
                content_name_ = magic.name;
                return magic.content;
            }
        }
        return Content::kUnknown;
    }

    /// A file known to be something else.
    [[nodiscard]] Error unreadable() const {
        return {ErrorCode::kUnsupported,
                path_ + " is " + content_name_ + ", which is not read; unpack or convert it" +
                    (path_.ends_with(kArchive) ? "" : ", or " + options_.say_format + " if it is raw samples")};
    }

    Result<Recording> open_archive() {
        const auto members = list_archive(file_.get());
        if (!members) {
            return Error{members.error().code, path_ + " " + members.error().message};
        }
        std::vector<std::string> names;
        const ArchiveMember* meta = nullptr;
        for (const auto& member : *members) {
            if (member.name.ends_with(kMeta)) {
                names.push_back(member.name);
                meta = &member;
            }
        }
        if (names.size() != 1) {
            return Error{names.empty() ? ErrorCode::kInvalidData : ErrorCode::kUnsupported,
                         names.empty() ? path_ + " holds no SigMF recording"
                                       : path_ + " holds " + std::to_string(names.size()) +
                                             " recordings; unpack it (tar -xf) and name one of them: " + join(names)};
        }
        auto described = parse_sigmf(meta->metadata, known());
        if (!described) {
            return Error{described.error().code, path_ + ": " + meta->name + ": " + described.error().message};
        }
        described_ = std::move(*described);
        meta_path_ = path_ + ": " + meta->name;
        const std::string data = described_->dataset.empty() ? without(meta->name, kMeta) + std::string(kData)
                                                             : folder_of(meta->name) + described_->dataset;
        const auto found =
            std::find_if(members->begin(), members->end(), [&](const auto& m) { return m.name == data; });
        if (found == members->end()) {
            return Error{
                ErrorCode::kNotFound,
                meta_path_ + (described_->metadata_only ? " has core:metadata_only: it comes without samples"
                                                        : ": its samples " + meshnet::quoted(data) + " are missing")};
        }
        member_ = data;
        auto source = open_source();
        if (!source) {
            return source.error();
        }
        return with_metadata(std::move(*source), found->bytes);
    }

    /// The samples' bytes from their beginning.
    Result<std::unique_ptr<ByteSource>> open_source() {
        if (member_.empty()) {
            if (::lseek(file_.get(), 0, SEEK_SET) != 0) {
                return host::system_error(path_ + " cannot be read", errno);
            }
            return std::unique_ptr<ByteSource>(std::make_unique<FileSource>(file_.get(), path_));
        }
        auto source = open_archive_member(file_.get(), member_);
        if (!source) {
            return Error{source.error().code, path_ + " " + source.error().message};
        }
        return source;
    }

    Result<Recording> with_metadata(std::unique_ptr<ByteSource> source, std::uint64_t bytes) {
        auto format = options_.format ? options_.format : described_->format;
        if (options_.channel > described_->channels) {
            return Error{ErrorCode::kInvalidArgument, meta_path_ + ": core:num_channels is " +
                                                          std::to_string(described_->channels) +
                                                          "; there is no channel " + std::to_string(options_.channel)};
        }
        if (described_->channels > 1 && options_.channel == 0) {
            return Error{ErrorCode::kInvalidArgument, meta_path_ + ": core:num_channels is " +
                                                          std::to_string(described_->channels) +
                                                          ": several channels; " + options_.say_channel + " 1 to " +
                                                          std::to_string(described_->channels)};
        }
        Recording out(*format, described_->channels, std::max(options_.channel, 1U) - 1);
        auto layout = sigmf_layout(*described_, out.decoder_.bytes_per_sample(), bytes);
        if (!layout) {
            return Error{layout.error().code, meta_path_ + ": " + layout.error().message};
        }
        for (auto& line : layout->warnings) {
            warnings_.push_back(meta_path_ + ": " + line);
        }
        if (!described_->sha512.empty() && bytes <= kMaxHashedBytes) {
            if (auto checked = check_hash(*source); !checked) {
                return checked.error();
            }
            auto again = open_source();
            if (!again) {
                return again.error();
            }
            source = std::move(*again);
        }
        out.stretches_ = std::move(layout->stretches);
        return finish(std::move(out), std::move(source), options_.format ? "as asked" : "its metadata",
                      described_->rate_hz);
    }

    Status check_hash(ByteSource& source) {
        crypto_hash_sha512_state state;
        crypto_hash_sha512_init(&state);
        std::vector<std::uint8_t> buffer(kReadBytes);
        for (;;) {
            const auto n = source.read(buffer);
            if (!n) {
                return n.error();
            }
            if (*n == 0) {
                break;
            }
            crypto_hash_sha512_update(&state, buffer.data(), *n);
        }
        std::array<unsigned char, crypto_hash_sha512_BYTES> hash;
        crypto_hash_sha512_final(&state, hash.data());
        if (hex(hash.data(), hash.size()) != described_->sha512) {
            warnings_.push_back(meta_path_ + ": core:sha512 is not the hash of the samples: one of both was changed");
        }
        return Ok{};
    }

    Result<Recording> open_wav() {
        if (auto fine = check_channel(); !fine) {
            return fine.error();
        }
        auto layout = read_wav_layout(file_.get(), bytes_);
        if (!layout) {
            return Error{layout.error().code, path_ + " " + layout.error().message};
        }
        if (iq_format_of_path(path_)) {
            warnings_.push_back(path_ + " is a WAV file by its content; read as such, not by its ending");
        }
        Recording out(layout->format, 1, 0);
        out.stretches_ = {{layout->data_offset, layout->data_bytes, 0, 0}};
        return finish(std::move(out), std::make_unique<FileSource>(file_.get(), path_), "its WAV header",
                      layout->rate_hz);
    }

    Result<Recording> open_raw() {
        if (auto fine = check_channel(); !fine) {
            return fine.error();
        }
        const auto by_ending = iq_format_of_path(path_);
        if (!options_.format && !by_ending) {
            const std::string why = path_.ends_with(kData)
                                        ? path_ + " has no metadata beside it (" + sigmf_meta_path(path_) + ")"
                                        : "the name of " + path_ + " does not tell the format of its samples";
            return Error{ErrorCode::kInvalidArgument,
                         why + "; " + options_.say_format + ", one of " + iq_format_names()};
        }
        Recording out(options_.format ? *options_.format : *by_ending, 1, 0);
        out.stretches_ = {Stretch{}};
        return finish(std::move(out), std::make_unique<FileSource>(file_.get(), path_),
                      options_.format ? "as asked" : "its ending", std::nullopt);
    }

    /// Raw samples and WAV files are one channel of IQ.
    Status check_channel() const {
        if (options_.channel > 1) {
            return Error{ErrorCode::kInvalidArgument, path_ +
                                                          " has one channel: core:num_channels of SigMF metadata "
                                                          "would say otherwise"};
        }
        return Ok{};
    }

    Recording finish(Recording out, std::unique_ptr<ByteSource> source, std::string format_source,
                     std::optional<double> rate_hz) {
        out.file_ = std::move(file_);
        out.source_ = std::move(source);
        out.format_source_ = std::move(format_source);
        out.rate_hz_ = options_.rate_hz ? options_.rate_hz : rate_hz;
        out.warnings_ = std::move(warnings_);
        out.swap_iq_ = options_.swap_iq;
        return out;
    }

    std::string path_;
    const RecordingOptions& options_;
    std::string meta_path_, member_, content_name_;
    std::optional<SigmfDescription> described_;
    host::UniqueFd file_;
    bool regular_ = false;
    std::uint64_t bytes_ = 0;
    std::vector<std::string> warnings_;
};

Result<Recording> Recording::open(const std::string& path, const RecordingOptions& options) {
    return RecordingOpener(path, options).open();
}

Recording Recording::of_stream(int fd, const std::string& name, const RecordingOptions& options) {
    Recording out(options.format.value_or(IqFormat::kCf32), 1, 0);
    out.stream_ = fd;
    out.source_ = std::make_unique<FileSource>(fd, name);
    out.format_source_ = options.format ? "as asked" : "as always from a pipe";
    out.rate_hz_ = options.rate_hz;
    out.swap_iq_ = options.swap_iq;
    out.stretches_ = {Stretch{}};
    return out;
}

Result<bool> Recording::read(Piece& out) {
    out.samples.clear();
    std::array<std::uint8_t, kReadBytes> buffer;
    while (out.samples.empty() && stretch_ < stretches_.size()) {
        const Stretch& stretch = stretches_[stretch_];
        const std::uint64_t wanted = begun_ ? stretch.bytes : stretch.skip_bytes;
        const std::uint64_t rest = wanted - bytes_read_;
        if (rest == 0) {
            stretch_ += begun_ ? 1 : 0;
            begun_ = !begun_;
            bytes_read_ = samples_read_ = 0;
            continue;
        }
        const auto n = source_->read(
            std::span(buffer).first(static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer.size()))));
        if (!n) {
            return n.error();
        }
        if (*n == 0) {  // shorter than it was when opened
            stretch_ = stretches_.size();
            break;
        }
        bytes_read_ += *n;
        if (begun_) {
            decoder_.decode(ByteView(buffer).first(*n), out.samples);
            out.sample_index = stretch.sample_index + samples_read_;
            out.time_index = stretch.time_index + samples_read_;
            samples_read_ += out.samples.size();
        }
    }
    if (swap_iq_) {
        for (auto& s : out.samples) {
            s = std::conj(s);
        }
    }
    return !out.samples.empty();
}

std::string rate_text(double rate_hz) {
    char text[32];
    std::snprintf(text, sizeof text, "%.10g", rate_hz);
    return text;
}

double rate_or_near(double rate_hz, double wanted_hz) {
    return std::abs(rate_hz - wanted_hz) <= kNearRate * wanted_hz ? wanted_hz : rate_hz;
}

}  // namespace meshnet::station
