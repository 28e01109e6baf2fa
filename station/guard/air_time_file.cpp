// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/air_time_file.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <utility>

#include "host/file.hpp"

namespace meshnet::station {

namespace {

constexpr std::string_view kHead = "meshnet air time 1";

std::uint64_t fnv1a(std::string_view text) noexcept {
    std::uint64_t hash = 0xcbf29ce484222325U;
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    }
    return hash;
}

std::string check_line(std::string_view before) {
    char text[32];
    std::snprintf(text, sizeof text, "check %016llx\n", static_cast<unsigned long long>(fnv1a(before)));
    return text;
}

Error damaged(const std::string& what) {
    return {ErrorCode::kInvalidData, what};
}

/// Takes "NUMBER " off the front of `line`.
bool take_number(std::string_view& line, std::int64_t& out) {
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), out);
    if (error != std::errc{} || end == line.data() + line.size() || *end != ' ') {
        return false;
    }
    line.remove_prefix(static_cast<std::size_t>(end - line.data()) + 1);
    return true;
}

BandAirTime& band_of(std::vector<BandAirTime>& bands, std::string_view name) {
    const auto at = std::find_if(bands.begin(), bands.end(), [&](const BandAirTime& b) { return b.band == name; });
    if (at != bands.end()) {
        return *at;
    }
    bands.push_back({std::string(name), {}, {}});
    return bands.back();
}

Status read_line(std::string_view line, std::vector<BandAirTime>& bands) {
    std::int64_t end_ns = 0, on_ns = 0;
    if (line.starts_with("used ")) {
        line.remove_prefix(5);
        if (!take_number(line, end_ns) || !take_number(line, on_ns) || end_ns < 0 || on_ns <= 0 ||
            on_ns > Duration{kDutyWindow}.count() || line.empty()) {
            return damaged("a line of used air time is not 'used END AIRTIME BAND'");
        }
        auto& uses = band_of(bands, line).uses;
        if (!uses.empty() && instant_from_ns(end_ns) < uses.back().end) {
            return damaged("used air time is not in the order of time");
        }
        uses.push_back({instant_from_ns(end_ns), Duration{on_ns}});
        return Ok{};
    }
    if (line.starts_with("reserved ")) {
        line.remove_prefix(9);
        if (!take_number(line, on_ns) || on_ns < 0 || on_ns > Duration{kDutyWindow}.count() || line.empty()) {
            return damaged("a line of reserved air time is not 'reserved AIRTIME BAND'");
        }
        band_of(bands, line).reserved = Duration{on_ns};
        return Ok{};
    }
    return damaged("a line is neither 'used' nor 'reserved'");
}

class FileStore final : public AirTimeStore {
public:
    explicit FileStore(std::string path) : path_(std::move(path)) {}

    Result<std::vector<BandAirTime>> load() override {
        const auto text = host::read_file(path_, kMaxAirTimeBytes);
        if (!text) {
            return text.error();
        }
        auto bands = decode_air_time(*text);
        if (!bands) {
            return Error{bands.error().code, path_ + ": " + bands.error().message};
        }
        return bands;
    }

    Status save(const std::vector<BandAirTime>& bands) override {
        const std::string text = encode_air_time(bands);
        return host::replace_file(path_, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }

private:
    std::string path_;
};

}  // namespace

std::string encode_air_time(const std::vector<BandAirTime>& bands) {
    std::string out{kHead};
    out += '\n';
    for (const auto& band : bands) {
        for (const auto& use : band.uses) {
            out += "used " + std::to_string(to_ns(use.end)) + ' ' + std::to_string(use.on.count()) + ' ' + band.band +
                   '\n';
        }
        out += "reserved " + std::to_string(band.reserved.count()) + ' ' + band.band + '\n';
    }
    return out + check_line(out);
}

Result<std::vector<BandAirTime>> decode_air_time(std::string_view text) {
    if (text.size() > kMaxAirTimeBytes) {
        return damaged("it is longer than " + std::to_string(kMaxAirTimeBytes) + " bytes");
    }
    const auto check = text.rfind("check ");
    if (check == std::string_view::npos || text.substr(check) != check_line(text.substr(0, check))) {
        return damaged("its check does not match its content");
    }
    text = text.substr(0, check);
    std::vector<BandAirTime> bands;
    bool first = true;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == std::string_view::npos) {
            return damaged("its last line is cut off");
        }
        const auto line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (std::exchange(first, false)) {
            if (line != kHead) {
                return damaged("its first line is not '" + std::string(kHead) + "'");
            }
        } else if (auto read = read_line(line, bands); !read) {
            return read.error();
        }
    }
    if (first) {
        return damaged("it is empty");
    }
    return bands;
}

std::unique_ptr<AirTimeStore> air_time_file(const std::string& path) {
    return std::make_unique<FileStore>(path);
}

}  // namespace meshnet::station
