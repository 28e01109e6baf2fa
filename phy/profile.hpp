// SPDX-License-Identifier: MIT
// Numerology is data: a profile fixes sample rate, transform size, cyclic prefix and carriers.
//
// Spec: docs/spec/phy.md, "Profiles".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "core/result.hpp"

namespace meshnet::phy {

/// One numerology. Carriers are counted from -carriers/2 to +carriers/2 without 0 (DC is never used).
struct Profile {
    std::string_view name;      ///< for people and files, of the sample rate: "1M"
    double sample_rate_hz;      ///< samples per second on the air
    std::size_t fft_size;       ///< N, a power of two
    std::size_t cyclic_prefix;  ///< samples before each symbol
    std::size_t carriers;       ///< occupied subcarriers (data + pilots), even
    double max_cfo_hz;          ///< carrier offsets within +- this are acquired

    [[nodiscard]] constexpr std::size_t symbol_samples() const noexcept { return fft_size + cyclic_prefix; }
    [[nodiscard]] constexpr double subcarrier_spacing_hz() const noexcept {
        return sample_rate_hz / static_cast<double>(fft_size);
    }
    [[nodiscard]] constexpr double occupied_bandwidth_hz() const noexcept {
        return subcarrier_spacing_hz() * static_cast<double>(carriers);
    }
};

/// All profiles, the narrowest first.
[[nodiscard]] std::span<const Profile> profiles() noexcept;

/// The profile of that name (case does not matter), or nullptr.
[[nodiscard]] const Profile* find_profile(std::string_view name) noexcept;
/// The same, never nullptr, with an error that names what there is.
[[nodiscard]] Result<const Profile*> parse_profile(std::string_view name);

}  // namespace meshnet::phy
