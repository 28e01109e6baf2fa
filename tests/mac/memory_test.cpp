// SPDX-License-Identifier: MIT
// Receive state of a Mac under attack, counted where it is allocated: row 20 of the list of attacks. A program of its
// own, because it replaces operator new.
#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "core/random.hpp"
#include "mac/arq_receiver.hpp"
#include "mac/frame_format.hpp"
#include "tests/support/table_phy.hpp"

namespace {
std::atomic<std::int64_t> held{0};
}

void* operator new(std::size_t size) {
    void* p = std::malloc(size);
    if (p == nullptr) {
        throw std::bad_alloc();
    }
    held += static_cast<std::int64_t>(malloc_usable_size(p));
    return p;
}
void operator delete(void* p) noexcept {
    if (p != nullptr) {
        held -= static_cast<std::int64_t>(malloc_usable_size(p));
    }
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
    operator delete(p);
}

namespace meshnet::mac {
namespace {

using meshnet::test::TablePhy;

constexpr StationId kSelf = 200;
constexpr std::int64_t kMost = 16'000'000;

/// Pieces of one byte that never make an SDU: what they cost is hardly their data.
Burst hostile_burst(StationId sender, std::uint32_t number, bool authenticated, const Bytes& data) {
    Burst b;
    b.header.sender = sender;
    b.header.burst = number;
    b.header.authenticated = authenticated;
    b.header.targets = {{kSelf, 1, 0}, {kBroadcast, 1, 0}};
    for (std::uint16_t i = 0; i < 128; ++i) {
        for (std::uint8_t target = 0; target < 2; ++target) {
            FragmentView f;
            f.target = target;
            f.sequence = static_cast<std::uint16_t>(1 + number * 128U + i);
            f.sdu = f.sequence;
            f.index = static_cast<std::uint8_t>(i % 2);
            f.count = 64;
            f.data = data;
            b.fragments.push_back(f);
        }
    }
    return b;
}

std::int64_t cost_of(bool authenticated, std::size_t keyed, std::size_t data_bytes) {
    const TablePhy phy;
    Rng random(1);
    Mac::Config config;
    config.self = kSelf;
    config.authenticated = authenticated;
    Mac mac(config, phy, random);
    Instant now = instant_from_ns(5'000'000'000);
    const Bytes data(data_bytes, 1);
    LinkKeys keys;
    keys.receive.fill(7);
    for (std::size_t s = 0; s < keyed; ++s) {
        mac.set_link_keys(now, static_cast<StationId>(1'000 + s), keys);
    }
    const SendKeys tags = [&](StationId) { return &keys.receive; };
    const std::int64_t before = held;
    for (std::uint32_t number = 0; number < 8; ++number) {
        for (std::size_t s = 0; s < 300; ++s) {
            RxFrame frame;
            frame.payload = encode_burst(hostile_burst(static_cast<StationId>(1'000 + s), number, authenticated, data),
                                         false, tags);
            frame.start = frame.end = now;
            frame.snr_db = 10.0F;
            mac.on_frame(now, frame);
            now += 1ms;
            while (mac.poll_event()) {
            }
        }
    }
    const std::int64_t cost = held - before;
    EXPECT_LE(mac.neighbors(now).size(), 64U + 32U);
    return cost;
}

TEST(MacMemory, NoReceiveStateBeforeASession) {
    EXPECT_LE(cost_of(true, 0, 1), 100'000);
}

TEST(MacMemory, NeighboursWithKeysHoldLessThanSixteenMegabytes) {
    const std::int64_t small = cost_of(true, 64, 1);
    const std::int64_t large = cost_of(true, 64, 120);
    std::printf("64 hostile neighbours hold %.1f and %.1f MB\n", static_cast<double>(small) * 1e-6,
                static_cast<double>(large) * 1e-6);
    EXPECT_GT(large, 4'000'000) << "the attack fills the windows";
    EXPECT_LE(small, kMost);
    EXPECT_LE(large, kMost);
}

TEST(MacMemory, ABareMacToo) {
    EXPECT_LE(cost_of(false, 0, 1), kMost);
    EXPECT_LE(cost_of(false, 0, 120), kMost);
}

}  // namespace
}  // namespace meshnet::mac
