// SPDX-License-Identifier: MIT
#include "sim/channel/phasor.hpp"

#include <array>
#include <cstddef>
#include <numbers>

namespace meshnet::sim::detail {

const phy::Sample* make_phasor_table() noexcept {
    constexpr std::size_t kSize = std::size_t{1} << kPhasorBits;
    static const std::array<phy::Sample, kSize> table = [] {
        std::array<phy::Sample, kSize> out{};
        for (std::size_t k = 0; k < kSize; ++k) {
            const double angle = 2.0 * std::numbers::pi * (static_cast<double>(k) + 0.5) / static_cast<double>(kSize);
            out[k] = {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
        }
        return out;
    }();
    return table.data();
}

}  // namespace meshnet::sim::detail
