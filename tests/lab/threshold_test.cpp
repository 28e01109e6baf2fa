// SPDX-License-Identifier: MIT
#include "lab/threshold_search.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"

namespace meshnet::lab {
namespace {

/// A modem that loses frames with probability Q(slope (snr - half)).
Measure modem(double half_db, double slope, std::uint64_t& frames_spent) {
    return [=, &frames_spent](double snr, std::uint64_t frames, std::uint64_t min_errors) {
        Rng rng(static_cast<std::uint64_t>(std::lround(snr * 1000.0 + 1e6)));
        const double per = q_function(slope * (snr - half_db));
        Tally t;
        while (t.frames < frames && (min_errors == 0 || t.errors < min_errors)) {
            ++t.frames;
            t.errors += rng.uniform() < per ? 1 : 0;
        }
        frames_spent += t.frames;
        return t;
    };
}

TEST(Threshold, IsFoundFromAnywhere) {
    for (const double start : {-10.0, 2.9, 20.0}) {
        std::uint64_t spent = 0;
        SearchPlan plan;
        plan.start_snr_db = start;
        plan.frames = 4000;
        const Threshold t = find_threshold(plan, modem(3.0, 3.0, spent));
        ASSERT_TRUE(t.fit.has_value()) << start;
        const double expected = 3.0 + 2.3263 / 3.0;
        EXPECT_NEAR(t.snr_db, expected, 0.1) << start;
        EXPECT_NEAR(t.snr_db, expected, 4.0 * t.deviation_db);
        EXPECT_LT(spent, 25'000U);
    }
}

TEST(Threshold, MoreFramesAreASmallerInterval) {
    std::uint64_t spent = 0;
    SearchPlan plan;
    plan.min_errors = 0;
    plan.frames = 500;
    const Threshold few = find_threshold(plan, modem(0.0, 4.0, spent));
    plan.frames = 8000;
    const Threshold many = find_threshold(plan, modem(0.0, 4.0, spent));
    ASSERT_TRUE(few.fit && many.fit);
    EXPECT_NEAR(few.deviation_db / many.deviation_db, 4.0, 1.5);
}

TEST(Threshold, SaysSoWhenThereIsNone) {
    SearchPlan plan;
    plan.frames = 100;
    const auto no_reception = [](double, std::uint64_t frames, std::uint64_t) {
        Tally t;
        t.frames = t.errors = frames;
        return t;
    };
    EXPECT_FALSE(find_threshold(plan, no_reception).fit.has_value());
    // A floor above the target: half is crossed, the target never.
    const auto floor = [](double snr, std::uint64_t frames, std::uint64_t) {
        Tally t;
        t.frames = frames;
        t.errors = snr < 1.0 ? frames : frames / 5;
        return t;
    };
    EXPECT_FALSE(find_threshold(plan, floor).fit.has_value());
}

}  // namespace
}  // namespace meshnet::lab
