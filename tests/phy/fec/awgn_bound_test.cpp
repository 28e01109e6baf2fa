// SPDX-License-Identifier: MIT
#include "phy/fec/awgn_bound.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace meshnet::phy {
namespace {

// Capacities of BPSK: the rate-1/2 limit Eb/N0 = 0.187 dB (Es/N0 = -2.823 dB in two-dimensional noise of which BPSK
// sees half) and rate 1/3, Eb/N0 = -0.497 dB: D. J. Costello, G. D. Forney, "Channel coding: the road to channel
// capacity", Proc. IEEE 95 (2007); rate 3/4 1.626 dB: S. Lin, D. J. Costello, "Error Control Coding" (2004), ch. 1.
TEST(AwgnBound, BpskCapacityLimits) {
    const auto rate_at = [](double ebn0_db, double rate) {
        return constellation_awgn(1, ebn0_db + 10.0 * std::log10(rate)).capacity;
    };
    EXPECT_NEAR(rate_at(0.187, 0.5), 0.5, 5e-4);
    EXPECT_NEAR(rate_at(-0.497, 1.0 / 3.0), 1.0 / 3.0, 5e-4);
    EXPECT_NEAR(rate_at(1.626, 0.75), 0.75, 5e-4);
}

TEST(AwgnBound, SmallAndLargeSnrLimits) {
    for (const unsigned bits : {1U, 2U, 4U, 6U, 8U, 10U}) {
        // C -> snr log2(e) and V -> 2 snr log2(e)^2 for any constellation of mean zero (BPSK: real, twice the SNR in
        // half the channel).
        const double snr = std::pow(10.0, -3.0);
        const ChannelUse low = constellation_awgn(bits, -30.0);
        EXPECT_NEAR(low.capacity / (snr * std::log2(std::exp(1.0))), 1.0, 2e-3) << bits;
        EXPECT_NEAR(low.dispersion / (2.0 * snr * std::pow(std::log2(std::exp(1.0)), 2.0)), 1.0, 1e-2) << bits;
        const ChannelUse high = constellation_awgn(bits, 45.0);
        EXPECT_NEAR(high.capacity, bits, 1e-6);
        EXPECT_NEAR(high.dispersion, 0.0, 1e-6);
    }
}

// The table of docs: 8000 information bits at block error rate 1e-2, published to 0.1 dB.
TEST(AwgnBound, RequiredSnrOfTheDesignTable) {
    const auto at = [](unsigned bits, double rate) { return required_snr_db(bits, 8000, 8000.0 / rate / bits, 1e-2); };
    EXPECT_NEAR(at(2, 1.0 / 5.0), -4.7, 0.1);
    EXPECT_NEAR(at(2, 1.0 / 3.0), -2.1, 0.1);
    EXPECT_NEAR(at(2, 1.0 / 2.0), 0.4, 0.1);
    EXPECT_NEAR(at(2, 3.0 / 4.0), 3.6, 0.1);
    EXPECT_NEAR(at(4, 1.0 / 2.0), 5.3, 0.1);
    EXPECT_NEAR(at(6, 3.0 / 4.0), 14.6, 0.1);
    EXPECT_NEAR(at(8, 5.0 / 6.0), 21.6, 0.1);
}

TEST(AwgnBound, LongerBlocksAndLooserTargetsNeedLess) {
    EXPECT_LT(required_snr_db(2, 8000, 8000, 1e-2), required_snr_db(2, 1000, 1000, 1e-2));
    EXPECT_LT(required_snr_db(2, 1000, 1000, 1e-1), required_snr_db(2, 1000, 1000, 1e-3));
    const double snr = required_snr_db(2, 1000, 1000, 1e-3);
    EXPECT_NEAR(normal_approximation_bler(2, 1000, 1000, snr), 1e-3, 2e-5);
}

TEST(AwgnBoundDeathTest, RefusesWhatCannotBeSent) {
    EXPECT_DEATH((void)required_snr_db(2, 1000, 500, 1e-2), "");
    EXPECT_DEATH((void)required_snr_db(2, 1000, 1000, 0.5), "");
    EXPECT_DEATH((void)constellation_awgn(3, 0.0), "");
}

TEST(AwgnBound, LevelsInAnyUnitAreTheSameAsBits) {
    const std::array<std::uint16_t, 4> levels{10, 30, 50, 70};
    for (const double snr : {5.0, 15.0}) {
        EXPECT_NEAR(constellation_awgn(levels, snr).capacity, constellation_awgn(6, snr).capacity, 1e-9);
        EXPECT_NEAR(constellation_awgn(levels, snr).dispersion, constellation_awgn(6, snr).dispersion, 1e-9);
    }
    EXPECT_NEAR(required_snr_db(levels, 8000, 2000.0, 1e-2), required_snr_db(6, 8000, 2000.0, 1e-2), 1e-3);
}

TEST(AwgnBound, GaussianPointsNeedLeast) {
    EXPECT_NEAR(gaussian_awgn(0.0).capacity, 1.0, 1e-12);
    // Points and Gaussian points are the same at low SNR: C -> snr log2(e), V -> 2 snr log2(e)^2.
    EXPECT_NEAR(gaussian_awgn(-30.0).dispersion / constellation_awgn(2, -30.0).dispersion, 1.0, 0.01);
    for (const unsigned bits : {2U, 4U, 6U, 8U}) {
        const double uses = 8000.0 / (0.75 * bits);
        EXPECT_LT(gaussian_required_snr_db(8000, uses, 1e-2), required_snr_db(bits, 8000, uses, 1e-2));
    }
}

}  // namespace
}  // namespace meshnet::phy
