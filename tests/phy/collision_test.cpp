// SPDX-License-Identifier: MIT
// Two or three frames on top of each other: how many of them arrive, and that nothing arrives twice or was never sent.
#include <gtest/gtest.h>

#include <cstdio>

#include "phy/cancellation/frame_canceller.hpp"
#include "phy/demodulation/receiver_chain.hpp"
#include "tests/phy/collision_harness.hpp"

namespace meshnet::phy {
namespace {

using test::kLead;
using test::mode_of;
using test::random_bytes;
using test::Sender;

const Profile& one_megahertz() {
    return *find_profile("1M");
}

struct Score {
    int both = 0;        ///< trials in which both arrived
    int both_plain = 0;  ///< the same without cancellation
    int wrong = 0;       ///< frames nobody sent
    int repeated = 0;    ///< error-free frames delivered more than once
    std::uint64_t searches = 0;
};

// `trials` collisions; `make` sets the two senders of a trial.
template <class Make>
Score collide(int trials, std::uint64_t seed, Make make) {
    Score score;
    Rng rng(seed);
    for (int t = 0; t < trials; ++t) {
        Sender senders[2];
        make(rng, senders);
        std::vector<Bytes> payloads;
        std::vector<Sample> air;
        for (const Sender& s : senders) {
            payloads.push_back(random_bytes(rng, s.bytes));
            test::send(one_megahertz(), s, payloads.back(), air);
        }
        test::add_noise(rng, air);
        const auto with = test::receive(one_megahertz(), air, payloads, true);
        const auto without = test::receive(one_megahertz(), air, payloads, false);
        score.both += with.error_free[0] > 0 && with.error_free[1] > 0 ? 1 : 0;
        score.both_plain += without.error_free[0] > 0 && without.error_free[1] > 0 ? 1 : 0;
        score.wrong += with.wrong;
        score.repeated += with.error_free[0] > 1 || with.error_free[1] > 1 ? 1 : 0;
        score.searches += with.counters.sic_passes;
    }
    return score;
}

struct Case {
    const char* mode;
    double weaker_snr_db;
    double apart_db;
    int least;  // of 8 trials
};

class TwoFrames : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(Levels, TwoFrames,
                         testing::Values(Case{"qpsk-1/3", 6, 0, 5}, Case{"qpsk-1/3", 6, 3, 8},
                                         Case{"qpsk-1/3", 6, 6, 8}, Case{"qpsk-1/3", 6, 10, 8},
                                         Case{"qpsk-1/2", 8, 3, 7}, Case{"qpsk-1/2", 8, 6, 8},
                                         Case{"qpsk-1/2", 8, 10, 8}, Case{"qpsk-1/2", 8, 20, 8}));

// Random offsets within a frame's length, carriers up to 10 kHz off, both of 500 bytes.
TEST_P(TwoFrames, BothArrive) {
    const Case& c = GetParam();
    const Score score = collide(8, 41, [&](Rng& rng, Sender* s) {
        for (int i = 0; i < 2; ++i) {
            s[i].mode = mode_of(c.mode);
            s[i].snr_db = c.weaker_snr_db + (i == 0 ? c.apart_db : 0.0);
            s[i].cfo_hz = (rng.uniform() - 0.5) * 20e3;
            s[i].start = kLead + rng.below(6000);
        }
    });
    std::printf("%-9s weaker at %4.1f dB, %4.1f dB apart: both in %d of 8 (%d without cancellation)\n", c.mode,
                c.weaker_snr_db, c.apart_db, score.both, score.both_plain);
    EXPECT_GE(score.both, c.least);
    EXPECT_EQ(score.wrong, 0);
    EXPECT_EQ(score.repeated, 0);
    EXPECT_LE(score.both_plain, score.both);
}

// Clocks and carriers far apart, each through two paths of its own.
TEST(Collision, DifferentClocksAndMultipath) {
    const Score score = collide(8, 42, [&](Rng& rng, Sender* s) {
        for (int i = 0; i < 2; ++i) {
            s[i].mode = mode_of("qpsk-1/2");
            s[i].bytes = 800;
            s[i].snr_db = i == 0 ? 20.0 : 12.0;
            s[i].cfo_hz = (rng.uniform() - 0.5) * 160e3;
            s[i].sfo_ppm = (rng.uniform() - 0.5) * 80.0;
            sim::PathSpec direct;
            sim::PathSpec delayed;
            delayed.delay_samples = 2.0;
            delayed.gain_db = -5.0;
            delayed.phase_turns = rng.uniform();
            s[i].paths = {direct, delayed};
            s[i].start = kLead + rng.below(8000);
        }
    });
    EXPECT_GE(score.both, 7);
    EXPECT_EQ(score.wrong, 0);
    EXPECT_EQ(score.repeated, 0);
    EXPECT_LE(score.both_plain, 2);
}

// The weaker one entirely beneath the stronger, too faint to be detected before: found by the power it leaves.
TEST(Collision, AFaintFrameBeneathAStrongOneIsFound) {
    const Score score = collide(6, 43, [&](Rng& rng, Sender* s) {
        s[0].mode = mode_of("16qam-1/2");
        s[0].bytes = 3000;
        s[0].snr_db = 28.0;
        s[1].mode = mode_of("qpsk-1/3");
        s[1].bytes = 100;
        s[1].snr_db = 10.0;
        s[0].start = kLead;
        s[1].start = kLead + 1500 + rng.below(4000);
    });
    EXPECT_EQ(score.both, 6);
    EXPECT_EQ(score.both_plain, 0);
    EXPECT_EQ(score.wrong, 0);
}

// Answers to one invitation begin together.
TEST(Collision, TwoFramesThatBeginTogether) {
    const Score score = collide(8, 44, [&](Rng& rng, Sender* s) {
        for (int i = 0; i < 2; ++i) {
            s[i].mode = mode_of("qpsk-1/3");
            s[i].bytes = 60;
            s[i].snr_db = i == 0 ? 18.0 : 11.0;
            s[i].cfo_hz = (rng.uniform() - 0.5) * 10e3;
            s[i].start = kLead + rng.below(30);
        }
    });
    EXPECT_GE(score.both, 6);
    EXPECT_EQ(score.wrong, 0);
    EXPECT_EQ(score.repeated, 0);
}

// The narrowest profile, one in the middle, the widest.
TEST(Collision, EveryKindOfProfile) {
    for (const std::string_view name : {"125k", "5M", "20M"}) {
        const Profile& profile = *find_profile(name);
        Rng rng(48);
        std::vector<Bytes> payloads;
        std::vector<Sample> air;
        for (int i = 0; i < 2; ++i) {
            Sender s;
            s.mode = mode_of("qpsk-1/2");
            s.bytes = 1000;
            s.snr_db = i == 0 ? 16.0 : 8.0;
            s.cfo_hz = (i - 0.5) * profile.max_cfo_hz;
            s.sfo_ppm = 10.0 * i;
            s.start = kLead + static_cast<std::size_t>(i) * 4 * profile.symbol_samples();
            payloads.push_back(random_bytes(rng, s.bytes));
            test::send(profile, s, payloads.back(), air);
        }
        test::add_noise(rng, air);
        EXPECT_EQ(test::receive(profile, air, payloads, true).error_free, (std::vector<int>{1, 1})) << name;
        EXPECT_EQ(test::receive(profile, air, payloads, false).error_free, (std::vector<int>{1, 0})) << name;
    }
}

std::vector<Sample> three_frames(std::uint64_t seed, std::vector<Bytes>& payloads) {
    Rng rng(seed);
    std::vector<Sample> air;
    const double snr_db[] = {26.0, 18.0, 10.0};
    const std::size_t start[] = {kLead, kLead + 3000, kLead + 5500};
    for (int i = 0; i < 3; ++i) {
        Sender s;
        s.mode = mode_of("qpsk-1/2");
        s.bytes = 700;
        s.snr_db = snr_db[i];
        s.cfo_hz = 4e3 * i;
        s.start = start[i];
        payloads.push_back(random_bytes(rng, s.bytes));
        test::send(one_megahertz(), s, payloads.back(), air);
    }
    test::add_noise(rng, air);
    return air;
}

TEST(Collision, ThreeFramesAreTakenApart) {
    constexpr int kTrials = 12;
    int all = 0;
    for (int t = 0; t < kTrials; ++t) {
        std::vector<Bytes> payloads;
        const auto air = three_frames(45 + static_cast<std::uint64_t>(t), payloads);
        const auto received = test::receive(one_megahertz(), air, payloads, true);
        EXPECT_EQ(received.wrong, 0);
        EXPECT_LE(received.counters.headers_ok, received.counters.preambles);
        EXPECT_LE(received.counters.frames_ok, received.counters.headers_ok);
        if (received.error_free == std::vector<int>{1, 1, 1}) {
            ++all;
            EXPECT_EQ(received.counters.frames_ok, 3U);
            EXPECT_EQ(received.counters.frames_recovered, 2U);
        }
    }
    std::printf("all three frames in %d of %d\n", all, kTrials);
    EXPECT_GE(all, 11);
}

TEST(Collision, ChunkingNeverChangesTheResult) {
    std::vector<Bytes> payloads;
    const auto air = three_frames(45, payloads);
    const auto receive_in_chunks = [&](auto next) {
        Receiver::Config config;
        config.profile = &one_megahertz();
        Receiver receiver(config);
        std::vector<std::tuple<std::uint64_t, float, float, float, bool, Bytes>> out;
        const auto drain = [&] {
            while (const auto f = receiver.poll_frame()) {
                out.emplace_back(f->sample_index, f->sample_fraction, f->snr_db, f->cfo_hz, f->recovered, f->payload);
            }
        };
        std::span<const Sample> rest(air);
        while (!rest.empty()) {
            const std::size_t n = std::min<std::size_t>(next(), rest.size());
            receiver.push(rest.first(n));
            rest = rest.subspan(n);
            drain();
        }
        receiver.flush();
        drain();
        return out;
    };
    const auto at_once = receive_in_chunks([&] { return air.size(); });
    ASSERT_GE(at_once.size(), 3U);
    EXPECT_EQ(receive_in_chunks([] { return 1; }), at_once);
    Rng rng(5);
    EXPECT_EQ(receive_in_chunks([&] { return 1 + rng.below(900); }), at_once);
}

TEST(Collision, NothingIsSubtractedWhenNothingCollides) {
    Rng rng(46);
    std::vector<Bytes> payloads;
    std::vector<Sample> air;
    for (int i = 0; i < 6; ++i) {
        Sender s;
        s.mode = mode_of(i % 2 == 0 ? "qpsk-1/2" : "64qam-3/4");
        s.snr_db = i < 3 ? 22.0 : 45.0;
        s.cfo_hz = 9e3 * i;
        s.sfo_ppm = 20.0;
        s.start = air.size() + 300;
        payloads.push_back(random_bytes(rng, s.bytes));
        test::send(one_megahertz(), s, payloads.back(), air);
    }
    test::add_noise(rng, air);
    const auto received = test::receive(one_megahertz(), air, payloads, true);
    EXPECT_EQ(received.error_free, std::vector<int>(6, 1));
    EXPECT_EQ(received.counters.sic_passes, 0U);
    EXPECT_EQ(received.counters.frames_cancelled, 0U);
}

struct PathCase {
    const char* channel;
    double residual_db;  // at most, of the frame's power
};

class EveryPath : public testing::TestWithParam<PathCase> {};
INSTANTIATE_TEST_SUITE_P(Paths, EveryPath,
                         testing::Values(PathCase{"awgn", -38.0}, PathCase{"cfo-30000hz+sfo-50ppm", -33.0},
                                         PathCase{"tdl-a", -33.0}, PathCase{"leo", -33.0},
                                         PathCase{"rician-20hz-10db", -27.0}));

// 45 dB of SNR: what is left of a frame is -25 dB or less, in every kind of mode.
TEST_P(EveryPath, LeavesLittle) {
    const Profile& profile = one_megahertz();
    Rng rng(47);
    const Grid grid(profile);
    FrameCanceller canceller(grid, 1 << 18);
    for (const std::string_view name : {"qpsk-1/5x4", "qpsk-1/3", "64qam-3/4"}) {
        for (const bool limited : {true, false}) {
            Transmitter transmitter(profile, limited);
            std::vector<Sample> sent(2000);
            transmitter.modulate(mode_of(name), random_bytes(rng, 700), sent);
            sent.resize(sent.size() + 3000);
            auto channel = test::make_channel(profile, GetParam().channel, 45.0, 5);
            std::vector<Sample> received;
            channel.process(sent, received);
            DemodulatorShared shared(profile);
            ReceiverChain::Config config;
            config.ring_capacity = 1 << 18;
            ReceiverChain chain(shared, config);
            std::vector<EndedReception> ended;
            for (std::size_t i = 0; i + ReceiverChain::kStep <= received.size(); i += ReceiverChain::kStep) {
                chain.push(std::span(received).subspan(i, ReceiverChain::kStep));
                chain.look(ReceiverChain::kForever, ended, nullptr);
            }
            ASSERT_EQ(ended.size(), 1U) << name;
            ASSERT_TRUE(ended[0].frame && ended[0].frame->ok()) << name;
            DecodedFrame frame;
            frame.frame = *ended[0].frame;
            frame.start = ended[0].start.sample_index;
            frame.timing_shift = ended[0].timing_shift;
            frame.cfo_cycles_per_sample = ended[0].cfo;
            double before = 0.0;
            for (const Sample s : received) {
                before += static_cast<double>(std::norm(s));
            }
            ASSERT_TRUE(canceller.cancel(frame, 0, received));
            double after = 0.0;
            for (const Sample s : received) {
                after += static_cast<double>(std::norm(s));
            }
            EXPECT_LT(10.0 * std::log10(after / before), GetParam().residual_db) << name << (limited ? "" : " plain");
        }
    }
}

TEST(Canceller, RefusesWhatItDoesNotHold) {
    const Grid grid(one_megahertz());
    FrameCanceller canceller(grid, 20'000);
    std::vector<Sample> samples(30'000, Sample(0.1F, 0.0F));
    const auto untouched = samples;
    DecodedFrame frame;
    frame.frame.mode = mode_of("qpsk-1/2");
    frame.frame.payload = Bytes(5000);
    frame.start = 100;
    EXPECT_FALSE(canceller.cancel(frame, 0, samples));  // too long
    frame.frame.payload = Bytes(50);
    EXPECT_FALSE(canceller.cancel(frame, 200, samples));  // begins before
    frame.start = 40'000;
    EXPECT_FALSE(canceller.cancel(frame, 0, samples));  // begins after
    frame.frame.payload.clear();
    frame.start = 100;
    EXPECT_FALSE(canceller.cancel(frame, 0, samples));
    EXPECT_EQ(samples, untouched);
    frame.frame.payload = Bytes(50);
    frame.start = 29'000;
    EXPECT_TRUE(canceller.cancel(frame, 0, samples));  // ends after: what is there is taken
    for (const Sample s : samples) {
        ASSERT_TRUE(std::isfinite(s.real()) && std::isfinite(s.imag()));
    }
}

}  // namespace
}  // namespace meshnet::phy
