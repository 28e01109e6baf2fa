// SPDX-License-Identifier: MIT
#include "lab/constellation_design.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "phy/fec/awgn_bound.hpp"
#include "phy/modes.hpp"
#include "phy/waveform/constellation.hpp"

namespace meshnet::lab {
namespace {

std::vector<double> amplitudes_of(std::span<const std::uint16_t> amplitudes) {
    return {amplitudes.begin(), amplitudes.end()};
}

TEST(ConstellationDesign, HasTheLevelsOfTheModemInTheSameOrder) {
    for (const phy::Mode& mode : phy::modes()) {
        const phy::Constellation constellation(mode.amplitudes);
        const auto levels = levels_by_bits(amplitudes_of(mode.amplitudes));
        ASSERT_EQ(levels.size(), constellation.levels().size());
        for (std::size_t v = 0; v < levels.size(); ++v) {
            EXPECT_NEAR(levels[v] / levels[0],
                        static_cast<double>(constellation.levels()[v] / constellation.levels()[0]), 1e-5)
                << mode.name << ' ' << v;
        }
    }
}

// An integral over the noise made elsewhere; bits decoded by themselves and max-log LLRs never carry more.
TEST(ConstellationDesign, InformationAgreesWithTheBound) {
    for (const phy::Mode& mode : phy::modes()) {
        const double snr_db = static_cast<double>(mode.required_snr_db);
        const PointInformation i = point_information(levels_by_bits(amplitudes_of(mode.amplitudes)), snr_db);
        EXPECT_NEAR(i.points, phy::constellation_awgn(mode.amplitudes, snr_db).capacity, 1e-4) << mode.name;
        EXPECT_LE(i.bits, i.points + 1e-9) << mode.name;
        EXPECT_LE(i.max_log, i.bits + 1e-9) << mode.name;
    }
}

TEST(ConstellationDesign, DesignedLevelsNeedLessThanEvenOnes) {
    const auto even = levels_by_bits(amplitudes_of(phy::even_amplitudes(6)));
    const auto designed = levels_by_bits(design_amplitudes(3, 13.5));
    const double before = snr_for(even, 4.0, &PointInformation::max_log);
    const double after = snr_for(designed, 4.0, &PointInformation::max_log);
    EXPECT_NEAR(point_information(even, before).max_log, 4.0, 1e-4);
    EXPECT_LT(after, before - 0.2);
}

}  // namespace
}  // namespace meshnet::lab
