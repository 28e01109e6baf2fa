// SPDX-License-Identifier: MIT
#include "lab/interval.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"

namespace meshnet::lab {
namespace {

// Values by hand from Wilson's formula: 10 of 100 and 0 of 100 at 95 %.
TEST(Interval, WilsonMatchesTheFormula) {
    const Interval ten = wilson(10, 100);
    EXPECT_NEAR(ten.low, 0.0552, 5e-5);
    EXPECT_NEAR(ten.high, 0.1744, 5e-5);
    const Interval none = wilson(0, 100);
    EXPECT_EQ(none.low, 0.0);
    EXPECT_NEAR(none.high, 0.0370, 5e-5);
    EXPECT_EQ(wilson(0, 0).high, 1.0);
    EXPECT_EQ(wilson(7, 7).high, 1.0);
    EXPECT_NEAR(wilson(100, 100).low, 1.0 - none.high, 1e-9);
}

TEST(Interval, WilsonCoversTheRateAsOftenAsItsLevel) {
    Rng rng(1);
    int covered = 0;
    constexpr int kTrials = 4000;
    for (int t = 0; t < kTrials; ++t) {
        std::uint64_t hits = 0;
        for (int i = 0; i < 200; ++i) hits += rng.uniform() < 0.03 ? 1 : 0;
        const Interval w = wilson(hits, 200);
        covered += w.low <= 0.03 && 0.03 <= w.high ? 1 : 0;
    }
    EXPECT_GT(covered, 0.92 * kTrials);
    EXPECT_LT(covered, 0.985 * kTrials);
}

TEST(Interval, TailFunctionAndItsInverseAgree) {
    EXPECT_NEAR(q_function(1.6448536), 0.05, 1e-7);
    for (const double p : {1e-6, 1e-3, 0.1, 0.5, 0.9}) EXPECT_NEAR(q_function(q_inverse(p)), p, 1e-9);
}

std::vector<RatePoint> draw(double threshold_db, double slope, std::uint64_t frames, Rng& rng) {
    std::vector<RatePoint> out;
    for (double snr = threshold_db - 0.5; snr < threshold_db + 0.8; snr += 0.2) {
        RatePoint p{snr, frames, 0};
        const double per = q_function(slope * (snr - threshold_db));
        for (std::uint64_t i = 0; i < frames; ++i) p.errors += rng.uniform() < per ? 1 : 0;
        out.push_back(p);
    }
    return out;
}

TEST(Waterfall, FindsTheCurveThatMadeThePoints) {
    Rng rng(2);
    const auto fit = fit_waterfall(draw(-7.0, 3.0, 20'000, rng));
    ASSERT_TRUE(fit.has_value());
    EXPECT_NEAR(fit->b, 3.0, 0.1);
    EXPECT_NEAR(fit->snr_at(0.5), -7.0, 0.01);
    EXPECT_NEAR(fit->snr_at(0.01), -7.0 + 2.3263 / 3.0, 0.02);
    EXPECT_NEAR(fit->per(fit->snr_at(0.2)), 0.2, 1e-9);
}

// The deviation it states is the one that repeated measurements show.
TEST(Waterfall, StatesItsOwnUncertainty) {
    Rng rng(3);
    double sum = 0.0;
    double square = 0.0;
    double stated = 0.0;
    constexpr int kRuns = 400;
    for (int r = 0; r < kRuns; ++r) {
        const auto fit = fit_waterfall(draw(4.0, 4.0, 200, rng));
        ASSERT_TRUE(fit.has_value());
        const double at = fit->snr_at(0.1);
        sum += at;
        square += at * at;
        stated += fit->snr_deviation(0.1);
    }
    const double mean = sum / kRuns;
    const double seen = std::sqrt(square / kRuns - mean * mean);
    EXPECT_NEAR(mean, 4.0 + 1.28155 / 4.0, 0.01);
    EXPECT_NEAR(stated / kRuns / seen, 1.0, 0.15);
}

TEST(Waterfall, RefusesPointsThatSayNothing) {
    EXPECT_FALSE(fit_waterfall({}).has_value());
    EXPECT_FALSE(fit_waterfall(std::vector<RatePoint>{{1.0, 100, 100}, {2.0, 100, 0}}).has_value());
    EXPECT_FALSE(fit_waterfall(std::vector<RatePoint>{{1.0, 100, 20}}).has_value());
    EXPECT_FALSE(fit_waterfall(std::vector<RatePoint>{{1.0, 100, 10}, {2.0, 100, 60}, {3.0, 100, 95}}).has_value());
}

}  // namespace
}  // namespace meshnet::lab
