// SPDX-License-Identifier: MIT
#include "phy/demodulation/symbol_tracker.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

const Profile& one_megahertz() {
    return *find_profile("1M");
}

// A flat channel whose phase and delay are straight lines over the symbols.
struct Lines {
    double phase = 0.0;       // radians at symbol 0
    double cfo = 0.0;         // radians per symbol
    double delay = 0.0;       // samples at symbol 0
    double delay_rate = 0.0;  // samples per symbol

    [[nodiscard]] double phase_at(std::size_t s) const { return phase + cfo * static_cast<double>(s); }
    [[nodiscard]] double delay_at(std::size_t s) const { return delay + delay_rate * static_cast<double>(s); }
};

// Pilots of symbol `s` as a receiver sees them whose window has been moved by `shift` samples.
std::vector<Sample> receive(const Grid& grid, const Lines& lines, std::size_t s, int shift, double noise, Rng& rng) {
    std::vector<Sample> carriers(grid.carriers());
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid.profile().fft_size);
    for (const std::uint16_t c : grid.pilots(s, false)) {
        const double angle = lines.phase_at(s) - per_carrier * grid.subcarrier(c) * (lines.delay_at(s) - shift);
        const auto value = std::polar(1.0, angle) + std::complex<double>(noise * rng.normal(), noise * rng.normal());
        carriers[c] = Sample(value) * grid.pilot(s, c);
    }
    return carriers;
}

TrainingEstimator::Estimate training(double noise_power) {
    TrainingEstimator::Estimate out;
    out.noise = static_cast<float>(noise_power);
    out.signal = 1.0F;
    out.drift_variance = 1e-4;
    out.phase_variance = 1e-3;
    return out;
}

struct Tracked {
    SymbolTracker tracker;
    double last_error = 0.0;
};

Tracked track(const Grid& grid, const Lines& lines, std::size_t symbols, double noise) {
    Tracked out{SymbolTracker(grid, symbols)};
    const std::vector<Sample> reference(grid.carriers(), Sample(1.0F, 0.0F));
    const std::vector<float> power(grid.carriers(), 1.0F);
    Rng rng(5);
    out.tracker.reset();
    out.tracker.start(training(2.0 * noise * noise), 4, false);
    for (std::size_t s = 0; s < symbols; ++s) {
        const auto carriers = receive(grid, lines, s, out.tracker.next_shift(), noise, rng);
        out.last_error = out.tracker.add(carriers, s, reference, power);
    }
    return out;
}

TEST(SymbolTracker, FollowsAPhaseRamp) {
    const Grid grid(one_megahertz());
    const Lines lines{0.05, 0.012, 0.0, 0.0};
    auto tracked = track(grid, lines, 100, 0.01);
    auto& tracker = tracked.tracker;
    ASSERT_EQ(tracker.size(), 100U);
    EXPECT_NEAR(tracker.cfo(), lines.cfo, 5e-4);
    EXPECT_NEAR(tracker.filtered_phase(99), lines.phase_at(99), 0.01);
    EXPECT_EQ(tracker.next_shift(), 0);
    EXPECT_LT(tracked.last_error, 0.1);
    tracker.smooth();
    for (std::size_t r = 0; r < tracker.size(); ++r) {
        EXPECT_NEAR(tracker.phase(r), lines.phase_at(r), 0.02) << r;
    }
}

TEST(SymbolTracker, SmoothingIsNearerThanTheForwardFilter) {
    const Grid grid(one_megahertz());
    const Lines lines{0.02, 0.004, 0.0, 0.0};
    auto tracker = track(grid, lines, 400, 0.2).tracker;
    tracker.smooth();
    double filtered = 0.0;
    double smoothed = 0.0;
    for (std::size_t r = 0; r < tracker.size(); ++r) {
        filtered += std::pow(tracker.filtered_phase(r) - lines.phase_at(r), 2.0);
        smoothed += std::pow(tracker.phase(r) - lines.phase_at(r), 2.0);
    }
    EXPECT_LT(smoothed, 0.7 * filtered);
}

// A clock error of 60 ppm moves a symbol by 0.008 samples: the window follows in whole samples, the rest is tracked.
TEST(SymbolTracker, MovesTheWindowWithTheClock) {
    const Grid grid(one_megahertz());
    const Lines lines{0.0, 0.0, 0.1, 60e-6 * static_cast<double>(one_megahertz().symbol_samples())};
    auto tracker = track(grid, lines, 300, 0.01).tracker;
    EXPECT_NEAR(tracker.time_drift(), lines.delay_rate, 2e-4);
    EXPECT_EQ(tracker.shift(0), 0);
    EXPECT_GE(tracker.next_shift(), 2);
    tracker.smooth();
    for (std::size_t r = 20; r < tracker.size(); ++r) {
        EXPECT_NEAR(tracker.time(r) + tracker.shift(r), lines.delay_at(r), 0.05) << r;
        EXPECT_LE(std::abs(tracker.filtered_time(r)), 1.0) << r;
    }
}

TEST(SymbolTracker, DropsRowsAndTakesAPhaseLine) {
    const Grid grid(one_megahertz());
    const Lines lines{0.05, 0.01, 0.0, 0.0};
    auto tracker = track(grid, lines, 40, 0.01).tracker;
    const double before = tracker.filtered_phase(30);
    tracker.drop(26);
    EXPECT_EQ(tracker.size(), 14U);
    EXPECT_EQ(tracker.filtered_phase(4), before);
    tracker.smooth();
    tracker.set_phase_line(0.25, 26);
    EXPECT_EQ(tracker.phase(0), 0.25 * 26);
    EXPECT_EQ(tracker.phase(13), 0.25 * 39);
}

}  // namespace
}  // namespace meshnet::phy
