// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "mac/ranging.hpp"

namespace meshnet::mac::test {
namespace {

Instant at(Duration d) {
    return instant_from_ns(0) + d;
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

}  // namespace
}  // namespace meshnet::mac::test
