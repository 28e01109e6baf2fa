// SPDX-License-Identifier: MIT
// Threads that decode change nothing but the time it takes.
#include <gtest/gtest.h>

#include <stdexcept>
#include <tuple>
#include <vector>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

// Frames of one and of many blocks, some of which collide, in noise that costs some of their blocks.
std::vector<Sample> busy_air(const Profile& profile) {
    Rng rng(77);
    Transmitter transmitter(profile);
    std::vector<Sample> air(4'000);
    for (int i = 0; i < 24; ++i) {
        Bytes payload(1 + rng.below(i % 4 == 0 ? 9'000 : 900));
        for (auto& b : payload) {
            b = static_cast<std::uint8_t>(rng.below(256));
        }
        std::vector<Sample> frame;
        transmitter.modulate(*find_mode(i % 3 == 0 ? "16qam-3/4" : "qpsk-1/2"), payload, frame);
        const std::size_t start = air.size() - rng.below(2'000);
        air.resize(std::max(air.size(), start + frame.size()));
        for (std::size_t n = 0; n < frame.size(); ++n) {
            air[start + n] += frame[n] * (i % 2 == 0 ? 1.0F : 0.3F);
        }
    }
    air.resize(air.size() + 30'000);
    for (auto& s : air) {
        s += 0.043F * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
    }
    return air;
}

using Row = std::tuple<std::uint64_t, float, bool, bool, std::vector<std::pair<bool, unsigned>>, Bytes>;

// In chunks of `chunk` samples: few, which are searched where they are, or many, which are searched ahead.
std::vector<Row> received(const Profile& profile, std::span<const Sample> air, unsigned threads,
                          std::size_t chunk = 1'000, bool hinted = false) {
    Receiver::Config config;
    config.profile = &profile;
    config.decode_threads = threads;
    Receiver receiver(config);
    std::vector<Row> out;
    while (!air.empty()) {
        const std::size_t n = std::min(air.size(), chunk);
        if (hinted && out.size() == 5) {
            receiver.set_doppler_hint({300.0, 50.0});
        }
        receiver.push(air.first(n));
        air = air.subspan(n);
        while (const auto f = receiver.poll_frame()) {
            std::vector<std::pair<bool, unsigned>> blocks;
            for (const auto& b : f->blocks) {
                blocks.emplace_back(b.crc_ok, b.iterations);
            }
            out.emplace_back(f->sample_index, f->snr_db, f->ok(), f->recovered, std::move(blocks), f->payload);
        }
    }
    return out;
}

TEST(DecodeWorkers, FramesAreTheSameWithAnyNumber) {
    const Profile& profile = *find_profile("1M");
    const auto air = busy_air(profile);
    const auto alone = received(profile, air, 0);
    std::size_t good = 0;
    for (const auto& row : alone) {
        good += std::get<2>(row) ? 1 : 0;
    }
    EXPECT_GE(good, 8U);
    EXPECT_LT(good, alone.size()) << "the noise was to cost some";
    EXPECT_EQ(received(profile, air, 1), alone);
    EXPECT_EQ(received(profile, air, 3), alone);
    for (const std::size_t chunk : {1'500U, 3'000U, 20'001U, 70'000U, 1'000'000U}) {
        EXPECT_EQ(received(profile, air, 1, chunk), alone) << chunk;
        EXPECT_EQ(received(profile, air, 2, chunk), alone) << chunk;
    }
}

TEST(DecodeWorkers, ADopplerHintInBetweenChangesNothing) {
    const Profile& profile = *find_profile("1M");
    const auto air = busy_air(profile);
    const auto alone = received(profile, air, 0, 5'000, true);
    EXPECT_GE(alone.size(), 6U);
    EXPECT_EQ(received(profile, air, 1, 5'000, true), alone);
}

TEST(DecodeWorkers, EndWithBlocksUnderWay) {
    const Profile& profile = *find_profile("1M");
    const auto air = busy_air(profile);
    for (std::size_t length = 6'000; length < air.size(); length += 23'001) {
        Receiver::Config config;
        config.profile = &profile;
        config.decode_threads = 2;
        Receiver receiver(config);
        receiver.push(std::span(air).first(length));
    }
}

TEST(DecodeWorkers, ANumberOutOfRangeIsRefused) {
    Receiver::Config config;
    config.profile = find_profile("1M");
    config.decode_threads = 17;
    EXPECT_THROW(Receiver{config}, std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::phy
