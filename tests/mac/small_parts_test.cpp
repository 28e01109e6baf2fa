// SPDX-License-Identifier: MIT
// Queue, duty cycle, ranging, neighbour table, configuration.
#include <gtest/gtest.h>

#include <stdexcept>

#include "mac/duty_cycle.hpp"
#include "mac/neighbor.hpp"
#include "mac/queue.hpp"
#include "mac/ranging.hpp"
#include "tests/mac/medium.hpp"

namespace meshnet::mac::test {
namespace {

Instant at(Duration d) {
    return instant_from_ns(0) + d;
}

Sdu sdu(Priority p, std::uint64_t tag) {
    Sdu s;
    s.priority = p;
    s.tag = tag;
    s.bytes.assign(10, 0);
    return s;
}

TEST(MacQueue, StrictPriorityWithoutStarvation) {
    SduQueue q;
    q.push(at(0s), sdu(Priority::kBulk, 1));
    for (std::uint64_t k = 0; k < 20; ++k) {
        q.push(at(0s), sdu(Priority::kInteractive, 100 + k));
    }
    q.push(at(1s), sdu(Priority::kControl, 50));
    EXPECT_EQ(q.urgency(), Priority::kControl);
    EXPECT_EQ(q.bytes(), 220U);
    EXPECT_EQ(q.pop(at(1s))->sdu.tag, 50U);
    EXPECT_FALSE(q.pop(at(1s), true));
    for (std::uint64_t k = 0; k < 8; ++k) {
        EXPECT_EQ(q.pop(at(1s))->sdu.tag, 100 + k);  // within its patience bulk waits
    }
    bool bulk = false;
    for (int k = 0; k < 4; ++k) {
        bulk = bulk || q.pop(at(3s))->sdu.tag == 1;
    }
    EXPECT_TRUE(bulk);
}

TEST(MacDutyCycle, EveryWindowHolds) {
    DutyCycle d(0.01);
    EXPECT_EQ(d.depth(), 600ms);
    std::vector<Instant> sent;
    Instant t = at(0s);
    for (int k = 0; k < 3'000; ++k) {
        t = std::max(t, d.when(t, 10ms));
        ASSERT_GE(d.available(t), 10ms);
        d.spend(t, 10ms);
        sent.push_back(t);
        t += 10ms;
    }
    for (std::size_t i = 600; i < sent.size(); ++i) {
        EXPECT_GE(sent[i] - sent[i - 600], 600s - 10ms);
    }
    DutyCycle free(1.0);
    free.spend(at(0s), 3600s);
    EXPECT_GT(free.available(at(0s)), 1s);
}

// Two clocks, +-20 ppm and far apart, one of them across the wrap of its stamps.
TEST(MacRanging, DelayIsFoundThroughClockErrors) {
    for (const std::int64_t tau : {std::int64_t{0}, std::int64_t{200'000}, std::int64_t{1'000'000}}) {
        const auto a = [](std::int64_t t) { return t + t / 50'000 + 77; };
        const auto b = [](std::int64_t t) { return (std::int64_t{1} << 48) - 2'500'000'000 + t - t / 50'000; };
        SentHellos ours;
        Ranging ranging(1ms);
        std::uint16_t number = 0;
        Heard about_us;
        about_us.peer = 1;
        for (std::int64_t t = 1'000'000'000; t < 9'000'000'000; t += 1'000'000'000, ++number) {
            ours.add(number, instant_from_ns(a(t)));
            about_us.hello = number;
            about_us.received = Duration{b(t + tau) & ((std::int64_t{1} << 48) - 1)};
            Hello h;
            h.number = number;
            h.sent = Duration{b(t + 600'000'000) & ((std::int64_t{1} << 48) - 1)};
            ranging.on_hello(instant_from_ns(a(t + 600'000'000 + tau)), h, about_us, ours);
        }
        ASSERT_TRUE(ranging.propagation());
        EXPECT_NEAR(static_cast<double>(ranging.propagation()->count()), static_cast<double>(tau), 200.0);
    }
}

TEST(MacRanging, ForgedStampsAreIgnored) {
    SentHellos ours;
    Ranging ranging(1ms);
    ours.add(1, at(1s));
    Heard about_us{1, 0.0F, 1, Duration{500}};
    Hello h;
    for (int k = 0; k < 20; ++k) {
        h.number = static_cast<std::uint16_t>(k);
        h.sent = Duration{k * 1'000'000'000LL + k * k * 10'000'000LL};
        ranging.on_hello(at(2s + k * 1s), h, about_us, ours);
    }
    EXPECT_FALSE(ranging.propagation());
}

TEST(MacNeighbors, TheTableIsBoundedAndKeepsWhoIsUp) {
    const TablePhy phy;
    NeighborTable table;
    const auto make = [&](StationId id) {
        return Neighbor(id, 0, 1s, Ranging(1ms), RateControl(phy, 1.5, std::nullopt));
    };
    for (StationId id = 1; id <= NeighborTable::kCapacity; ++id) {
        ASSERT_TRUE(table.make_room(at(1s), 3s));
        Neighbor& n = table.add(make(id));
        n.heard_at = at(1s + id * 1ms);
        n.up = id % 2 == 1;
    }
    EXPECT_FALSE(table.make_room(at(2s), 3s));
    EXPECT_TRUE(table.make_room(at(10s), 3s));
    EXPECT_EQ(table.find(2), nullptr);  // longest unheard of those not up
    EXPECT_NE(table.find(1), nullptr);
    EXPECT_EQ(table.size(), NeighborTable::kCapacity - 1);
}

TEST(MacConfig, WhatIsOutOfRangeIsNamed) {
    const TablePhy phy;
    Rng rng(1);
    const auto message = [&](auto change) -> std::string {
        Mac::Config c;
        c.self = 5;
        change(c);
        try {
            const Mac mac(c, phy, rng);
        } catch (const std::invalid_argument& e) {
            return e.what();
        }
        return "accepted";
    };
    EXPECT_EQ(message([](Mac::Config&) {}), "accepted");
    EXPECT_NE(message([](Mac::Config& c) { c.self = 0; }).find("self"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.turnaround = -1ms; }).find("turnaround"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.transmit_lead = 2s; }).find("transmit_lead"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.max_propagation = 1s; }).find("max_propagation"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.hello_interval = 1ms; }).find("hello_interval"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.max_burst = 5ms; }).find("max_burst"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.queue_bytes = 100; }).find("queue_bytes"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.snr_margin_db = 99.0; }).find("snr_margin_db"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.duty_cycle = 0.0; }).find("duty_cycle"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.duty_cycle = 1e-5; }).find("duty_cycle"), std::string::npos);
    EXPECT_NE(message([](Mac::Config& c) { c.fixed_mode = ModeIndex{10}; }).find("fixed_mode"), std::string::npos);
}

}  // namespace
}  // namespace meshnet::mac::test
