// SPDX-License-Identifier: MIT
#include "phy/estimation/frame_synchronizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "core/random.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/preamble.hpp"

namespace meshnet::phy {
namespace {

std::vector<FrameStart> search(FrameSynchronizer& synchronizer, SampleRing& ring, std::span<const Sample> samples) {
    std::vector<FrameStart> found;
    while (!samples.empty()) {
        const std::size_t n = std::min<std::size_t>(128, samples.size());
        ring.push(samples.first(n));
        samples = samples.subspan(n);
        synchronizer.advance(ring, found);
    }
    return found;
}

struct Case {
    PreambleClass preamble;
    double snr_db;  // the lowest the class is meant for
};
class EveryClass : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Classes, EveryClass,
                         testing::Values(Case{PreambleClass::kShort, -3.0}, Case{PreambleClass::kMedium, -10.0},
                                         Case{PreambleClass::kLong, -17.0}),
                         [](const auto& test) {
                             return "class" + std::to_string(static_cast<int>(test.param.preamble));
                         });

// At the lowest SNR the class is meant for, over the whole range of offsets: found, once, at the right place and
// frequency.
TEST_P(EveryClass, FindsItsPreambleOverTheWholeOffsetRange) {
    const Profile& profile = *find_profile("1M");
    const auto clean = preamble_samples(profile, GetParam().preamble);
    const double length = static_cast<double>(clean.size()) / 2.0;
    const double noise =
        std::pow(10.0, -GetParam().snr_db / 10.0) / 0.8125;  // in the whole band, for unit signal power
    const float deviation = static_cast<float>(std::sqrt(noise / 2.0));
    Rng rng(11);
    const int trials = GetParam().preamble == PreambleClass::kLong ? 12 : 60;
    int found_right = 0;
    int found_other = 0;
    double offset_error = 0.0;
    for (int t = 0; t < trials; ++t) {
        const double cfo = (2.0 * rng.uniform() - 1.0) * profile.max_cfo_hz / profile.sample_rate_hz;
        const std::size_t at = 5000 + rng.below(5000);
        std::vector<Sample> samples(at + clean.size() + 8 * clean.size() + 20'000);
        for (std::size_t i = 0; i < clean.size(); ++i) {
            const double phase = 2.0 * std::numbers::pi * cfo * static_cast<double>(i) + t;
            samples[at + i] =
                clean[i] * Sample(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
        }
        for (auto& s : samples) {
            s += deviation * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        }
        FrameSynchronizer synchronizer(profile, GetParam().preamble);
        SampleRing ring(1 << 17);
        for (const auto& start : search(synchronizer, ring, samples)) {
            const double distance = static_cast<double>(start.sample_index) + start.fraction - static_cast<double>(at);
            if (std::abs(distance) < 3.0) {
                ++found_right;
                offset_error += std::pow(start.cfo_cycles_per_sample - cfo, 2);
            } else {
                ++found_other;
            }
        }
    }
    EXPECT_GE(found_right, trials - 1);
    EXPECT_EQ(found_other, 0);
    // Well inside the +-1/(2 symbol) that the training can resolve.
    EXPECT_LT(std::sqrt(offset_error / trials) * length, 0.08);
}

TEST_P(EveryClass, NoiseTonesAndDcAreNoPreambles) {
    const Profile& profile = *find_profile("1M");
    FrameSynchronizer synchronizer(profile, GetParam().preamble);
    SampleRing ring(1 << 17);
    Rng rng(12);
    std::vector<Sample> samples(2'000'000);
    for (std::size_t i = 0; i < samples.size(); ++i) {
        samples[i] = 0.1F * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
        const double phase = 2.0 * std::numbers::pi * 0.11 * static_cast<double>(i);
        if (i / 250'000 % 4 == 1) {
            samples[i] += Sample(3.0F, 1.0F);  // DC, 30 dB above the noise, switched on and off
        } else if (i / 250'000 % 4 == 2) {
            samples[i] += 2.0F * Sample(static_cast<float>(std::cos(phase)), static_cast<float>(std::sin(phase)));
        } else if (i / 250'000 % 4 == 3 && i % 977 == 0) {
            samples[i] = Sample(4.0F, -4.0F);  // impulses
        }
    }
    // Expected on pure noise at 5e-9 per sample: 0.01 in these two million.
    EXPECT_TRUE(search(synchronizer, ring, samples).empty());
}

TEST(Preamble, HasConstantEnvelopeAndStaysInTheBand) {
    const Profile& profile = *find_profile("1M");
    const auto chirps = preamble_samples(profile, PreambleClass::kMedium);
    EXPECT_EQ(chirps.size(), 2 * class_params(profile, PreambleClass::kMedium).chirp_samples);
    for (std::size_t n = 0; n + 1 < chirps.size(); ++n) {
        EXPECT_NEAR(std::abs(chirps[n]), 1.0F, 1e-5F);
        const double step = std::arg(chirps[n + 1] * std::conj(chirps[n])) / (2.0 * std::numbers::pi);
        EXPECT_LE(std::abs(step), 0.5 * 0.8125);
    }
}

// Several paths of like strength: the rising and the falling chirp may each have its peak on another one. Read from
// those two peaks alone the offset is wrong by up to kilohertz, too far for the training to bring it back (half a
// subcarrier: 3.9 kHz).
TEST(FrameSynchronizer, MultipathDoesNotFalsifyTheCarrierOffset) {
    const Profile& profile = *find_profile("1M");
    for (const PreambleClass preamble : {PreambleClass::kShort, PreambleClass::kMedium}) {
        const auto clean = preamble_samples(profile, preamble);
        const double half_turn = 0.5 / (static_cast<double>(clean.size()) / 2.0);  // what the phase leaves open
        Rng rng(12);
        int found = 0;
        int wrong = 0;
        for (int t = 0; t < 80; ++t) {
            const double cfo = (2.0 * rng.uniform() - 1.0) * profile.max_cfo_hz / profile.sample_rate_hz;
            const std::size_t at = 3000;
            std::vector<Sample> samples(at + 12 * clean.size() + 20'000);
            for (std::size_t path = 0; path < 4; ++path) {
                const std::size_t delay = at + 2 * path;
                const Sample gain(std::complex<double>(std::polar(0.6 + 0.4 * rng.uniform(), 6.28 * rng.uniform())));
                for (std::size_t i = 0; i < clean.size(); ++i) {
                    const double phase = 2.0 * std::numbers::pi * cfo * static_cast<double>(delay + i);
                    samples[delay + i] += gain * clean[i] * Sample(std::complex<double>(std::polar(1.0, phase)));
                }
            }
            for (auto& s : samples) {
                s += 0.1F * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
            }
            FrameSynchronizer synchronizer(profile, preamble);
            SampleRing ring(1 << 17);
            for (const auto& start : search(synchronizer, ring, samples)) {
                ++found;
                wrong += std::abs(start.cfo_cycles_per_sample - cfo) > half_turn ? 1 : 0;
            }
        }
        EXPECT_GE(found, 79) << static_cast<int>(preamble);
        EXPECT_LE(wrong, 1) << static_cast<int>(preamble);
    }
}

}  // namespace
}  // namespace meshnet::phy
