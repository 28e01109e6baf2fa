// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/iq_format.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>

#include "core/names.hpp"

namespace meshnet::station {

namespace {

using Number = IqFormatRow::Number;

constexpr std::array kFormats{
    IqFormatRow{IqFormat::kCf32, "cf32", "fc32 cf32_le complex64", "cf32_le", Number::kFloat, 4, false},
    IqFormatRow{IqFormat::kCf64, "cf64", "fc64 cf64_le complex128", "cf64_le", Number::kFloat, 8, false},
    IqFormatRow{IqFormat::kCs8, "cs8", "ci8 sc8 s8", "ci8", Number::kSigned, 1, false},
    IqFormatRow{IqFormat::kCs16, "cs16", "ci16 sc16 s16 ci16_le", "ci16_le", Number::kSigned, 2, false},
    IqFormatRow{IqFormat::kCs24, "cs24", "ci24", "", Number::kSigned, 3, false},
    IqFormatRow{IqFormat::kCs32, "cs32", "ci32 sc32 s32 ci32_le", "ci32_le", Number::kSigned, 4, false},
    IqFormatRow{IqFormat::kCu8, "cu8", "u8 uc8", "cu8", Number::kUnsigned, 1, false},
    IqFormatRow{IqFormat::kCu16, "cu16", "u16 uc16 cu16_le", "cu16_le", Number::kUnsigned, 2, false},
    IqFormatRow{IqFormat::kCu32, "cu32", "u32 uc32 cu32_le", "cu32_le", Number::kUnsigned, 4, false},
    IqFormatRow{IqFormat::kCf32Be, "cf32_be", "", "cf32_be", Number::kFloat, 4, true},
    IqFormatRow{IqFormat::kCf64Be, "cf64_be", "", "cf64_be", Number::kFloat, 8, true},
    IqFormatRow{IqFormat::kCs16Be, "cs16_be", "ci16_be", "ci16_be", Number::kSigned, 2, true},
    IqFormatRow{IqFormat::kCs32Be, "cs32_be", "ci32_be", "ci32_be", Number::kSigned, 4, true},
    IqFormatRow{IqFormat::kCu16Be, "cu16_be", "", "cu16_be", Number::kUnsigned, 2, true},
    IqFormatRow{IqFormat::kCu32Be, "cu32_be", "", "cu32_be", Number::kUnsigned, 4, true},
};
constexpr std::size_t kMostBytes = 8;

/// Endings that one format alone uses. What is not here (.iq, .raw, .dat, .bin) is asked for.
struct Ending {
    std::string_view ending;
    IqFormat format;
};
constexpr std::array kEndings{
    Ending{".cf32", IqFormat::kCf32},       Ending{".fc32", IqFormat::kCf32},
    Ending{".cfile", IqFormat::kCf32},    // GNU Radio
    Ending{".complex", IqFormat::kCf32},  // this and the next four: Universal Radio Hacker
    Ending{".complex16s", IqFormat::kCs8},  Ending{".complex16u", IqFormat::kCu8},
    Ending{".complex32s", IqFormat::kCs16}, Ending{".complex32u", IqFormat::kCu16},
    Ending{".cf64", IqFormat::kCf64},       Ending{".fc64", IqFormat::kCf64},
    Ending{".cs8", IqFormat::kCs8},         Ending{".s8", IqFormat::kCs8},
    Ending{".ci8", IqFormat::kCs8},         Ending{".sc8", IqFormat::kCs8},
    Ending{".cs16", IqFormat::kCs16},       Ending{".sc16", IqFormat::kCs16},
    Ending{".ci16", IqFormat::kCs16},       Ending{".cs32", IqFormat::kCs32},
    Ending{".ci32", IqFormat::kCs32},       Ending{".sc32", IqFormat::kCs32},
    Ending{".cu8", IqFormat::kCu8},  // rtl_sdr
    Ending{".u8", IqFormat::kCu8},          Ending{".cu16", IqFormat::kCu16},
    Ending{".cu32", IqFormat::kCu32},
};

double full_scale(const IqFormatRow& row) {
    const auto half = static_cast<double>(std::uint64_t{1} << (8 * row.bytes - 1));
    switch (row.number) {
        case Number::kFloat:
            return 1.0;
        case Number::kSigned:
            return half - 1.0;
        case Number::kUnsigned:
            break;
    }
    return half - 0.5;
}

std::uint64_t load(const IqFormatRow& row, const std::uint8_t* p) {
    std::uint64_t word = 0;
    for (unsigned i = 0; i < row.bytes; ++i) {
        word |= std::uint64_t{p[row.big_endian ? row.bytes - 1 - i : i]} << (8 * i);
    }
    return word;
}

float decode_component(const IqFormatRow& row, const std::uint8_t* p) {
    const std::uint64_t word = load(row, p);
    switch (row.number) {
        case Number::kFloat:
            return row.bytes == 4 ? std::bit_cast<float>(static_cast<std::uint32_t>(word))
                                  : static_cast<float>(std::bit_cast<double>(word));
        case Number::kSigned: {
            const unsigned unused = 64 - 8 * row.bytes;
            const auto value = static_cast<std::int64_t>(word << unused) >> unused;
            return static_cast<float>(static_cast<double>(value) / full_scale(row));
        }
        case Number::kUnsigned:
            break;
    }
    const double scale = full_scale(row);
    return static_cast<float>((static_cast<double>(word) - scale) / scale);
}

std::uint64_t quantize(const IqFormatRow& row, float v) {
    const float finite = std::isfinite(v) ? v : 0.0F;
    if (row.number == Number::kFloat) {
        return row.bytes == 4 ? std::uint64_t{std::bit_cast<std::uint32_t>(finite)}
                              : std::bit_cast<std::uint64_t>(static_cast<double>(finite));
    }
    const double scale = full_scale(row);
    const double limited = std::clamp(static_cast<double>(finite), -1.0, 1.0) * scale;
    return static_cast<std::uint64_t>(std::llround(row.number == Number::kSigned ? limited : limited + scale));
}

bool is_word_of(std::string_view word, std::string_view words) {
    while (!words.empty()) {
        const std::size_t space = std::min(words.find(' '), words.size());
        if (words.substr(0, space) == word) {
            return true;
        }
        words.remove_prefix(std::min(space + 1, words.size()));
    }
    return false;
}

}  // namespace

std::span<const IqFormatRow> iq_formats() {
    return kFormats;
}

const IqFormatRow& iq_format_row(IqFormat format) {
    const auto row = std::find_if(kFormats.begin(), kFormats.end(), [&](const auto& r) { return r.format == format; });
    assert(row != kFormats.end());
    return *row;
}

std::string iq_format_names() {
    std::string out;
    for (const auto& row : kFormats) {
        out += (out.empty() ? "" : " ") + std::string(row.name);
    }
    return out;
}

Result<IqFormat> parse_iq_format(std::string_view name) {
    std::array<std::string_view, kFormats.size()> names;
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
        names[i] = kFormats[i].name;
        if (!name.empty() && (name == names[i] || is_word_of(name, kFormats[i].other_names))) {
            return kFormats[i].format;
        }
    }
    return unknown_name("sample format", name, names);
}

Result<IqFormat> parse_sigmf_datatype(std::string_view name) {
    std::string known;
    for (const auto& row : kFormats) {
        if (row.sigmf.empty()) {
            continue;
        }
        // The specification leaves the byte order out of bytes; some programs write it all the same.
        if (name == row.sigmf || (row.bytes == 1 && name.starts_with(row.sigmf) &&
                                  (name.substr(row.sigmf.size()) == "_le" || name.substr(row.sigmf.size()) == "_be"))) {
            return row.format;
        }
        known += " " + std::string(row.sigmf);
    }
    if (name.starts_with('r')) {
        return Error{ErrorCode::kUnsupported, "core:datatype " + meshnet::quoted(name) +
                                                  " is real samples, which cannot hold I and Q; known are" + known};
    }
    return Error{ErrorCode::kUnsupported,
                 "core:datatype " + meshnet::quoted(name) + " is not known; known are" + known};
}

std::optional<IqFormat> iq_format_of_path(std::string_view path) {
    std::string lower(path.substr(path.size() - std::min<std::size_t>(path.size(), 16)));
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (const Ending& e : kEndings) {
        if (lower.ends_with(e.ending)) {
            return e.format;
        }
    }
    return std::nullopt;
}

std::string iq_endings() {
    std::string out;
    for (const Ending& e : kEndings) {
        out += (out.empty() ? "" : " ") + std::string(e.ending);
    }
    return out;
}

IqDecoder::IqDecoder(IqFormat format, unsigned channels, unsigned channel) : row_(&iq_format_row(format)) {
    assert(channel < channels);
    frame_ = std::size_t{2} * row_->bytes * channels;
    offset_ = std::size_t{2} * row_->bytes * channel;
}

void IqDecoder::decode(ByteView bytes, std::vector<phy::Sample>& out) {
    const auto decode_one = [&](const std::uint8_t* frame) {
        out.emplace_back(decode_component(*row_, frame + offset_),
                         decode_component(*row_, frame + offset_ + row_->bytes));
    };
    const auto keep = [&](std::size_t wanted) {
        const std::size_t n = std::min(wanted, bytes.size());
        pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
        bytes = bytes.subspan(n);
    };
    if (!pending_.empty()) {
        keep(frame_ - pending_.size());
        if (pending_.size() < frame_) {
            return;
        }
        decode_one(pending_.data());
        pending_.clear();
    }
    const std::size_t whole = bytes.size() / frame_;
    out.reserve(out.size() + whole);
    for (std::size_t i = 0; i < whole; ++i) {
        decode_one(bytes.data() + i * frame_);
    }
    bytes = bytes.subspan(whole * frame_);
    keep(bytes.size());
}

void encode_iq(IqFormat format, const phy::Sample* samples, std::size_t count, Bytes& out) {
    const IqFormatRow& row = iq_format_row(format);
    out.reserve(out.size() + 2 * count * row.bytes);
    for (std::size_t i = 0; i < count; ++i) {
        for (const float v : {samples[i].real(), samples[i].imag()}) {
            const std::uint64_t word = quantize(row, v);
            std::array<std::uint8_t, kMostBytes> raw;
            for (unsigned b = 0; b < row.bytes; ++b) {
                raw[row.big_endian ? row.bytes - 1 - b : b] = static_cast<std::uint8_t>(word >> (8 * b));
            }
            out.insert(out.end(), raw.begin(), raw.begin() + row.bytes);
        }
    }
}

}  // namespace meshnet::station
