// SPDX-License-Identifier: MIT
// What takes interference out of samples and finds the carriers that it hits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <vector>

#include "core/random.hpp"
#include "phy/estimation/interference_profile.hpp"
#include "phy/estimation/line_canceller.hpp"
#include "phy/estimation/line_fit.hpp"
#include "phy/estimation/narrowband_excision.hpp"
#include "phy/estimation/pulse_blanking.hpp"
#include "phy/profile.hpp"

namespace meshnet::phy {
namespace {

Sample gaussian(Rng& rng, float rms) {
    return rms * std::sqrt(0.5F) * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
}

Sample tone(float amplitude, double turns) {
    const double angle = 2.0 * std::numbers::pi * turns;
    return amplitude * Sample(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
}

class LineCancellerTest : public testing::Test {
protected:
    /// A QPSK symbol of unit power per carrier, unit noise of `noise_db`, and what `interferer(n)` gives at sample n.
    template <class F>
    std::size_t run(float noise_db, F interferer) {
        const std::size_t n = grid_.profile().fft_size;
        Fft inverse(n, Fft::Direction::kInverse);
        std::fill(inverse.in().begin(), inverse.in().end(), Sample{});
        sent_.clear();
        expected_.assign(grid_.carriers(), 1.0F + std::pow(10.0F, noise_db / 10.0F));
        for (std::size_t c = 0; c < grid_.carriers(); ++c) {
            sent_.push_back(tone(1.0F, 0.125 + 0.25 * static_cast<double>(rng_.below(4))));
            inverse.in()[grid_.bin(c)] = sent_.back() + gaussian(rng_, std::pow(10.0F, noise_db / 20.0F));
        }
        inverse.run();
        for (std::size_t i = 0; i < n; ++i) {
            forward_.in()[i] = inverse.out()[i] * (1.0F / static_cast<float>(n)) + interferer(static_cast<double>(i));
        }
        forward_.run();
        return lines_.run(forward_, expected_, 0.1F, 16.0F);
    }
    /// Mean error power of carriers at least `distance` carriers from `centre`, their scale by lost() taken out.
    double error(double centre, double distance) {
        double sum = 0.0;
        double count = 0.0;
        for (std::size_t c = 0; c < grid_.carriers(); ++c) {
            if (std::abs(grid_.subcarrier(c) - centre) >= distance) {
                const Sample x = forward_.out()[grid_.bin(c)] / (1.0F - std::min(lines_.lost()[c], 0.9F));
                sum += static_cast<double>(std::norm(x - sent_[c]));
                count += 1.0;
            }
        }
        return sum / count;
    }
    double all_lost() {
        double sum = 0.0;
        for (const float l : lines_.lost()) {
            sum += static_cast<double>(l);
        }
        return sum;
    }

    Grid grid_{*find_profile("1M")};
    Fft forward_{grid_.profile().fft_size, Fft::Direction::kForward};
    LineCanceller lines_{grid_};
    std::vector<float> expected_;
    std::vector<Sample> sent_;
    Rng rng_{5};
};

// A tone's amplitude such that it has 20 dB more power than all carriers of unit power together.
constexpr float kStrong = 0.8F;

TEST_F(LineCancellerTest, TakesOutAToneBetweenTwoBinsWithItsSkirts) {
    for (const double frequency : {20.5, 20.25, -33.1, 7.0, 0.4}) {
        const std::size_t found = run(-20.0F, [&](double n) { return tone(kStrong, frequency * n / 128.0); });
        EXPECT_GE(found, 1U) << frequency;
        EXPECT_LE(all_lost(), 4.0) << frequency;
        EXPECT_LT(error(frequency, 6.0), 0.03) << frequency;
    }
}

TEST_F(LineCancellerTest, TakesOutTwoTonesAndAChirp) {
    run(-20.0F, [](double n) { return tone(kStrong, 20.4 * n / 128.0) + tone(kStrong, -31.7 * n / 128.0 + 0.2); });
    EXPECT_LE(all_lost(), 8.0);
    EXPECT_GT(lines_.lost()[52 + 19], 0.5F);
    EXPECT_GT(lines_.lost()[52 - 32], 0.5F);
    EXPECT_LT(lines_.lost()[52], 0.02F);
    // Two carriers swept within the symbol.
    run(-20.0F, [](double n) { return tone(kStrong, (20.0 + 1.0 * n / 128.0) * n / 128.0); });
    EXPECT_LT(error(21.0, 10.0), 0.05);
    EXPECT_LE(all_lost(), 8.0);
}

TEST_F(LineCancellerTest, TakesAChirpThatSweepsOrJumpsForOneOrTwoDimensions) {
    // LoRa in 125 kHz, SF7: two bins in a symbol; and one that jumps within it. A tone that hops is FSK.
    const auto chirp = [](double n, double from) {
        const double t = n / 128.0;
        return tone(kStrong, from * t + 1.0 * t * t);
    };
    run(-20.0F, [&](double n) { return chirp(n, 20.3); });
    EXPECT_LE(all_lost(), 1.7);
    EXPECT_LT(error(21.3, 4.0), 0.03);
    // 10 dB weaker, as a sample by which the jump is missed counts here.
    run(-10.0F, [&](double n) { return 0.316F * (n < 50.0 ? chirp(n, 24.7) : chirp(n, 12.1)); });
    EXPECT_LE(all_lost(), 4.5);
    EXPECT_LT(error(19.0, 12.0), 0.25);
    run(-10.0F, [](double n) {
        return 0.316F * (n < 75.0 ? tone(kStrong, 0.16 * n) : tone(kStrong, 0.16 * 75.0 + 0.12 * (n - 75.0)));
    });
    EXPECT_LE(all_lost(), 5.5);
    EXPECT_LT(error(18.0, 12.0), 0.25);
}

TEST(LineFit, FindsFrequencyRateAndPlace) {
    for (const std::size_t size : {64U, 128U, 2048U}) {
        LineFit fit(size);
        for (const LinePiece& sent : {LinePiece{7.3, 0.0, 0, size}, LinePiece{-11.8, 2.1, 0, size},
                                      LinePiece{3.2, -1.7, 0, size / 2}, LinePiece{9.1, 2.0, size / 4, size}}) {
            std::vector<Sample> samples(size);
            std::vector<Sample> found(size);
            LineFit::write(sent, samples);
            const LinePiece piece = fit.run(samples, sent.frequency + 0.3);
            LineFit::write(piece, found);
            Sample overlap{};
            for (std::size_t n = 0; n < size; ++n) {
                overlap += samples[n] * std::conj(found[n]);
            }
            EXPECT_GT(std::norm(overlap), 0.98F) << size << ' ' << sent.frequency << ' ' << sent.rate;
            EXPECT_LE(piece.end, size);
            EXPECT_LT(piece.begin, piece.end);
        }
    }
}

TEST_F(LineCancellerTest, LeavesASymbolAlone) {
    for (int i = 0; i < 500; ++i) {
        EXPECT_EQ(run(-10.0F, [](double) { return Sample{}; }), 0U);
        EXPECT_EQ(run(0.0F, [](double) { return Sample{}; }), 0U);
    }
    // A burst over the whole band is no line.
    EXPECT_EQ(run(-20.0F, [&](double) { return gaussian(rng_, 3.0F); }), 0U);
}

TEST(InterferenceProfile, FindsWhatIsHitAndNothingElse) {
    InterferenceProfile profile(104);
    Rng rng(6);
    const std::vector<float> counts(104, 3.0F);
    const auto draw = [&](std::size_t c, float power) {
        float sum = 0.0F;
        for (int i = 0; i < 3; ++i) {
            sum += std::norm(gaussian(rng, std::sqrt(power)));
        }
        static_cast<void>(c);
        return sum / 3.0F;
    };
    std::vector<float> errors(104);
    int alarms = 0;
    for (int trial = 0; trial < 2000; ++trial) {
        for (std::size_t c = 0; c < 104; ++c) {
            errors[c] = draw(c, 1.0F);
        }
        alarms += profile.find(errors, counts, 1e-6F) > 0 ? 1 : 0;
    }
    EXPECT_LE(alarms, 10) << "one in a thousand";
    int narrow = 0;
    int wide = 0;
    double floor = 0.0;
    for (int trial = 0; trial < 200; ++trial) {
        for (std::size_t c = 0; c < 104; ++c) {
            errors[c] = draw(c, c == 30 ? 40.0F : c >= 64 ? 5.0F : 1.0F);
        }
        profile.find(errors, counts, 1e-6F);
        narrow += profile.excess()[30] > 0.0F ? 1 : 0;
        for (std::size_t c = 64; c < 104; ++c) {
            wide += profile.excess()[c] > 0.0F ? 1 : 0;
        }
        floor += static_cast<double>(profile.floor()) / 200.0;
    }
    EXPECT_NEAR(floor, 1.1, 0.15);
    EXPECT_GE(narrow, 190);
    EXPECT_GE(wide, 200 * 40 * 8 / 10);
    // Less than `least` is not worth knowing.
    for (float& e : errors) {
        e *= 1e-4F;
    }
    EXPECT_EQ(profile.find(errors, counts, 0.1F), 0U);
}

// Of a block whose spectrum is in the order of frequencies, and of one whose is not.
class NarrowbandExcisionTest : public testing::TestWithParam<std::size_t> {};

TEST_P(NarrowbandExcisionTest, LeavesTheRestOfTheBand) {
    const std::size_t size = GetParam();
    NarrowbandExcision excision(size, size / 16);
    BlockConvolution filter(size);
    Rng rng(7);
    const auto fill = [&](float amplitude) {
        double energy = 0.0;
        for (std::size_t n = 0; n < size; ++n) {
            filter.in()[n] = gaussian(rng, 1.0F) + tone(amplitude, 0.12345 * static_cast<double>(n));
            energy += static_cast<double>(std::norm(filter.in()[n]));
        }
        filter.forward();
        return energy;
    };
    int concentrated = 0;
    for (int i = 0; i < 2000; ++i) {
        concentrated += excision.is_concentrated(filter.spectrum(), fill(0.0F)) ? 1 : 0;
    }
    EXPECT_LE(concentrated, 4);
    for (const float amplitude : {3.0F, 10.0F, 30.0F}) {
        const double energy = fill(amplitude);
        EXPECT_TRUE(excision.is_concentrated(filter.spectrum(), energy));
        ASSERT_TRUE(excision.run(filter));
        double left = 0.0;
        for (std::size_t n = 0; n < size; ++n) {
            left += static_cast<double>(std::norm(filter.in()[n]));
        }
        EXPECT_GT(left, 0.6 * static_cast<double>(size)) << amplitude;
        EXPECT_LT(left, 1.3 * static_cast<double>(size)) << amplitude;
    }
}

INSTANTIATE_TEST_SUITE_P(Sizes, NarrowbandExcisionTest, testing::Values(512, 8'192, 16'384));

TEST(PulseBlanking, BlanksPulsesAndNothingElse) {
    Rng rng(8);
    std::vector<Sample> samples(128);
    for (int i = 0; i < 2000; ++i) {
        for (Sample& s : samples) {
            s = gaussian(rng, 1.0F);
        }
        EXPECT_EQ(PulseBlanking::run(samples, 1.0F, 64), 0U);
    }
    for (std::size_t n = 37; n < 77; ++n) {
        samples[n] += tone(10.0F, 0.3 * static_cast<double>(n));
    }
    samples[100] = {8.0F, 0.0F};
    const std::size_t blanked = PulseBlanking::run(samples, 1.0F, 64);
    EXPECT_GE(blanked, 41U);
    EXPECT_LE(blanked, 57U);
    EXPECT_EQ(samples[100], Sample{});
    EXPECT_TRUE(std::none_of(samples.begin(), samples.end(), [](const Sample& s) { return std::norm(s) > 20.0F; }));
    // The edge of a neighbour's symbol: two samples, and one to either side.
    for (Sample& s : samples) {
        s = gaussian(rng, 0.5F);
    }
    samples[41] = {5.0F, 1.0F};
    samples[42] = {0.0F, 5.0F};
    const Sample beside = samples[39];
    EXPECT_EQ(PulseBlanking::run(samples, 1.0F, 64, PulseBlanking::kOftenRatio), 4U);
    EXPECT_EQ(samples[42], Sample{});
    EXPECT_EQ(samples[39], beside);
    // What lasts is no pulse.
    for (Sample& s : samples) {
        s = gaussian(rng, 5.0F);
    }
    EXPECT_EQ(PulseBlanking::run(samples, 1.0F, 64), 0U);
}

}  // namespace
}  // namespace meshnet::phy
