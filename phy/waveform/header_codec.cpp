// SPDX-License-Identifier: MIT
#include "phy/waveform/header_codec.hpp"

#include "phy/fec/crc.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {
namespace {

// What a header must agree with to be taken for one.
struct Expected {
    PreambleClass preamble;
    std::uint8_t version;
};

std::array<std::uint8_t, 8> pack(const Header& header) {
    std::uint64_t bits = header.version;
    bits = (bits << 5) | header.mode;
    bits = (bits << 15) | header.payload_bytes;
    bits = (bits << 2) | header.redundancy_version;
    bits <<= 24;
    std::array<std::uint8_t, 8> out{};
    for (std::size_t i = 0; i < 6; ++i) {
        out[i] = static_cast<std::uint8_t>(bits >> (40 - 8 * i));
    }
    const std::uint32_t crc = Crc16::of_bytes(std::span<const std::uint8_t>(out).first(6));
    out[6] = static_cast<std::uint8_t>(crc >> 8);
    out[7] = static_cast<std::uint8_t>(crc);
    return out;
}

std::optional<Header> unpack(std::span<const std::uint8_t> bits, Expected expected) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < kHeaderBits; ++i) {
        bytes[i / 8] = static_cast<std::uint8_t>((bytes[i / 8] << 1) | (bits[i] & 1U));
    }
    const std::uint32_t crc = Crc16::of_bytes(std::span<const std::uint8_t>(bytes).first(6));
    if (bytes[6] != (crc >> 8) || bytes[7] != (crc & 0xFF)) {
        return std::nullopt;
    }
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 6; ++i) {
        word = (word << 8) | bytes[i];
    }
    Header header;
    header.redundancy_version = static_cast<std::uint8_t>((word >> 24) & 3);
    header.payload_bytes = static_cast<std::uint16_t>((word >> 26) & 0x7FFF);
    header.mode = static_cast<ModeIndex>((word >> 41) & 31);
    header.version = static_cast<std::uint8_t>(word >> 46);
    const bool possible = (word & 0xFFFFFF) == 0 && header.version == expected.version &&
                          header.mode < modes().size() && header.payload_bytes >= 1 &&
                          header.payload_bytes <= kMaxPayloadBytes &&
                          modes()[header.mode].preamble == expected.preamble;
    if (!possible) {
        return std::nullopt;
    }
    return header;
}

}  // namespace

HeaderCodec::HeaderCodec() = default;

std::array<std::uint8_t, kHeaderCodedBits> HeaderCodec::encode(const Header& header) const {
    const auto bytes = pack(header);
    std::array<std::uint8_t, kHeaderBits> bits{};
    for (std::size_t i = 0; i < kHeaderBits; ++i) {
        bits[i] = static_cast<std::uint8_t>((bytes[i / 8] >> (7 - i % 8)) & 1);
    }
    std::array<std::uint8_t, kHeaderCodedBits> coded{};
    TailBitingCode::encode(bits, coded);
    return coded;
}

std::size_t HeaderCodec::coded_bit(std::size_t i) noexcept {
    // Stride 37 parts neighbouring coded bits; each copy starts 53 further on, so copies meet other carriers.
    const std::size_t copy = i / kHeaderCodedBits;
    return (37 * (i % kHeaderCodedBits) + 53 * copy) % kHeaderCodedBits;
}

std::optional<Header> HeaderCodec::decode(std::span<const float> llr, PreambleClass preamble, std::uint8_t version) {
    const Expected expected{preamble, version};
    TailBitingCode::Options options;
    options.check = [](std::span<const std::uint8_t> bits, const void* context) {
        return unpack(bits, *static_cast<const Expected*>(context)).has_value();
    };
    options.context = &expected;
    std::array<std::uint8_t, kHeaderBits> bits{};
    if (!code_.decode(llr, bits, options).accepted) {
        return std::nullopt;
    }
    return unpack(bits, expected);
}

}  // namespace meshnet::phy
