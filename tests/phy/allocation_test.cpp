// SPDX-License-Identifier: MIT
// A receiver that has received a frame has all the memory it needs for the next one like it, on a channel that stands
// still and on one that moves: only what is handed out with a frame is new.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdlib>
#include <new>
#include <numbers>
#include <vector>

#include "core/random.hpp"
#include "phy/estimation/time_varying_channel.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"

namespace {

thread_local bool counting = false;
thread_local long allocations = 0;

void* allocate(std::size_t size) {
    if (counting) {
        ++allocations;
    }
    void* memory = std::malloc(size > 0 ? size : 1);
    if (memory == nullptr) {
        throw std::bad_alloc();
    }
    return memory;
}

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    allocations += counting ? 1 : 0;
    return std::malloc(size > 0 ? size : 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    allocations += counting ? 1 : 0;
    return std::malloc(size > 0 ? size : 1);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace meshnet::phy {
namespace {

template <typename Work>
long count_allocations(const Work& work) {
    allocations = 0;
    counting = true;
    work();
    counting = false;
    return allocations;
}

// The gain of one path at each sample: a sum of waves from all sides, 20 dB of a steady one on top.
void fade(std::vector<Sample>& samples, double doppler_hz, double rate_hz) {
    constexpr int kWaves = 12;
    Rng rng(3);
    double speed[kWaves];
    double start[kWaves];
    for (int w = 0; w < kWaves; ++w) {
        speed[w] = 2.0 * std::numbers::pi * doppler_hz / rate_hz * std::cos(2.0 * std::numbers::pi * rng.uniform());
        start[w] = 2.0 * std::numbers::pi * rng.uniform();
    }
    for (std::size_t i = 0; i < samples.size(); ++i) {
        std::complex<double> gain(1.0);
        for (int w = 0; w < kWaves; ++w) {
            gain += std::polar(0.5 / std::sqrt(kWaves), start[w] + speed[w] * static_cast<double>(i));
        }
        samples[i] *= Sample(gain);
    }
}

void expect_only_frames_are_new(double doppler_hz) {
    constexpr int kFrames = 4;
    constexpr std::size_t kPayload = 1500;
    const Profile& profile = *find_profile("1M");
    Transmitter transmitter(profile);
    std::vector<Sample> samples;
    for (int i = 0; i < kFrames; ++i) {
        const Bytes payload(kPayload, static_cast<std::uint8_t>(i));
        transmitter.modulate(*find_mode("qpsk-1/3"), payload, samples);
        samples.resize(samples.size() + 3000);
    }
    fade(samples, doppler_hz, profile.sample_rate_hz);
    Rng rng(1);
    const float deviation = kTransmitRms * 0.05F;
    for (auto& s : samples) {
        s += deviation * Sample(static_cast<float>(rng.normal()), static_cast<float>(rng.normal()));
    }
    Receiver::Config config;
    config.profile = &profile;
    Receiver receiver(config);
    const auto received = [&] {
        int count = 0;
        while (const auto frame = receiver.poll_frame()) {
            count += frame->ok() ? 1 : 0;
        }
        return count;
    };
    receiver.push(samples);
    receiver.push(samples);
    ASSERT_GE(received(), 2 * kFrames - 1);  // the last one still waits for what follows it
    const long count = count_allocations([&] { receiver.push(samples); });
    EXPECT_EQ(received(), kFrames);
    // Payload and blocks of each frame, a copy of both for what may lie beneath it, and a place in the queue.
    EXPECT_LE(count, 5 * kFrames);
}

TEST(Allocation, FramesOnAStillChannelNeedNone) {
    expect_only_frames_are_new(0.0);
}

TEST(Allocation, FramesOnATimeVaryingChannelNeedNone) {
    expect_only_frames_are_new(80.0);
}

TEST(Allocation, TimeVaryingChannelFitsAgainWithoutAny) {
    for (const char* name : {"1M", "5M"}) {
        const Grid grid(*find_profile(name));
        PilotRecord record(grid);
        std::vector<Sample> carriers(grid.carriers());
        Rng rng(2);
        const auto hear = [&] {
            record.clear();
            for (std::size_t s = 0; s < 150; ++s) {
                const auto gain =
                    std::polar(1.0, 0.03 * static_cast<double>(s)) + std::polar(0.9, -0.05 * static_cast<double>(s));
                for (std::size_t c = 0; c < carriers.size(); ++c) {
                    const Sample noise(static_cast<float>(0.1 * rng.normal()), static_cast<float>(0.1 * rng.normal()));
                    carriers[c] = (Sample(gain) + noise) * grid.pilot(s, c);
                }
                record.add_pilots(carriers, s, false, 0.2);
            }
        };
        TimeVaryingChannel channel(grid);
        double knots = 0.0;
        const auto work = [&] {
            hear();
            knots = channel.fit(record, 0.02).knots;
            channel.response(75.0, carriers);
        };
        EXPECT_GT(count_allocations(work), 0) << "the count counts";
        EXPECT_EQ(count_allocations(work), 0) << name;
        EXPECT_LT(knots, 52.0);
    }
}

}  // namespace
}  // namespace meshnet::phy
