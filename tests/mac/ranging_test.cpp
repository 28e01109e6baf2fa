// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

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
        Ranging ranging;
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
        ASSERT_TRUE(ranging.propagation(at(9s)));
        EXPECT_NEAR(static_cast<double>(ranging.propagation(at(9s))->count()), static_cast<double>(tau), 200.0);
    }
}

// A satellite's pass at 600 km: the distance changes by up to 7 km/s and its rate by 70 m/s each second, clocks 20 ppm
// apart, hellos a second apart and lost at times.
TEST(MacRanging, APassIsFollowedToFiftyMicroseconds) {
    const auto tau = [](double t) {
        const double along = 7'500.0 * (t - 300.0);
        return static_cast<std::int64_t>(std::sqrt(along * along + 600e3 * 600e3) / 0.299'792'458);
    };
    const auto their = [](std::int64_t t) { return t - t / 50'000; };
    SentHellos ours;
    Ranging ranging;
    double worst = 0.0;
    std::uint16_t number = 0;
    for (int k = 1; k < 600; ++k, ++number) {
        const std::int64_t t = k * 1'000'000'000LL;
        ours.add(number, instant_from_ns(t));
        if (k % 7 == 3) {
            continue;  // lost
        }
        Heard about_us;
        about_us.peer = 1;
        about_us.hello = number;
        about_us.received = Duration{their(t + tau(k))};
        Hello h;
        h.number = number;
        const std::int64_t sent = t + 700'000'000;
        h.sent = Duration{their(sent)};
        ranging.on_hello(instant_from_ns(sent + tau(k + 0.7)), h, about_us, ours);
        if (k > 12) {
            const auto estimate = ranging.propagation(instant_from_ns(sent + 900'000'000));
            ASSERT_TRUE(estimate);
            worst = std::max(worst, std::abs(static_cast<double>(estimate->count() - tau(k + 1.6))));
        }
    }
    std::printf("pass at 600 km: worst error of the delay %.1f us\n", worst * 1e-3);
    EXPECT_LE(worst, 50e3);
}

TEST(MacRanging, ForgedStampsAreIgnored) {
    SentHellos ours;
    Ranging ranging;
    ours.add(1, at(1s));
    Heard about_us{1, 0.0F, 1, Duration{500}};
    Hello h;
    for (int k = 0; k < 20; ++k) {
        h.number = static_cast<std::uint16_t>(k);
        h.sent = Duration{k * 1'000'000'000LL + k * k * 10'000'000LL};
        ranging.on_hello(at(2s + k * 1s), h, about_us, ours);
    }
    EXPECT_FALSE(ranging.propagation(at(9s)));
}

}  // namespace
}  // namespace meshnet::mac::test
