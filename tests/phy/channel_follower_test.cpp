// SPDX-License-Identifier: MIT
#include "phy/demodulation/channel_follower.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

constexpr std::size_t kSymbols = 5 * Grid::kPilotPeriod;
constexpr std::size_t kTraining = 4;
constexpr double kNoise = 0.01;  // power per carrier

// Tracker, follower and buffer of one frame, fed with pilots of a channel of two taps, the second one rotating.
class Frame {
public:
    explicit Frame(double doppler)  // radians per symbol, of the second tap
        : doppler_(doppler),
          shared_(*find_profile("1M")),
          buffer_(shared_.grid.carriers(), kSymbols),
          tracker_(shared_.grid, kSymbols),
          follower_(shared_, kSymbols) {
        TrainingEstimator::Estimate training;
        training.noise = static_cast<float>(kNoise);
        training.signal = 1.0F;
        training.channel_error = static_cast<float>(kNoise / 10.0);
        training.drift_variance = 1e-6;
        training.phase_variance = 1e-4;
        tracker_.reset();
        follower_.reset();
        follower_.set_required_snr_db(20.0);  // so that noise() is not limited from below
        tracker_.start(training, kTraining, false);
        follower_.start(training, response(-2.5), kTraining, false);
    }

    /// The channel at a symbol.
    [[nodiscard]] std::vector<Sample> response(double symbol) const {
        std::vector<Sample> h(shared_.grid.carriers());
        const double n = static_cast<double>(shared_.grid.profile().fft_size);
        for (std::size_t c = 0; c < h.size(); ++c) {
            const double slope = -2.0 * std::numbers::pi * shared_.grid.subcarrier(c) * 3.0 / n;
            h[c] = Sample(std::complex<double>(0.8) + std::polar(0.6, slope + doppler_ * symbol));
        }
        return h;
    }

    /// Receives all symbols; from `interferer` on with noise of `power` more.
    void receive(std::size_t interferer = kSymbols, double power = 0.0) {
        Rng rng(3);
        for (std::size_t s = 0; s < kSymbols; ++s) {
            const double deviation = std::sqrt(0.5 * (kNoise + (s >= interferer ? power : 0.0)));
            const auto h = response(static_cast<double>(s));
            const auto row = buffer_.push();
            for (std::size_t c = 0; c < row.size(); ++c) {
                const std::complex<double> noise(deviation * rng.normal(), deviation * rng.normal());
                row[c] = h[c] * shared_.grid.pilot(s, c) + Sample(noise);
            }
            const double error = tracker_.add(row, s, follower_.reference(), follower_.reference_power());
            follower_.add(buffer_, tracker_, error);
        }
        follower_.estimate(buffer_, tracker_, kSymbols);
    }

    /// Mean squared error of the response, phase and time of the tracker put back.
    [[nodiscard]] double error(std::size_t row) {
        std::vector<Sample> estimate(shared_.grid.carriers());
        follower_.response(row, estimate);
        const auto h = response(static_cast<double>(row));
        const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(shared_.grid.profile().fft_size);
        double sum = 0.0;
        for (std::size_t c = 0; c < h.size(); ++c) {
            const double angle = tracker_.phase(row) - per_carrier * shared_.grid.subcarrier(c) * tracker_.time(row);
            sum += static_cast<double>(std::norm(estimate[c] * Sample(std::polar(1.0, angle)) - h[c]));
        }
        return sum / static_cast<double>(h.size());
    }

    ChannelFollower& follower() { return follower_; }

private:
    double doppler_;
    DemodulatorShared shared_;
    SymbolBuffer buffer_;
    SymbolTracker tracker_;
    ChannelFollower follower_;
};

TEST(ChannelFollower, StaticChannelIsAveraged) {
    Frame frame(0.0);
    frame.receive();
    EXPECT_FALSE(frame.follower().time_varying());
    for (std::size_t r = 0; r < kSymbols; r += 8) {
        EXPECT_LT(frame.error(r), 0.5 * kNoise) << r;
        EXPECT_NEAR(static_cast<double>(frame.follower().noise(r)), kNoise, 0.6 * kNoise) << r;
    }
    EXPECT_LT(static_cast<double>(frame.follower().residual_interference()), 2.5 * kNoise);
}

TEST(ChannelFollower, TimeVaryingChannelIsFitted) {
    Frame frame(0.08);
    frame.receive();
    EXPECT_TRUE(frame.follower().time_varying());
    for (std::size_t r = 0; r < kSymbols; r += 8) {
        EXPECT_LT(frame.error(r), kNoise) << r;
    }
}

TEST(ChannelFollower, InterferenceRaisesTheNoiseOfItsGroups) {
    Frame frame(0.0);
    const std::size_t from = 3 * Grid::kPilotPeriod;
    frame.receive(from, 20.0 * kNoise);
    EXPECT_LT(static_cast<double>(frame.follower().noise(0)), 2.0 * kNoise);
    EXPECT_GT(static_cast<double>(frame.follower().noise(kSymbols - 1)), 10.0 * kNoise);
    EXPECT_GT(static_cast<double>(frame.follower().residual_interference()), 10.0 * kNoise);
}

}  // namespace
}  // namespace meshnet::phy
