// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/wav_layout.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <string_view>

namespace meshnet::station {

namespace {

constexpr std::uint64_t kNoSize = 0xffffffff;  // in RF64, and in headers that were never completed
constexpr int kMostChunks = 1'000;
constexpr unsigned kPcm = 1, kFloat = 3, kExtensible = 0xfffe;

Error invalid(const std::string& clause) {
    return {ErrorCode::kInvalidData, "is a WAV file that " + clause};
}

/// Bytes at an offset; fewer at the end of the file.
std::string bytes_at(int fd, std::uint64_t offset, std::size_t count) {
    std::string out(count, '\0');
    std::size_t size = 0;
    while (size < count) {
        const ssize_t n = ::pread(fd, out.data() + size, count - size, static_cast<off_t>(offset + size));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        size += static_cast<std::size_t>(n);
    }
    out.resize(size);
    return out;
}

std::uint64_t number(std::string_view bytes, std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;) {
        value = value << 8U | static_cast<std::uint8_t>(bytes[at + i]);
    }
    return value;
}

/// The chunk "fmt ".
Status read_format(std::string_view fmt, WavLayout& out) {
    if (fmt.size() < 16) {
        return invalid("has a format chunk of less than 16 bytes");
    }
    std::uint64_t tag = number(fmt, 0, 2);
    const std::uint64_t channels = number(fmt, 2, 2);
    const std::uint64_t rate = number(fmt, 4, 4);
    const std::uint64_t frame = number(fmt, 12, 2);
    const std::uint64_t bits = number(fmt, 14, 2);
    if (tag == kExtensible && fmt.size() >= 26) {
        tag = number(fmt, 24, 2);  // the first two bytes of the GUID are the tag of before
    }
    if (channels != 2) {
        return Error{ErrorCode::kUnsupported, "is a WAV file of " + std::to_string(channels) +
                                                  " channel(s); IQ has 2, I on the left and Q on the right"};
    }
    std::optional<IqFormat> format;
    if (tag == kPcm) {
        format = bits == 8    ? std::optional(IqFormat::kCu8)
                 : bits == 16 ? std::optional(IqFormat::kCs16)
                 : bits == 24 ? std::optional(IqFormat::kCs24)
                 : bits == 32 ? std::optional(IqFormat::kCs32)
                              : std::nullopt;
    } else if (tag == kFloat) {
        format = bits == 32   ? std::optional(IqFormat::kCf32)
                 : bits == 64 ? std::optional(IqFormat::kCf64)
                              : std::nullopt;
    }
    if (!format || frame != channels * bits / 8) {
        return Error{ErrorCode::kUnsupported, "is a WAV file of format " + std::to_string(tag) + " with " +
                                                  std::to_string(bits) + " bits in frames of " + std::to_string(frame) +
                                                  " bytes; known are PCM of 8, 16, 24 and 32 bits and float of 32 and "
                                                  "64 bits"};
    }
    if (rate == 0) {
        return invalid("names no sample rate");
    }
    out.format = *format;
    out.rate_hz = static_cast<double>(rate);
    return Ok{};
}

}  // namespace

Result<WavLayout> read_wav_layout(int fd, std::uint64_t file_bytes) {
    const std::string head = bytes_at(fd, 0, 12);
    if (head.size() < 12 || head.substr(8) != "WAVE") {
        return Error{ErrorCode::kInvalidData, "begins like a RIFF file but is no WAV file"};
    }
    if (head.starts_with("RIFX")) {
        return Error{ErrorCode::kUnsupported, "is a big-endian WAV file (RIFX), which is not read"};
    }
    WavLayout out;
    bool format_known = false;
    std::optional<std::uint64_t> size_of_data;  // from ds64
    std::uint64_t at = 12;
    for (int chunks = 0; chunks < kMostChunks; ++chunks) {
        const std::string chunk = bytes_at(fd, at, 8);
        if (chunk.size() < 8) {
            return invalid("has no data chunk");
        }
        const std::string_view name = std::string_view(chunk).substr(0, 4);
        std::uint64_t size = number(chunk, 4, 4);
        at += 8;
        if (name == "data") {
            if (!format_known) {
                return invalid("has samples before their format");
            }
            const std::uint64_t rest = file_bytes - std::min(at, file_bytes);
            if (size == kNoSize && size_of_data) {
                size = *size_of_data;
            }
            // 0 and 2^32 - 1 are sizes never written; beyond 4 GiB a RIFF header cannot say the size.
            const bool unknown = size == 0 || size == kNoSize || (!size_of_data && file_bytes > kNoSize);
            out.data_offset = at;
            out.data_bytes = unknown ? rest : std::min(size, rest);
            return out;
        }
        if (name == "fmt ") {
            if (auto fine = read_format(bytes_at(fd, at, std::min<std::uint64_t>(size, 64)), out); !fine) {
                return fine.error();
            }
            format_known = true;
        } else if (name == "ds64") {
            if (const std::string sizes = bytes_at(fd, at, 16); sizes.size() == 16) {
                size_of_data = number(sizes, 8, 8);
            }
        }
        at += size + size % 2;
    }
    return invalid("has more than 1000 chunks before its samples");
}

}  // namespace meshnet::station
