// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/iq_file.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include <nlohmann/json.hpp>

#include "core/names.hpp"
#include "host/text.hpp"

namespace meshnet::station {

namespace {

static_assert(std::endian::native == std::endian::little, "sample files are little endian; swap here before porting");

phy::Sample decode_one(IqFormat format, const std::uint8_t* p) {
    switch (format) {
        case IqFormat::kCs8: {
            std::int8_t v[2];
            std::memcpy(v, p, sizeof v);
            return {static_cast<float>(v[0]) / 127.0F, static_cast<float>(v[1]) / 127.0F};
        }
        case IqFormat::kCs16: {
            std::int16_t v[2];
            std::memcpy(v, p, sizeof v);
            return {static_cast<float>(v[0]) / 32767.0F, static_cast<float>(v[1]) / 32767.0F};
        }
        case IqFormat::kCf32:
            break;
    }
    float v[2];
    std::memcpy(v, p, sizeof v);
    return {v[0], v[1]};
}

template <class Integer>
Integer saturate(float v, float full_scale) {
    if (!std::isfinite(v)) {
        return 0;
    }
    return static_cast<Integer>(std::lrint(std::clamp(v * full_scale, -full_scale, full_scale)));
}

template <class T>
void append(Bytes& out, T re, T im) {
    std::uint8_t raw[2 * sizeof(T)];
    std::memcpy(raw, &re, sizeof re);
    std::memcpy(raw + sizeof re, &im, sizeof im);
    out.insert(out.end(), raw, raw + sizeof raw);
}

}  // namespace

Result<IqFormat> parse_iq_format(std::string_view name) {
    constexpr std::array<std::string_view, 3> kNames{"cf32", "cs8", "cs16"};
    for (std::size_t i = 0; i < kNames.size(); ++i) {
        if (kNames[i] == name) {
            return static_cast<IqFormat>(i);
        }
    }
    return unknown_name("sample format", name, kNames);
}

std::string_view iq_format_name(IqFormat format) {
    switch (format) {
        case IqFormat::kCs8:
            return "cs8";
        case IqFormat::kCs16:
            return "cs16";
        case IqFormat::kCf32:
            break;
    }
    return "cf32";
}

IqFormat iq_format_of_path(std::string_view path) {
    if (path.ends_with(".cs8")) return IqFormat::kCs8;
    if (path.ends_with(".cs16")) return IqFormat::kCs16;
    return IqFormat::kCf32;
}

std::size_t IqDecoder::bytes_per_sample() const noexcept {
    switch (format_) {
        case IqFormat::kCs8:
            return 2;
        case IqFormat::kCs16:
            return 4;
        case IqFormat::kCf32:
            break;
    }
    return 8;
}

void IqDecoder::decode(ByteView bytes, std::vector<phy::Sample>& out) {
    const std::size_t size = bytes_per_sample();
    const auto keep = [&](std::size_t wanted) {
        const std::size_t n = std::min({wanted, bytes.size(), pending_.size() - pending_size_});
        std::copy_n(bytes.begin(), n, pending_.begin() + static_cast<std::ptrdiff_t>(pending_size_));
        pending_size_ += n;
        bytes = bytes.subspan(n);
    };
    if (pending_size_ > 0) {
        keep(size - pending_size_);
        if (pending_size_ < size) {
            return;
        }
        out.push_back(decode_one(format_, pending_.data()));
        pending_size_ = 0;
    }
    const std::size_t whole = bytes.size() / size;
    out.reserve(out.size() + whole);
    for (std::size_t i = 0; i < whole; ++i) {
        out.push_back(decode_one(format_, bytes.data() + i * size));
    }
    bytes = bytes.subspan(whole * size);
    keep(bytes.size());
}

void encode_iq(IqFormat format, const phy::Sample* samples, std::size_t count, Bytes& out) {
    for (std::size_t i = 0; i < count; ++i) {
        const float re = samples[i].real();
        const float im = samples[i].imag();
        switch (format) {
            case IqFormat::kCs8:
                append(out, saturate<std::int8_t>(re, 127.0F), saturate<std::int8_t>(im, 127.0F));
                break;
            case IqFormat::kCs16:
                append(out, saturate<std::int16_t>(re, 32767.0F), saturate<std::int16_t>(im, 32767.0F));
                break;
            case IqFormat::kCf32:
                append(out, std::isfinite(re) ? re : 0.0F, std::isfinite(im) ? im : 0.0F);
                break;
        }
    }
}

std::string sigmf_meta_path(const std::string& data_path) {
    static const std::string kData = ".sigmf-data";
    if (data_path.ends_with(kData)) {
        return data_path.substr(0, data_path.size() - kData.size()) + ".sigmf-meta";
    }
    return data_path + ".sigmf-meta";
}

Status write_sigmf_meta(const std::string& data_path, const SigmfMeta& meta) {
    const std::string_view datatype = meta.format == IqFormat::kCs8    ? "ci8"
                                      : meta.format == IqFormat::kCs16 ? "ci16_le"
                                                                       : "cf32_le";
    nlohmann::ordered_json json;
    auto& global = json["global"];
    global["core:datatype"] = datatype;
    global["core:sample_rate"] = meta.sample_rate_hz;
    global["core:version"] = "1.2.0";
    global["core:description"] = meta.description;
    global["core:recorder"] = "meshnet";
    const std::size_t slash = data_path.rfind('/');
    if (!data_path.ends_with(".sigmf-data")) {
        // A data file without the standard ending is a "non-conforming dataset": the metadata names it.
        global["core:dataset"] = data_path.substr(slash == std::string::npos ? 0 : slash + 1);
    }
    json["captures"] = nlohmann::ordered_json::array();
    for (const auto& c : meta.captures) {
        json["captures"].push_back({{"core:sample_start", c.sample_start}, {"core:global_index", c.global_index}});
    }
    json["annotations"] = nlohmann::ordered_json::array();
    for (const auto& a : meta.annotations) {
        json["annotations"].push_back(
            {{"core:sample_start", a.sample_start}, {"core:sample_count", a.sample_count}, {"core:label", a.label}});
    }
    const std::string path = sigmf_meta_path(data_path);
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    file.close();
    if (!file) {
        return host::system_error(path, errno);
    }
    return Ok{};
}

Result<SigmfDescription> read_sigmf_meta(const std::string& data_path) {
    constexpr std::uintmax_t kMaxBytes = 64 << 20;
    const std::string path = sigmf_meta_path(data_path);
    SigmfDescription d;
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
        return d;
    }
    const std::string remedy = "; repair or remove it, or give both --rate and --format";
    if (std::filesystem::file_size(path, error) > kMaxBytes || error) {
        return Error{ErrorCode::kLimit, path + " is too large for SigMF metadata" + remedy};
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return host::system_error(path + " cannot be opened", errno);
    }
    const auto json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object() || !json.contains("global") || !json["global"].is_object()) {
        return Error{ErrorCode::kInvalidData, path + " is not SigMF metadata" + remedy};
    }
    const auto& global = json["global"];
    if (const auto rate = global.find("core:sample_rate"); rate != global.end()) {
        if (!rate->is_number()) {
            return Error{ErrorCode::kInvalidData, path + ": core:sample_rate is not a number" + remedy};
        }
        d.rate_hz = rate->get<double>();
    }
    if (const auto channels = global.find("core:num_channels"); channels != global.end() && *channels != 1) {
        return Error{ErrorCode::kUnsupported,
                     path + ": the file holds several channels; write one of them to a file of its own"};
    }
    if (const auto type = global.find("core:datatype"); type != global.end()) {
        const auto name = type->is_string() ? type->get<std::string>() : std::string("?");
        d.format = name == "cf32_le"   ? std::optional(IqFormat::kCf32)
                   : name == "ci16_le" ? std::optional(IqFormat::kCs16)
                   : name == "ci8"     ? std::optional(IqFormat::kCs8)
                                       : std::nullopt;
        if (!d.format) {
            return Error{ErrorCode::kUnsupported,
                         path + ": samples of type " + name +
                             " cannot be read; cf32_le, ci16_le and ci8 can. Convert the file, or name its --format"};
        }
    }
    return d;
}

}  // namespace meshnet::station
