// SPDX-License-Identifier: MIT
// The transmit guard judges a burst at the profile's rate; the driver's resampler and shift follow. What they may not
// do is make the judgement wrong: nothing new beside the band, no more power (docs/decisions/0013).
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <string>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/sdr_stream.hpp"

namespace meshnet::station {
namespace {

constexpr std::size_t kSize = 8192;

/// Mean power density over bins of rate / kSize, from -rate / 2 on. Blackman-Harris window: side lobes 92 dB down.
std::vector<double> density(const std::vector<phy::Sample>& samples) {
    phy::Fft fft(kSize, phy::Fft::Direction::kForward);
    std::vector<double> out(kSize);
    for (std::size_t at = 0; at + kSize <= samples.size(); at += kSize / 4) {
        for (std::size_t i = 0; i < kSize; ++i) {
            const double x = 2.0 * std::numbers::pi * static_cast<double>(i) / kSize;
            const double w = 0.35875 - 0.48829 * std::cos(x) + 0.14128 * std::cos(2 * x) - 0.01168 * std::cos(3 * x);
            fft.in()[i] = static_cast<float>(w) * samples[at + i];
        }
        fft.run();
        for (std::size_t i = 0; i < kSize; ++i) {
            out[(i + kSize / 2) % kSize] += static_cast<double>(std::norm(fft.out()[i]));
        }
    }
    return out;
}

double energy(const std::vector<phy::Sample>& samples) {
    double sum = 0.0;
    for (const phy::Sample& s : samples) {
        sum += static_cast<double>(std::norm(s));
    }
    return sum;
}

float peak(const std::vector<phy::Sample>& samples) {
    float out = 0.0F;
    for (const phy::Sample& s : samples) {
        out = std::max(out, std::abs(s));
    }
    return out;
}

double db(double ratio) {
    return 10.0 * std::log10(ratio);
}

struct Case {
    const char* profile;
    double device_hz;
    double shift;  // of the profile's rate
};
class ResampledEmission : public ::testing::TestWithParam<Case> {};

TEST_P(ResampledEmission, AddsNothingBesideTheBandAndNoPower) {
    const Case& c = GetParam();
    const phy::Profile& profile = *phy::find_profile(c.profile);
    const double rate = profile.sample_rate_hz;
    const double shift = c.shift * rate;
    auto shaper = BurstShaper::create({c.device_hz, rate, shift, 0.0, 200e-6, 1});
    ASSERT_TRUE(shaper.ok());
    phy::Transmitter transmitter(profile);
    std::vector<phy::Sample> burst;
    transmitter.modulate(*phy::find_mode("64qam-2/3"), Bytes(12'000, 0xA7), burst);
    const auto shaped = shaper->shape(burst).samples;

    const auto spectrum = density(shaped);
    double inside = 0.0, outside = 0.0, highest_inside = 0.0, highest_outside = 0.0;
    for (std::size_t i = 0; i < kSize; ++i) {
        const double f = (static_cast<double>(i) / kSize - 0.5) * c.device_hz - shift;
        const bool in = std::abs(f) <= 0.5 * rate;
        (in ? inside : outside) += spectrum[i];
        double& highest = in ? highest_inside : highest_outside;
        highest = std::max(highest, spectrum[i]);
    }
    const double power_db = db(energy(shaped) / c.device_hz / (energy(burst) / rate));
    const double peak_db = 2.0 * db(static_cast<double>(peak(shaped)) / static_cast<double>(peak(burst)));
    std::printf(
        "%s at %g samples/s: beside the profile's rate %.1f dB, densest %.1f dB; power %+.3f dB, peak %+.2f dB\n",
        c.profile, c.device_hz, db(outside / inside), db(highest_outside / highest_inside), power_db, peak_db);
    EXPECT_LT(db(outside / inside), -50.0);
    EXPECT_LT(db(highest_outside / highest_inside), -50.0);
    EXPECT_NEAR(power_db, 0.0, 0.05);
    EXPECT_LT(peak_db, 1.0);
}

INSTANTIATE_TEST_SUITE_P(All, ResampledEmission,
                         ::testing::Values(Case{"125k", 2e6, 0.0}, Case{"250k", 1e6, 0.75}, Case{"500k", 1.92e6, 0.75},
                                           Case{"1M", 2e6, 0.0}, Case{"1M", 4e6, 0.75}, Case{"1M", 8e6, 0.75},
                                           Case{"1M", 1.4e6, 0.0}, Case{"2M", 8e6, 0.75}, Case{"5M", 6.25e6, 0.0},
                                           Case{"20M", 40e6, 0.0}),
                         [](const auto& tested) {
                             return std::string(tested.param.profile) + "At" +
                                    std::to_string(static_cast<long>(tested.param.device_hz / 1e3)) + "k";
                         });

}  // namespace
}  // namespace meshnet::station
