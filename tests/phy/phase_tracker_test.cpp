// SPDX-License-Identifier: MIT
#include "phy/estimation/phase_tracker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

TEST(DriftFilter, FollowsARampAndLookingBackHelps) {
    Rng rng(4);
    DriftFilter filter({1e-8, 1e-10});
    filter.start({0.0, 0.0, 0.5, 0.0, 0.01});
    const double drift = 0.03;
    std::vector<DriftFilter::State> states;
    constexpr int kSteps = 200;
    for (int i = 0; i < kSteps; ++i) {
        filter.predict();
        const double measured = 0.3 + drift * i + 0.3 * rng.normal();
        filter.update(measured - filter.state().value, 0.09);
        states.push_back(filter.state());
    }
    double filtered = 0.0;
    for (int i = 0; i < kSteps; ++i) {
        filtered += std::pow(states[static_cast<std::size_t>(i)].value - (0.3 + drift * i), 2);
    }
    filter.smooth(states);
    double smoothed = 0.0;
    for (int i = 0; i < kSteps; ++i) {
        smoothed += std::pow(states[static_cast<std::size_t>(i)].value - (0.3 + drift * i), 2);
    }
    EXPECT_NEAR(filter.state().drift, drift, 5e-4);
    // A line fitted to 200 values of variance 0.09 has a mean squared error of 2 * 0.09 / 200.
    EXPECT_LT(smoothed / kSteps, 4.0 * 2.0 * 0.09 / kSteps);
    EXPECT_LT(smoothed, 0.5 * filtered);
}

TEST(DriftFilter, SaysHowSureItIs) {
    DriftFilter filter({0.0, 0.0});
    filter.start({0.0, 0.0, 1.0, 0.0, 0.0});
    for (int i = 0; i < 9; ++i) {
        filter.predict();
        filter.update(0.0, 1.0);
    }
    EXPECT_NEAR(filter.state().vv, 0.1, 1e-9) << "ten equal sources of information";
}

// A drift that grows: forwards without a lag, and smoothed, without step noise, the parabola that least squares give.
TEST(DriftFilter, FollowsADriftThatGrows) {
    constexpr int kSteps = 120;
    constexpr double kDeviation = 0.3;
    const double drift = -0.02;
    const double rate = 4e-4;
    Rng rng(6);
    DriftFilter filter({0.0, 0.0, 0.0});
    DriftFilter::State wide;
    wide.vv = 1e4;
    wide.dd = 1e2;
    wide.rr = 1.0;
    filter.start(wide);
    std::vector<DriftFilter::State> states;
    double sums[5] = {};     // of t^n
    double moments[3] = {};  // of t^n times the measurement
    for (int i = 0; i < kSteps; ++i) {
        const double t = i + 1.0;
        const double measured = 0.4 + drift * t + 0.5 * rate * t * t + kDeviation * rng.normal();
        filter.predict();
        filter.update(measured - filter.state().value, kDeviation * kDeviation);
        states.push_back(filter.state());
        for (int n = 0; n < 5; ++n) {
            sums[n] += std::pow(t, n);
        }
        for (int n = 0; n < 3; ++n) {
            moments[n] += std::pow(t, n) * measured;
        }
    }
    EXPECT_NEAR(filter.state().rate, rate, 6.0 * std::sqrt(filter.state().rr));
    EXPECT_NEAR(filter.state().value, 0.4 + drift * kSteps + 0.5 * rate * kSteps * kSteps,
                5.0 * std::sqrt(filter.state().vv));
    filter.smooth(states);
    // Cramer's rule for a + b t + c t^2.
    const auto determinant = [](const double(&m)[3][3]) {
        return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0]) +
               m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
    };
    double fit[3];
    double all[3][3];
    for (int column = -1; column < 3; ++column) {
        double m[3][3];
        for (int r = 0; r < 3; ++r) {
            for (int c = 0; c < 3; ++c) {
                m[r][c] = c == column ? moments[r] : sums[r + c];
            }
        }
        if (column < 0) {
            std::copy(&m[0][0], &m[0][0] + 9, &all[0][0]);
        } else {
            fit[column] = determinant(m) / determinant(all);
        }
    }
    for (int i = 0; i < kSteps; ++i) {
        const double t = i + 1.0;
        EXPECT_NEAR(states[static_cast<std::size_t>(i)].value, fit[0] + fit[1] * t + fit[2] * t * t, 2e-3) << i;
        EXPECT_NEAR(states[static_cast<std::size_t>(i)].rate, 2.0 * fit[2], 2e-5) << i;
    }
}

// Without variance the rate stays what it is, and the other two are those of a filter that has none.
TEST(DriftFilter, ARateThatIsKnownStays) {
    DriftFilter filter({1e-4, 1e-6});
    DriftFilter::State state{0.1, 0.02, 0.5, 0.0, 0.01};
    state.rate = 0.003;
    filter.start(state);
    DriftFilter::State moved = state;
    for (int i = 0; i < 50; ++i) {
        filter.predict();
        moved = DriftFilter::moved(moved, 1.0);
        filter.update(0.0, 0.1);
    }
    EXPECT_EQ(filter.state().rate, 0.003);
    EXPECT_NEAR(filter.state().drift, 0.02 + 50 * 0.003, 1e-12);
    const auto once = DriftFilter::moved(state, 50.0);
    EXPECT_NEAR(once.value, moved.value, 1e-9);
    EXPECT_NEAR(once.vv, moved.vv, 1e-9 * moved.vv);
    EXPECT_NEAR(once.vd, moved.vd, 1e-9 * moved.vd);
}

}  // namespace
}  // namespace meshnet::phy
