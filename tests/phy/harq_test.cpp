// SPDX-License-Identifier: MIT
// Transmissions that fail alone and are whole together.
#include <gtest/gtest.h>

#include "phy/demodulation/harq_combiner.hpp"
#include "tests/phy/modem_harness.hpp"

namespace meshnet::phy {
namespace {

using test::mode_of;
using test::random_bytes;

const Profile& one_megahertz() {
    return *find_profile("1M");
}

// One transmission as a receiver that keeps soft values hears it.
std::optional<Frame> transmit(std::string_view mode, const Bytes& payload, unsigned version, double snr_db,
                              std::uint64_t seed) {
    Transmitter transmitter(one_megahertz());
    std::vector<Sample> samples(800);
    transmitter.modulate(mode_of(mode), payload, samples, version);
    samples.resize(samples.size() + 500);
    auto channel = test::make_channel(one_megahertz(), "cfo-5000hz", snr_db, seed);
    std::vector<Sample> heard;
    channel.process(samples, heard);
    Receiver::Config config;
    config.profile = &one_megahertz();
    config.keep_soft_values = true;
    Receiver receiver(config);
    receiver.push(heard);
    receiver.flush();
    return receiver.poll_frame();
}

struct Counts {
    int heard = 0;     ///< trials in which all headers passed
    int alone = 0;     ///< any of the transmissions whole by itself
    int combined = 0;  ///< whole together
};

Counts combine(std::string_view mode, const std::vector<unsigned>& versions, double snr_db, int trials) {
    Counts counts;
    Rng rng(61);
    for (int t = 0; t < trials; ++t) {
        const Bytes payload = random_bytes(rng, 1000);
        HarqCombiner combiner;
        bool all = true;
        bool alone = false;
        for (std::size_t i = 0; i < versions.size(); ++i) {
            const auto frame =
                transmit(mode, payload, versions[i], snr_db, 100 * static_cast<std::uint64_t>(t) + i + 1);
            if (!frame) {
                all = false;
                break;
            }
            alone = alone || frame->ok();
            EXPECT_EQ(frame->soft.empty(), frame->ok());
            EXPECT_TRUE(combiner.add(*frame));
        }
        if (!all) {
            continue;
        }
        ++counts.heard;
        counts.alone += alone ? 1 : 0;
        if (combiner.complete()) {
            ++counts.combined;
            EXPECT_EQ(combiner.frame()->payload, payload);
        }
    }
    return counts;
}

// Two copies at 3 dB below what one needs (PER 1e-2 of one copy, and 0.4 dB for the estimates) arrive together.
TEST(Harq, TwoCopiesAreWorthThreeDecibels) {
    for (const std::string_view mode : {"qpsk-1/2", "16qam-1/2", "64qam-3/4"}) {
        const double alone = static_cast<double>(modes()[mode_of(mode)].required_snr_db);
        const Counts counts = combine(mode, {0, 0}, alone - 3.0 + 0.4, 10);
        EXPECT_GE(counts.heard, 9) << mode;
        EXPECT_EQ(counts.alone, 0) << mode;
        EXPECT_GE(counts.combined, counts.heard - 1) << mode;
    }
}

// New parity instead of a copy: at rate 3/4 two versions make a code of rate 3/8, 5 dB below one copy.
TEST(Harq, NewParityIsWorthMoreThanACopyAtHighRates) {
    for (const std::string_view mode : {"qpsk-3/4", "16qam-3/4"}) {
        const double snr_db = static_cast<double>(modes()[mode_of(mode)].required_snr_db) - 4.6;
        const Counts chase = combine(mode, {0, 0}, snr_db, 8);
        const Counts parity = combine(mode, {0, 1}, snr_db, 8);
        EXPECT_GE(parity.heard, 7) << mode;
        EXPECT_GE(parity.combined, parity.heard - 1) << mode;
        EXPECT_EQ(chase.combined, 0) << mode;
    }
}

TEST(Harq, FourVersionsAndAnotherModeAddUp) {
    Rng rng(62);
    const Bytes payload = random_bytes(rng, 1500);  // two blocks
    HarqCombiner combiner;
    const std::pair<std::string_view, unsigned> sent[] = {
        {"16qam-3/4", 0}, {"16qam-3/4", 1}, {"16qam-1/2", 2}, {"qpsk-2/3", 0}};
    int used = 0;
    for (const auto& [mode, version] : sent) {
        const auto frame = transmit(mode, payload, version, 2.5, 70 + static_cast<std::uint64_t>(used));
        ASSERT_TRUE(frame.has_value()) << mode;
        EXPECT_FALSE(frame->ok());
        ASSERT_TRUE(combiner.add(*frame));
        ++used;
        if (combiner.complete()) {
            break;
        }
    }
    EXPECT_TRUE(combiner.complete());
    EXPECT_GE(used, 2);
    EXPECT_EQ(combiner.frame()->payload, payload);
}

TEST(Harq, AnotherPayloadFailsItsCrcAndAnotherLengthIsRefused) {
    Rng rng(63);
    const auto first = transmit("qpsk-1/2", random_bytes(rng, 700), 0, -0.5, 1);
    const auto stranger = transmit("qpsk-1/2", random_bytes(rng, 700), 0, -0.5, 2);
    const auto longer = transmit("qpsk-1/2", random_bytes(rng, 701), 0, -0.5, 3);
    ASSERT_TRUE(first && stranger && longer);
    HarqCombiner combiner;
    EXPECT_FALSE(combiner.frame().has_value());
    EXPECT_TRUE(combiner.add(*first));
    EXPECT_TRUE(combiner.add(*stranger));
    EXPECT_FALSE(combiner.complete());
    EXPECT_FALSE(combiner.add(*longer));
    combiner.reset();
    EXPECT_TRUE(combiner.add(*longer));
}

TEST(Harq, WholeBlocksAreKept) {
    Rng rng(64);
    const Bytes payload = random_bytes(rng, 700);
    const auto whole = transmit("qpsk-1/2", payload, 0, 10.0, 1);
    const auto stranger = transmit("qpsk-1/2", random_bytes(rng, 700), 0, 10.0, 2);
    const auto failed = transmit("qpsk-1/2", payload, 0, -0.5, 3);
    ASSERT_TRUE(whole && stranger && failed);
    HarqCombiner combiner;
    EXPECT_TRUE(combiner.add(*failed));
    EXPECT_FALSE(combiner.complete());
    EXPECT_TRUE(combiner.add(*whole));
    EXPECT_TRUE(combiner.complete());
    EXPECT_TRUE(combiner.add(*stranger));
    EXPECT_EQ(combiner.frame()->payload, payload);
}

TEST(Harq, RefusesWhatNoReceiverOfOursMakes) {
    EXPECT_THROW(HarqCombiner{0}, std::invalid_argument);
    EXPECT_THROW(HarqCombiner{101}, std::invalid_argument);
    HarqCombiner combiner;
    Frame frame;
    EXPECT_FALSE(combiner.add(frame));
    frame.payload = Bytes(10);
    frame.blocks = {{0, 10, false, 1}};
    frame.soft = {{1, 1.0F, {}}};
    EXPECT_FALSE(combiner.add(frame));  // a block that is not there
    frame.soft = {{0, 0.0F, {}}};
    EXPECT_FALSE(combiner.add(frame));  // no scale
    frame.soft = {{0, 1.0F, std::vector<std::int8_t>(50'000)}};
    EXPECT_FALSE(combiner.add(frame));  // more than its mother codeword
    frame.blocks = {{0, 2000, false, 1}};
    frame.payload = Bytes(2000);
    frame.soft.clear();
    EXPECT_FALSE(combiner.add(frame));  // a block that no code has
}

// Soft values are only kept when asked for, and only of what failed.
TEST(Harq, SoftValuesAreBounded) {
    Rng rng(65);
    const auto frame = transmit("qpsk-1/5", random_bytes(rng, 2000), 0, -6.5, 1);
    ASSERT_TRUE(frame.has_value());
    EXPECT_FALSE(frame->ok());
    for (const auto& soft : frame->soft) {
        EXPECT_FALSE(frame->blocks.at(soft.block).crc_ok);
        EXPECT_LE(soft.steps.size(), LdpcCode::kMaxMotherBits);
        EXPECT_GT(soft.steps_per_llr, 0.0F);
    }
}

}  // namespace
}  // namespace meshnet::phy
