// SPDX-License-Identifier: MIT
// Foreign signals: level and spectrum.
#include "sim/channel/interferers.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "sim/channel/channel.hpp"

namespace meshnet::sim {
namespace {

using phy::Sample;

constexpr std::size_t kBins = 512;

/// Power density in bins of 1/512 of the sample rate from -0.5 on, Hann windows side by side: sums to the mean power.
std::vector<double> spectrum(const std::vector<Sample>& samples) {
    std::vector<double> out(kBins);
    const std::size_t segments = samples.size() / kBins;
    for (std::size_t s = 0; s < segments; ++s) {
        for (std::size_t k = 0; k < kBins; ++k) {
            std::complex<double> sum{};
            const double turns = (static_cast<double>(k) - kBins / 2.0) / kBins;
            for (std::size_t n = 0; n < kBins; ++n) {
                const double window = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * (n + 0.5) / kBins);
                sum += window * std::complex<double>(samples[s * kBins + n]) *
                       std::polar(1.0, -2.0 * std::numbers::pi * turns * static_cast<double>(n));
            }
            out[k] += std::norm(sum) / (0.375 * kBins * kBins * static_cast<double>(segments));
        }
    }
    return out;
}

/// What of it lies within [low, high] of the sample rate.
double between(const std::vector<double>& density, double low, double high) {
    double sum = 0.0;
    for (std::size_t k = 0; k < kBins; ++k) {
        const double turns = (static_cast<double>(k) - kBins / 2.0) / kBins;
        sum += turns >= low && turns <= high ? density[k] : 0.0;
    }
    return sum;
}

TEST(FskInterferer, HasItsPowerInItsBand) {
    FskInterferer fsk({0.5, 0.125, 0.003, 104.17}, 3);
    std::vector<Sample> samples(20 * kBins);
    fsk.add(samples);
    const auto density = spectrum(samples);
    EXPECT_NEAR(between(density, -0.5, 0.5), 0.25, 0.01);
    EXPECT_GT(between(density, 0.115, 0.135), 0.95 * 0.25);
    EXPECT_LT(between(density, -0.5, 0.0), 1e-5);  // its phase is continuous: no skirts
    EXPECT_GT(between(density, 0.1255, 0.135), 0.05 * 0.25);
    EXPECT_GT(between(density, 0.115, 0.1245), 0.05 * 0.25);
}

TEST(ChirpInterferer, SweepsItsBandEvenly) {
    ChirpInterferer chirp({0.5, -0.2, 0.125, 1024.0, 128}, 3);
    std::vector<Sample> samples(60 * kBins);
    chirp.add(samples);
    const auto density = spectrum(samples);
    EXPECT_NEAR(between(density, -0.5, 0.5), 0.25, 0.01);
    EXPECT_GT(between(density, -0.2625 - 0.004, -0.1375 + 0.004), 0.97 * 0.25);
    for (int quarter = 0; quarter < 4; ++quarter) {
        const double low = -0.2625 + quarter * 0.125 / 4.0;
        EXPECT_NEAR(between(density, low, low + 0.125 / 4.0), 0.0625, 0.02);
    }
}

TEST(PulseInterferer, IsOnForItsShareOfTheTime) {
    PulseInterferer pulses({2.0, 50.0, 1000.0}, 3);
    std::vector<Sample> samples(200'000);
    pulses.add(samples);
    std::size_t on = 0;
    double power = 0.0;
    for (const Sample& s : samples) {
        on += s != Sample{} ? 1 : 0;
        power += static_cast<double>(std::norm(s));
    }
    EXPECT_EQ(on, 10'000U);
    EXPECT_NEAR(power / 10'000.0, 4.0, 0.2);
}

TEST(NeighbourInterferer, LeaksByTheSkirtsOfItsSymbols) {
    // In our own channel: full power, flat. One channel on: what rectangular symbols leave beside the band.
    NeighbourInterferer here({1.0, 0.0, 0.8125}, 3);
    std::vector<Sample> samples(40 * kBins);
    here.add(samples);
    auto density = spectrum(samples);
    EXPECT_NEAR(between(density, -0.5, 0.5), 1.0, 0.05);
    EXPECT_NEAR(between(density, -0.2, 0.2), 0.4 / 0.8125, 0.05);
    NeighbourInterferer beside({1.0, 1.25 * 0.8125, 0.8125}, 3);
    samples.assign(40 * kBins, {});
    beside.add(samples);
    density = spectrum(samples);
    // Density at a distance of m spacings from the edge of a block of carriers: 1 / (2 pi^2 m) of that within.
    const double in_band = between(density, -0.406, 0.406);
    EXPECT_LT(in_band, 2e-3);
    EXPECT_GT(in_band, 1e-4);
    EXPECT_GT(between(density, 0.3, 0.4), 3.0 * between(density, -0.4, -0.3));
}

TEST(Channel, NamesOfInterferersSetTheirLevel) {
    Channel::Config base;
    base.snr_db = 200.0;
    for (const char* name : {"tone-20db", "fsk-20db", "lora-20db"}) {
        Channel channel(Channel::configure(name, base).value());
        std::vector<Sample> out;
        channel.process(std::vector<Sample>(20'000), out);
        double power = 0.0;
        for (const Sample& s : out) {
            power += static_cast<double>(std::norm(s));
        }
        EXPECT_NEAR(power / 20'000.0, 100.0 * 0.0625, 0.1) << name;
    }
    const auto both = Channel::configure("two-tones-10db-100khz", base).value();
    EXPECT_DOUBLE_EQ(both.tone_db, 10.0);
    EXPECT_DOUBLE_EQ(both.second_tone_db, 10.0);
    EXPECT_DOUBLE_EQ(both.second_tone_hz, -161'800.0);
    const auto pulses = Channel::configure("pulses-20db-20us-2500hz", base).value();
    EXPECT_DOUBLE_EQ(pulses.pulse_db, 20.0);
    EXPECT_DOUBLE_EQ(pulses.pulse_s, 20e-6);
    EXPECT_DOUBLE_EQ(pulses.pulse_rate_hz, 2500.0);
    EXPECT_FALSE(Channel::configure("pulses-20db-20us-1000000hz", base));
}

}  // namespace
}  // namespace meshnet::sim
