// SPDX-License-Identifier: MIT
#include "phy/estimation/phase_tracker.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace meshnet::phy
