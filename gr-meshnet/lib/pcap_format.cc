// SPDX-License-Identifier: GPL-3.0-or-later
#include "pcap_format.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "pdu.h"

namespace gr::meshnet {

namespace {

using ::meshnet::Bytes;

constexpr std::uint32_t kMagicNs = 0xA1B23C4D;
constexpr std::uint32_t kSnapLength = 65'535;
constexpr std::uint32_t kLinkType = 147;
constexpr std::size_t kModeName = 16;

/// Most significant byte first; readers know the order by the magic number.
template <class T>
void put(Bytes& out, T value) {
    for (int shift = static_cast<int>(8 * sizeof(T)) - 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
    }
}

/// `value` in steps of `step`, limited to what `T` holds; 0 if it is not there.
template <class T>
T scaled(const std::optional<double>& value, double step) {
    constexpr auto kLow = static_cast<double>(std::numeric_limits<T>::min());
    constexpr auto kHigh = static_cast<double>(std::numeric_limits<T>::max());
    return static_cast<T>(std::clamp(std::round(value.value_or(0.0) / step), kLow, kHigh));
}

}  // namespace

Bytes pcap_file_header() {
    Bytes out;
    put(out, kMagicNs);
    put(out, std::uint16_t{2});
    put(out, std::uint16_t{4});
    put(out, std::uint32_t{0});
    put(out, std::uint32_t{0});
    put(out, kSnapLength);
    put(out, kLinkType);
    return out;
}

Bytes pcap_packet(::meshnet::Instant when, bool sent, const pmt::pmt_t& meta, const Bytes& payload) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(::meshnet::to_ns(when), 0));
    const std::size_t kept = std::min<std::size_t>(payload.size(), kSnapLength - kCaptureHeader);
    Bytes out;
    put(out, static_cast<std::uint32_t>(ns / 1'000'000'000));
    put(out, static_cast<std::uint32_t>(ns % 1'000'000'000));
    put(out, static_cast<std::uint32_t>(kCaptureHeader + kept));
    put(out, static_cast<std::uint32_t>(kCaptureHeader + payload.size()));

    out.push_back(1);  // version
    out.push_back(static_cast<std::uint8_t>(kCaptureHeader));
    out.push_back(sent ? 1 : 0);
    out.push_back(static_cast<std::uint8_t>((read_bool(meta, "crc_ok").value_or(sent) ? 1 : 0) |
                                            (read_bool(meta, "inverted").value_or(false) ? 2 : 0)));
    put(out, static_cast<std::uint16_t>(read_count(meta, "redundancy_version").value_or(0)));
    put(out, static_cast<std::uint16_t>(std::min<std::uint64_t>(read_count(meta, "blocks").value_or(0), 65'535)));
    put(out, static_cast<std::uint16_t>(std::min<std::uint64_t>(read_count(meta, "blocks_ok").value_or(0), 65'535)));
    put(out, scaled<std::int16_t>(read_real(meta, "snr_db"), 0.01));
    put(out, scaled<std::int16_t>(read_real(meta, "power_dbfs"), 0.01));
    put(out, std::uint16_t{0});
    put(out, scaled<std::int32_t>(read_real(meta, "cfo_hz"), 0.1));
    put(out, scaled<std::int32_t>(read_real(meta, "sfo_ppm"), 0.001));
    put(out, read_count(meta, "sample_index").value_or(0));
    put(out, read_count(meta, "length_samples").value_or(0));
    std::string mode = read_text(meta, "mode").value_or("");
    mode.resize(kModeName);
    out.insert(out.end(), mode.begin(), mode.end());
    out.insert(out.end(), payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(kept));
    return out;
}

}  // namespace gr::meshnet
