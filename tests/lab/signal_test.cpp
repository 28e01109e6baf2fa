// SPDX-License-Identifier: MIT
#include "lab/signal_stats.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lab/ideal_csi.hpp"
#include "phy/fec/awgn_bound.hpp"

namespace meshnet::lab {
namespace {

const phy::Profile& profile() {
    return *phy::find_profile("1M");
}

TEST(Peaks, AreThoseOfManyCarriers) {
    const auto peaks = symbol_peaks_db(profile(), *phy::find_mode("256qam-5/6"), 3000, 1);
    ASSERT_GE(peaks.size(), 3000U);
    EXPECT_TRUE(std::is_sorted(peaks.begin(), peaks.end()));
    // 104 carriers of independent points: a symbol's peak is 4 .. 13 dB over the mean, never more than K.
    EXPECT_GT(peaks.front(), 3.0);
    EXPECT_LT(peaks.back(), 10.0 * std::log10(104.0 * 3.0));
    EXPECT_GT(value_exceeded(peaks, 1e-3), value_exceeded(peaks, 0.5));
}

TEST(Peaks, ValueExceededCountsFromAbove) {
    const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    EXPECT_EQ(value_exceeded(values, 0.0), 10.0);
    EXPECT_EQ(value_exceeded(values, 0.2), 8.0);
    EXPECT_EQ(value_exceeded(values, 1.0), 1.0);
    EXPECT_EQ(value_exceeded({}, 0.5), 0.0);
}

TEST(SpectrumOf, IsFlatInsideAndLowOutside) {
    const Spectrum s = spectrum_of(profile(), *phy::find_mode("16qam-1/2"), 100'000, 1);
    ASSERT_EQ(s.frequency_hz.size(), s.density_db.size());
    EXPECT_LT(s.outside_db, -15.0);
    EXPECT_LT(s.edge_db, -10.0);
    const double occupied = profile().occupied_bandwidth_hz();
    for (std::size_t i = 0; i < s.frequency_hz.size(); ++i) {
        const double f = std::abs(s.frequency_hz[i]);
        if (f > 0.03 * occupied && f < 0.45 * occupied) {
            EXPECT_NEAR(s.density_db[i], 0.0, 3.0) << f;
        } else if (f > 1.0 * occupied) {
            EXPECT_LT(s.density_db[i], -40.0) << f;
        }
    }
}

TEST(Efficiency, IsBelowTheModesOwnAndGrowsWithTheBurst) {
    const auto mode = *phy::find_mode("256qam-5/6");
    const double one = efficiency(profile(), mode, 1000);
    const double burst = efficiency(profile(), mode, 24'000);
    EXPECT_LT(one, burst);
    EXPECT_LT(burst, phy::modes()[mode].efficiency());
    EXPECT_GT(burst, 0.7 * phy::modes()[mode].efficiency());
}

TEST(IdealCsi, InformationGoesBothWays) {
    const InformationCurve curve(phy::even_amplitudes(4));
    EXPECT_NEAR(curve.information(10.0), phy::constellation_awgn(4, 10.0).capacity, 1e-3);
    for (const double snr : {-20.0, 0.0, 7.3, 15.0}) {
        EXPECT_NEAR(curve.snr_db(curve.information(snr)), snr, 0.01);
    }
    EXPECT_NEAR(effective_snr_db({1.0F, 1.0F}, 5.0, curve), 5.0, 0.01);
    // Half of the carriers gone: less than the mean.
    EXPECT_LT(effective_snr_db({2.0F, 0.0F}, 5.0, curve), 4.0);
}

// Two steady rays: |1 + g e^{j(p - 2 pi f d)}|^2, whatever the filter between them does.
TEST(IdealCsi, GainsAreThoseOfTheChannel) {
    Scenario s;
    s.profile = &profile();
    s.mode = *phy::find_mode("qpsk-1/2");
    s.channel = "two-ray-1us-6db";
    const auto gains = channel_gains(s, 0);
    ASSERT_EQ(gains.size(), profile().carriers);
    const double g = std::pow(10.0, -6.0 / 20.0);
    for (std::size_t c = 0; c < gains.size(); ++c) {
        const int k = static_cast<int>(c) - 52 + (c < 52 ? 0 : 1);
        const double angle = M_PI - 2.0 * M_PI * k * profile().subcarrier_spacing_hz() * 1e-6;
        const double expected = 1.0 + g * g + 2.0 * g * std::cos(angle);
        EXPECT_NEAR(static_cast<double>(gains[c]), expected, 0.03) << c;
    }
    s.channel = "awgn";
    EXPECT_EQ(channel_gains(s, 0), std::vector<float>{1.0F});
}

TEST(IdealCsi, FadingHasUnitMeanPowerAndDiffersByFrame) {
    Scenario s;
    s.profile = &profile();
    s.mode = *phy::find_mode("qpsk-1/2");
    s.payload_bytes = 300;
    s.channel = "tdl-c-1us-50hz";
    double sum = 0.0;
    std::size_t count = 0;
    for (std::uint64_t f = 0; f < 150; ++f) {
        for (const float g : channel_gains(s, f)) {
            sum += static_cast<double>(g);
            ++count;
        }
    }
    EXPECT_NEAR(sum / static_cast<double>(count), 1.0, 0.15);
    EXPECT_NE(channel_gains(s, 0), channel_gains(s, 1));
    EXPECT_EQ(channel_gains(s, 5), channel_gains(s, 5));
}

}  // namespace
}  // namespace meshnet::lab
