// SPDX-License-Identifier: MIT
// The models, each against what its parameters say.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <limits>
#include <stdexcept>
#include <string_view>

#include "sim/channel/channel.hpp"
#include "sim/channel/gaussian.hpp"
#include "sim/channel/impairments.hpp"
#include "sim/channel/interpolator.hpp"
#include "sim/channel/multipath.hpp"
#include "sim/channel/phasor.hpp"
#include "sim/channel/resampler.hpp"
#include "tests/sim/test_signals.hpp"

namespace meshnet::sim {
namespace {

using phy::Sample;
using test::db;
using test::Multitone;
using test::power;
using test::Wide;

constexpr double kTurn = 2.0 * std::numbers::pi;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(Gaussian, MomentsAndTailsAreThoseOfTheNormalDistribution) {
    Gaussian noise(7);
    constexpr std::size_t kPairs = 4'000'000;
    constexpr double kCount = 2.0 * kPairs;
    std::array<double, 5> moment{};
    std::array<double, 5> beyond{};  // |x| > 1, 2, 3, 4, 5
    double cross = 0.0;
    for (std::size_t i = 0; i < kPairs; ++i) {
        const Sample pair = noise.next();
        cross += static_cast<double>(pair.real()) * static_cast<double>(pair.imag());
        for (const float f : {pair.real(), pair.imag()}) {
            const double x = static_cast<double>(f);
            double p = 1.0;
            for (double& m : moment) {
                m += p;
                p *= x;
            }
            for (std::size_t k = 0; k < beyond.size(); ++k) {
                beyond[k] += std::abs(x) > static_cast<double>(k + 1) ? 1.0 : 0.0;
            }
        }
    }
    EXPECT_NEAR(moment[1] / kCount, 0.0, 5.0 / std::sqrt(kCount));
    EXPECT_NEAR(moment[2] / kCount, 1.0, 5.0 * std::sqrt(2.0 / kCount));
    EXPECT_NEAR(moment[3] / kCount, 0.0, 5.0 * std::sqrt(15.0 / kCount));
    EXPECT_NEAR(moment[4] / kCount, 3.0, 5.0 * std::sqrt(96.0 / kCount));
    EXPECT_NEAR(cross / kPairs, 0.0, 5.0 / std::sqrt(kCount / 2));
    for (std::size_t k = 0; k < beyond.size(); ++k) {
        const double expected = kCount * std::erfc(static_cast<double>(k + 1) / std::sqrt(2.0));
        EXPECT_NEAR(beyond[k], expected, 5.0 * std::sqrt(expected)) << "beyond " << k + 1 << " sigma";
    }
}

TEST(Phasor, FollowsItsPhaseLawToFloatPrecision) {
    constexpr double kStart = 0.3;
    constexpr double kStep = 0.0123456789;
    constexpr double kDrift = 1e-9;
    Phasor phasor(kStart, kStep, kDrift);
    double worst = 0.0;
    for (int n = 0; n < 200'000; ++n) {
        const double t = n;
        const Wide expected = std::polar(1.0, kTurn * (kStart + kStep * t + kDrift * t * (t - 1.0) / 2.0));
        worst = std::max(worst, std::abs(Wide(phasor.next()) - expected));
    }
    EXPECT_LT(worst, 3e-7);
}

/// Error of a resampled multitone against the exact value, dB below the signal.
double resampling_error_db(const Resampler::Config& config, std::size_t n) {
    const Multitone signal(40, 0.405, 1.0, 3);
    Resampler resampler(config);
    std::vector<Sample> out;
    resampler.process(signal.samples(n), out);
    double error = 0.0;
    std::size_t counted = 0;
    for (std::size_t m = 0; m < out.size(); ++m) {
        const double t = static_cast<double>(m);
        const double position =
            t * (1.0 + config.ppm * 1e-6 - config.delay_rate - 0.5 * config.delay_acceleration * t) -
            config.delay_samples;
        if (position < 40.0) {
            continue;  // the edge of the input
        }
        error += std::norm(Wide(out[m]) - signal.at(position));
        ++counted;
    }
    EXPECT_GT(counted, n / 2);
    return db(error / static_cast<double>(counted));
}

TEST(Resampler, ErrsByLessThanMinus75DecibelsWithin81PercentOfTheBand) {
    EXPECT_LT(resampling_error_db({.delay_samples = 10.37}, 5'000), -75.0);
    EXPECT_LT(resampling_error_db({.ppm = 50.0}, 20'000), -75.0);
    EXPECT_LT(resampling_error_db({.ppm = -200.0, .delay_samples = 3.0}, 20'000), -75.0);
    EXPECT_LT(resampling_error_db({.delay_rate = 2.5e-5, .delay_acceleration = 3e-10}, 20'000), -75.0);
}

TEST(Resampler, WholeSamplesPassUnchanged) {
    const auto in = Multitone(10, 0.4, 1.0, 1).samples(500);
    Resampler resampler({.delay_samples = 7.0});
    std::vector<Sample> out;
    resampler.process(in, out);
    ASSERT_GT(out.size(), 480U);
    for (std::size_t m = 7; m < out.size(); ++m) {
        EXPECT_NEAR(std::abs(out[m] - in[m - 7]), 0.0F, 1e-6F);
    }
}

TEST(Resampler, StreamLengthFollowsTheClockError) {
    const std::vector<Sample> block(100'000);
    for (const double ppm : {-100.0, 100.0}) {
        Resampler resampler({.ppm = ppm});
        std::vector<Sample> out;
        for (int i = 0; i < 10; ++i) {
            resampler.process(block, out);
        }
        EXPECT_NEAR(static_cast<double>(out.size()), 1e6 / (1.0 + ppm * 1e-6), 20.0);
    }
}

TEST(Awgn, PowerInTheOccupiedBandGivesTheSnr) {
    constexpr double kSnrDb = 7.0;
    std::vector<Sample> samples(1'000'000);
    Awgn noise(noise_power(kSnrDb, 0.25, 0.81), 5);
    noise.process(samples);
    EXPECT_NEAR(db(0.25 * 0.25 / (power(samples) * 0.81)), kSnrDb, 0.02);
}

TEST(Cfo, TurnsByOffsetAndRamp) {
    std::vector<Sample> samples(300'000, Sample{1.0F, 0.0F});
    Cfo cfo(1e6, -20e3, 800.0);
    cfo.process(samples);
    for (const std::size_t n : {std::size_t{1}, std::size_t{1000}, std::size_t{299'999}}) {
        const double t = static_cast<double>(n) * 1e-6;
        const Wide expected = std::polar(1.0, kTurn * (-20e3 * t + 400.0 * t * t));
        EXPECT_NEAR(std::abs(Wide(samples[n]) - expected), 0.0, 1e-3) << n;
    }
}

TEST(PhaseNoise, VarianceIsThatOfItsLevelAndCorner) {
    const PhaseNoise::Config config{1e6, -80.0, 10e3, 500.0};
    PhaseNoise model(config, 11);
    // Integral of level offset^2 / (f^2 + corner^2) over all f: pi level offset^2 / corner.
    const double expected = std::numbers::pi * 1e-8 * 1e8 / 500.0;
    EXPECT_NEAR(model.rms_rad() * model.rms_rad(), expected, 0.01 * expected);
    std::vector<Sample> samples(2'000'000, Sample{1.0F, 0.0F});
    model.process(samples);
    double sum = 0.0;
    for (const Sample& s : samples) {
        const double angle = std::arg(Wide(s));
        sum += angle * angle;
    }
    // 2 s hold about 6000 independent values: 10 % is five standard deviations.
    EXPECT_NEAR(sum / static_cast<double>(samples.size()), expected, 0.1 * expected);
}

TEST(IqImbalance, MakesAnImageOfTheStatedStrengthAndDc) {
    IqImbalance iq(0.5, 3.0, Sample{0.01F, -0.02F});
    constexpr std::size_t kCount = 1000;
    std::vector<Sample> samples;
    for (std::size_t n = 0; n < kCount; ++n) {
        samples.emplace_back(std::polar(1.0, kTurn * 0.1 * static_cast<double>(n)));
    }
    iq.process(samples);
    Wide wanted{}, image{}, dc{};
    for (std::size_t n = 0; n < kCount; ++n) {
        const Wide turn = std::polar(1.0, kTurn * 0.1 * static_cast<double>(n));
        wanted += Wide(samples[n]) * std::conj(turn);
        image += Wide(samples[n]) * turn;
        dc += Wide(samples[n]);
    }
    EXPECT_NEAR(20.0 * std::log10(std::abs(wanted) / std::abs(image)), iq.image_rejection_db(), 0.01);
    // gain error g, phase error phi: rejection = |1 + g e^{j phi}|^2 / |1 - g e^{-j phi}|^2
    const Wide g = std::polar(std::pow(10.0, 0.5 / 20.0), 3.0 * std::numbers::pi / 180.0);
    EXPECT_NEAR(iq.image_rejection_db(), db(std::norm(1.0 + g) / std::norm(1.0 - std::conj(g))), 0.01);
    EXPECT_NEAR(std::abs(dc / static_cast<double>(kCount) - Wide(0.01, -0.02)), 0.0, 1e-4);
}

TEST(Quantizer, NoiseIsThatOfItsStepAndClippingIsCounted) {
    Quantizer adc(8, 1.0);
    auto samples = Multitone(30, 0.4, 0.2, 9).samples(20'000);
    const auto before = samples;
    adc.process(samples);
    double error = 0.0;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        error += std::norm(Wide(samples[i]) - Wide(before[i]));
    }
    const double step = 1.0 / 128.0;
    EXPECT_NEAR(db(error / static_cast<double>(samples.size()) / (step * step / 6.0)), 0.0, 0.2);
    std::vector<Sample> loud{{3.0F, -3.0F}, {0.0F, 0.5F}};
    const std::uint64_t so_far = adc.clipped();
    adc.process(loud);
    EXPECT_EQ(adc.clipped() - so_far, 2U);
    EXPECT_FLOAT_EQ(loud[0].real(), 127.0F / 128.0F);
    EXPECT_FLOAT_EQ(loud[0].imag(), -1.0F);
}

TEST(DroppedSamples, CutsGapsAndCountsThem) {
    std::vector<Sample> in;
    for (int i = 0; i < 1'000'000; ++i) {
        in.emplace_back(static_cast<float>(i % 4096), 0.0F);
    }
    DroppedSamples drops({50.0, 10, 30}, 3);
    std::vector<Sample> out;
    drops.process(in, out);
    EXPECT_EQ(out.size() + drops.dropped(), in.size());
    std::size_t gaps = 0;
    for (std::size_t i = 1; i < out.size(); ++i) {
        const int jump = (static_cast<int>(out[i].real() - out[i - 1].real()) + 4096) % 4096;
        if (jump != 1) {
            ++gaps;
            EXPECT_GE(jump - 1, 10);
            EXPECT_LE(jump - 1, 30);
        }
    }
    EXPECT_NEAR(static_cast<double>(gaps), 50.0, 25.0);
}

TEST(Multipath, TdlTablesAreNormalised) {
    for (const TdlProfile profile : {TdlProfile::kA, TdlProfile::kB, TdlProfile::kC}) {
        double total = 0.0, mean = 0.0, square = 0.0;
        for (const PathSpec& path : tdl_paths(profile, 5.0)) {
            const double p = std::pow(10.0, path.gain_db / 10.0);
            total += p;
            mean += p * path.delay_samples;
            square += p * path.delay_samples * path.delay_samples;
        }
        EXPECT_NEAR(total, 1.0, 1e-9);
        EXPECT_NEAR(std::sqrt(square - mean * mean), 5.0, 0.005);  // 38.901 scales the tables to a delay spread of 1
    }
}

TEST(Multipath, SteadyPathsGiveTheirFrequencyResponse) {
    auto paths = two_ray_paths(2.3, -3.0, 0.5);
    for (const double frequency : {-0.4, -0.11, 0.0, 0.25, 0.405}) {
        Multipath model(paths, 0.0, 1);
        std::vector<Sample> samples;
        for (int n = 0; n < 400; ++n) {
            samples.emplace_back(std::polar(1.0, kTurn * frequency * n));
        }
        model.process(samples);
        const Wide expected = (1.0 - std::pow(10.0, -3.0 / 20.0) * std::polar(1.0, -kTurn * frequency * 2.3)) *
                              std::polar(1.0, kTurn * frequency * (399.0 - static_cast<double>(Multipath::kLatency)));
        EXPECT_NEAR(std::abs(Wide(samples[399]) - expected), 0.0, 1e-3) << frequency;
    }
}

TEST(Multipath, RayleighPowerAndJakesCorrelation) {
    PathSpec path;
    path.k_factor_db = -kInfinity;
    constexpr double kDoppler = 0.001;
    double mean = 0.0, fourth = 0.0;
    Wide correlation{};
    double count = 0.0;
    constexpr std::size_t kLag = 200;  // J0(2 pi 0.001 200) = J0(1.2566) = 0.6425
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Multipath model({path}, kDoppler, seed);
        std::vector<Sample> samples(20'000, Sample{1.0F, 0.0F});
        model.process(samples);
        for (std::size_t n = 64; n + kLag < samples.size(); n += 16) {
            const double p = std::norm(Wide(samples[n]));
            mean += p;
            fourth += p * p;
            correlation += Wide(samples[n + kLag]) * std::conj(Wide(samples[n]));
            count += 1.0;
        }
    }
    EXPECT_NEAR(mean / count, 1.0, 0.1);
    EXPECT_NEAR(fourth / count, 2.0, 0.3);  // exponential power
    EXPECT_NEAR(correlation.real() / count, 0.6425, 0.08);
}

TEST(Multipath, SeaReflectionDelayIsThatOfTheGeometry) {
    // Plane earth: 2 h1 h2 / (d c).
    EXPECT_NEAR(sea_reflection_delay_s(60'000.0, 120.0, 15.0), 2.0 * 120.0 * 15.0 / 60'000.0 / 299'792'458.0, 1e-14);
    EXPECT_NEAR(sea_reflection_delay_s(10.0, 10.0, 10.0), (std::hypot(10.0, 20.0) - 10.0) / 299'792'458.0, 1e-14);
}

TEST(Interferer, ToneHasItsPowerAndImpulsesTheirRate) {
    Interferer::Config config;
    config.tone_rms = 0.5;
    std::vector<Sample> samples(10'000);
    Interferer tone(config, 1);
    tone.process(samples);
    EXPECT_NEAR(power(samples), 0.25, 1e-4);
    config.tone_rms = 0.0;
    config.impulses_per_million = 1000.0;
    config.impulse_amplitude = 3.0;
    std::vector<Sample> quiet(1'000'000);
    Interferer impulses(config, 1);
    impulses.process(quiet);
    EXPECT_NEAR(power(quiet) / 9.0 * 1e6, 1000.0, 160.0);
}

TEST(Channel, EveryNameIsIndifferentToCuttingAndRepeatsBySeed) {
    const auto in = Multitone(20, 0.4, 0.25, 2).samples(6'000);
    for (const Channel::Name& name : Channel::names()) {
        const auto config = Channel::configure(name.name);
        ASSERT_TRUE(config.ok()) << name.name;
        const auto run = [&](std::size_t chunk) {
            Channel channel(*config);
            std::vector<Sample> out;
            for (std::size_t i = 0; i < in.size(); i += chunk) {
                channel.process(std::span(in).subspan(i, std::min(chunk, in.size() - i)), out);
            }
            return out;
        };
        const auto whole = run(in.size());
        EXPECT_FALSE(whole.empty()) << name.name;
        EXPECT_EQ(run(1), whole) << name.name;
        EXPECT_EQ(run(97), whole) << name.name;
    }
}

TEST(Channel, SnrHoldsUnderEveryFadingModel) {
    for (const char* name : {"awgn", "tdl-a-1us", "tdl-b-1us", "tdl-c-5us", "rayleigh"}) {
        double sum = 0.0;
        constexpr int kDraws = 400;  // mean power over frozen draws of the fading: 1 +- 1/sqrt(400) for one path
        for (int draw = 0; draw < kDraws; ++draw) {
            Channel::Config base;
            base.snr_db = kInfinity;
            base.seed = static_cast<std::uint64_t>(draw) + 1;
            Channel channel(*Channel::configure(name, base));
            std::vector<Sample> in(600);
            in[0] = Sample{1.0F, 0.0F};
            std::vector<Sample> out;
            channel.process(in, out);
            sum += power(out) * static_cast<double>(out.size());
        }
        EXPECT_NEAR(sum / kDraws, 1.0, 0.2) << name;
    }
}

TEST(Channel, WrongWordsAreRefusedWithTheRightOnes) {
    const auto unknown = Channel::configure("tdl-x");
    ASSERT_FALSE(unknown.ok());
    EXPECT_NE(unknown.error().message.find("tdl-x"), std::string::npos);
    EXPECT_NE(unknown.error().message.find("tdl-a"), std::string::npos);
    for (const char* bad : {"", "+", "awgn+", "cfo-", "cfo-20", "cfo-20kg", "cfo-nanhz", "cfo-9e99khz", "awgnx",
                            "sfo-5000ppm", "tdl-a-1s", "rician--1hz", "tdl-c-1e9us"}) {
        EXPECT_FALSE(Channel::configure(bad).ok()) << bad;
    }
}

TEST(Channel, NamesCombineAndCarryParameters) {
    const auto config = Channel::configure("tdl-c-5us-10hz+cfo-12khz+sfo-15ppm");
    ASSERT_TRUE(config.ok());
    EXPECT_EQ(config->paths.size(), 24U);
    EXPECT_DOUBLE_EQ(config->fading_hz, 10.0);
    EXPECT_DOUBLE_EQ(config->cfo_hz, 12e3);
    EXPECT_DOUBLE_EQ(config->sfo_ppm, 15.0);
    EXPECT_NEAR(config->paths.back().delay_samples, 8.6523 * 5.0, 1e-9);
    const auto noise = Channel::configure("phase-noise--95db");
    ASSERT_TRUE(noise.ok());
    EXPECT_DOUBLE_EQ(noise->phase_noise_dbc_per_hz, -95.0);
}

TEST(Channel, ImpossibleConfigurationsAreRefused) {
    const auto refused = [](auto change) {
        Channel::Config config;
        change(config);
        EXPECT_THROW(Channel{config}, std::invalid_argument);
    };
    refused([](auto& c) { c.sample_rate_hz = 0.0; });
    refused([](auto& c) { c.occupied_fraction = 1.5; });
    refused([](auto& c) { c.signal_rms = -1.0; });
    refused([](auto& c) { c.snr_db = std::numeric_limits<double>::quiet_NaN(); });
    refused([](auto& c) { c.sfo_ppm = 2000.0; });
    refused([](auto& c) { c.cfo_hz = 1e9; });
    refused([](auto& c) { c.bits = 1; });
    refused([](auto& c) { c.delay_samples = -1.0; });
    refused([](auto& c) { c.gaps_per_million = -1.0; });
}

// Prints, asserts nothing about time.
TEST(Channel, PrintsItsSpeed) {
    const auto in = Multitone(4, 0.4, 0.25, 2).samples(20'000);
    for (const char* name :
         {"awgn", "cfo", "sfo", "phase-noise", "two-ray", "tdl-a-1us-10hz", "tdl-c-5us-10hz", "hackrf"}) {
        Channel::Config base;
        base.snr_db = std::string_view(name) == "awgn" ? 10.0 : kInfinity;
        Channel channel(*Channel::configure(name, base));
        std::vector<Sample> out;
        channel.process(in, out);  // tables are made at first use
        const std::clock_t start = std::clock();
        constexpr int kRounds = 25;
        for (int round = 0; round < kRounds; ++round) {
            out.clear();
            channel.process(in, out);
        }
        const double spent = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
        std::printf("channel %-16s %7.1f Msample/s\n", name, static_cast<double>(in.size()) * kRounds * 1e-6 / spent);
        EXPECT_GT(power(out), 0.0);
    }
}

}  // namespace
}  // namespace meshnet::sim
