// SPDX-License-Identifier: MIT
// Sample index <-> Instant: the only place where the two meet. Integer arithmetic, so an index a year away is as exact
// as the first, and any rational sample rate runs without drift.
#pragma once

#include <cassert>
#include <cmath>
#include <cstdint>
#include <numeric>

#include "core/time.hpp"

namespace meshnet::node {

/// A sample rate as a fraction: `num` / `den` samples per second, in lowest terms.
struct SampleRate {
    std::uint64_t num = 1;
    std::uint64_t den = 1;

    /// The rate nearest to `hz` with a denominator of at most 2^20; exact for every rate that is a multiple of 2^-20
    /// Hz. Not finite, < 1 or > 1e9: the nearest bound (1 if not a number).
    [[nodiscard]] static SampleRate from_hz(double hz) noexcept {
        if (!(hz >= 1.0)) {
            return {1, 1};
        }
        hz = hz > 1e9 ? 1e9 : hz;
        constexpr std::uint64_t kDen = std::uint64_t{1} << 20;
        const auto num = static_cast<std::uint64_t>(std::llround(hz * static_cast<double>(kDen)));
        const std::uint64_t divisor = std::gcd(num, kDen);
        return {num / divisor, kDen / divisor};
    }
    /// Samples per second, for display and for libraries that want a double.
    [[nodiscard]] constexpr double hz() const noexcept { return static_cast<double>(num) / static_cast<double>(den); }
    friend bool operator==(const SampleRate&, const SampleRate&) = default;
};

/// A radio's sample counter read as time. Sample `origin_index` is at `origin`; both directions are exact to the
/// nanosecond.
class SampleClock {
public:
    /// `rate`: 1..1e9 samples per second (a precondition). Above that two samples could share a nanosecond.
    explicit SampleClock(SampleRate rate, Instant origin = Instant{}, std::uint64_t origin_index = 0) noexcept
        : rate_(rate), origin_(origin), origin_index_(origin_index) {
        assert(rate.num >= rate.den && rate.den >= 1 && rate.num / rate.den <= 1'000'000'000);
    }

    /// When sample `index` is at the antenna, rounded down to the nanosecond. Indexes before the origin are fine.
    [[nodiscard]] Instant to_instant(std::uint64_t index) const noexcept {
        const Wide samples = static_cast<Wide>(index) - static_cast<Wide>(origin_index_);
        return origin_ + Duration{static_cast<std::int64_t>(floor_div(samples * kNsPerS * rate_.den, rate_.num))};
    }

    /// The first sample at or after `t`: to_index(to_instant(i)) == i for every i. Before index 0: 0.
    [[nodiscard]] std::uint64_t to_index(Instant t) const noexcept {
        const Wide ns = (t - origin_).count();
        const Wide index = static_cast<Wide>(origin_index_) - floor_div(-ns * rate_.num, kNsPerS * rate_.den);
        return index < 0 ? 0 : static_cast<std::uint64_t>(index);
    }

    /// Span of `samples` samples, rounded down.
    [[nodiscard]] Duration duration_of(std::uint64_t samples) const noexcept {
        return Duration{
            static_cast<std::int64_t>(floor_div(static_cast<Wide>(samples) * kNsPerS * rate_.den, rate_.num))};
    }

    [[nodiscard]] const SampleRate& rate() const noexcept { return rate_; }

private:
    __extension__ typedef __int128 Wide;
    static constexpr Wide kNsPerS = 1'000'000'000;

    static Wide floor_div(Wide a, Wide b) noexcept {
        const Wide q = a / b;
        return (a % b != 0 && a < 0) ? q - 1 : q;
    }

    SampleRate rate_;
    Instant origin_;
    std::uint64_t origin_index_;
};

}  // namespace meshnet::node
