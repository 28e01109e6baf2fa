// SPDX-License-Identifier: MIT
// The time-frequency grid of a frame: which transform bin is which carrier, where the pilots are and which values they
// have.
//
// Spec: docs/spec/phy.md, "Carriers", "Pilots", "Training".
//
// Carriers are numbered 0..K-1 from the lowest frequency; carrier c is subcarrier c - K/2 below DC and c - K/2 + 1
// above it. Pilots are scattered: every 13th carrier (kPilotPeriod), shifted by 5 each symbol, so that 13 symbols sound
// every carrier; the dense pattern of the medium and long preamble classes adds the carriers 6 further on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Symbols before the payload that every frame of a preamble class has.
struct ClassParams {
    std::size_t chirp_samples;     ///< length of each of the two chirps of the preamble
    std::size_t training_symbols;  ///< identical known symbols after the preamble
    std::size_t header_copies;     ///< at least this many copies of the coded header (whole symbols are filled)
    bool dense_pilots;
};
/// The chirps grow with the symbol (N/4, N/2): the offset they leave must be small against the subcarrier spacing.
[[nodiscard]] ClassParams class_params(const Profile& profile, PreambleClass preamble) noexcept;

/// Carriers, pilots and training of one profile. Immutable after construction.
class Grid {
public:
    /// Carriers from one pilot of a symbol to the next in the sparse pattern; also the symbols after which the pattern
    /// repeats and every carrier has been sounded.
    static constexpr std::size_t kPilotPeriod = 13;
    static constexpr std::size_t kPilotShift = 5;   ///< carriers from the pilots of one symbol to those of the next
    static constexpr std::size_t kDenseOffset = 6;  ///< carriers from a sparse pilot to the one the dense pattern adds

    explicit Grid(const Profile& profile);

    [[nodiscard]] const Profile& profile() const noexcept { return profile_; }
    [[nodiscard]] std::size_t carriers() const noexcept { return profile_.carriers; }
    /// Subcarrier number of carrier `c`, never 0.
    [[nodiscard]] int subcarrier(std::size_t c) const noexcept {
        const int k = static_cast<int>(c) - static_cast<int>(profile_.carriers / 2);
        return k < 0 ? k : k + 1;
    }
    /// Transform bin of carrier `c`.
    [[nodiscard]] std::size_t bin(std::size_t c) const noexcept { return bins_[c]; }

    /// Carriers of the pilots of symbol `s` (0: first header symbol), ascending.
    [[nodiscard]] std::span<const std::uint16_t> pilots(std::size_t s, bool dense) const noexcept {
        return patterns_[dense ? 1 : 0][s % kPilotPeriod].pilots;
    }
    /// Carriers that carry data in symbol `s`, ascending.
    [[nodiscard]] std::span<const std::uint16_t> data(std::size_t s, bool dense) const noexcept {
        return patterns_[dense ? 1 : 0][s % kPilotPeriod].data;
    }
    /// Data carriers per symbol: the same for every symbol.
    [[nodiscard]] std::size_t data_per_symbol(bool dense) const noexcept { return data_per_symbol(profile_, dense); }
    /// The same figure without an instance.
    [[nodiscard]] static constexpr std::size_t data_per_symbol(const Profile& profile, bool dense) noexcept {
        return profile.carriers / kPilotPeriod * (kPilotPeriod - (dense ? 2 : 1));
    }
    /// The pilot value, +-1, on carrier `c` of symbol `s`.
    [[nodiscard]] float pilot(std::size_t s, std::size_t c) const noexcept {
        return pilot_signs_[(c + 7 * s) % kSigns];
    }
    /// Value of each carrier of a training symbol, unit magnitude (Zadoff-Chu), shape [K].
    [[nodiscard]] std::span<const Sample> training() const noexcept { return training_; }

private:
    static constexpr std::size_t kSigns = 127;
    struct Pattern {
        std::vector<std::uint16_t> pilots;
        std::vector<std::uint16_t> data;
    };
    Profile profile_;
    std::vector<std::size_t> bins_;
    std::vector<Pattern> patterns_[2];
    std::vector<float> pilot_signs_;
    std::vector<Sample> training_;
};

}  // namespace meshnet::phy
