// SPDX-License-Identifier: MIT
// The modes: how payload bits become constellation points. Written `qpsk-1/5x4`, `qpsk-1/2`, `64qam-3/4` everywhere.
//
// Spec: docs/spec/phy.md, "Modes".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/result.hpp"

namespace meshnet::phy {

/// Position in modes(); travels in the frame header (5 bits).
using ModeIndex = std::uint8_t;

/// Which of the three preambles (and header spreadings) a mode is announced with.
enum class PreambleClass : std::uint8_t { kShort = 0, kMedium = 1, kLong = 2 };

/// One row of the mode table.
struct Mode {
    std::string_view name;     ///< e.g. "16qam-1/2", "qpsk-1/5x4"
    unsigned bits_per_symbol;  ///< 2, 4, 6 or 8
    unsigned rate_num;         ///< code rate before spreading, numerator
    unsigned rate_den;         ///< code rate before spreading, denominator
    unsigned spread;           ///< how many times the coded block is sent, 1..16
    PreambleClass preamble;    ///< the preamble it is announced with
    /// Positive levels of an axis, ascending, in any unit: 1, 2, 4 or 8. docs/decisions/0014-levels.md.
    std::span<const std::uint16_t> amplitudes;
    float required_snr_db;  ///< SNR for PER 1e-2 with 1000 bytes in AWGN, as measured (docs/results/phy.md)

    /// Information bits per constellation point, spreading included.
    [[nodiscard]] constexpr double efficiency() const noexcept {
        return static_cast<double>(bits_per_symbol * rate_num) / static_cast<double>(rate_den * spread);
    }
};

/// Evenly spaced levels for 2, 4, 6 or 8 bits per point: 1, 3, 5, ...; anything else is a broken precondition (assert).
[[nodiscard]] std::span<const std::uint16_t> even_amplitudes(unsigned bits_per_symbol) noexcept;

/// All modes, the most robust first; the index is the ModeIndex.
[[nodiscard]] std::span<const Mode> modes() noexcept;

/// The mode of that name, or nothing.
[[nodiscard]] std::optional<ModeIndex> find_mode(std::string_view name) noexcept;
/// The same with an error that names what there is.
[[nodiscard]] Result<ModeIndex> parse_mode(std::string_view name);

/// "short", "medium", "long".
[[nodiscard]] std::string_view to_string(PreambleClass preamble) noexcept;
/// Error: names what there is.
[[nodiscard]] Result<PreambleClass> parse_preamble_class(std::string_view name);
/// All preamble classes, the shortest first; the index is the PreambleClass.
[[nodiscard]] std::span<const std::string_view> preamble_class_names() noexcept;

}  // namespace meshnet::phy
