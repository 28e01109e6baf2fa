// SPDX-License-Identifier: MIT
// The same measurement for liquid-dsp's OFDM modem (ofdmflexframegen, ofdmflexframesync): 64 carriers, prefix 8, taper
// 4, soft decisions on, default header, CRC-32. Time and phase are random, the carrier offset within +-0.1 subcarrier
// (its range ends at half a subcarrier). Codes: what Debian's package of liquid has, built without libfec: Golay and
// Hamming.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

struct LiquidMode {
    std::string_view name;     ///< as "qpsk-golay-1/2"
    unsigned bits_per_symbol;  ///< 2, 4 or 6
    double rate;               ///< of the code
    int modulation;            ///< liquid's modulation_scheme
    int code;                  ///< liquid's fec_scheme
    float start_snr_db;        ///< where to look for its threshold
};

[[nodiscard]] std::span<const LiquidMode> liquid_modes() noexcept;
[[nodiscard]] const LiquidMode* find_liquid_mode(std::string_view name) noexcept;

struct LiquidScenario {
    const LiquidMode* mode = nullptr;
    std::size_t payload_bytes = 1000;
    double snr_db = 0.0;  ///< in the occupied band (data and pilot carriers), as ours
    std::uint64_t seed = 1;
};

/// header_miss counts frames whose header CRC failed, detect_miss frames for which nothing was reported.
[[nodiscard]] Tally run_liquid_point(const LiquidScenario& s, const Effort& effort);

}  // namespace meshnet::lab
