// SPDX-License-Identifier: MIT
#include "mac/ranging.hpp"

#include <algorithm>

namespace meshnet::mac {
namespace {

constexpr std::int64_t kWrap = std::int64_t{1} << 48;
constexpr std::int64_t kLongest = 20'000'000'000;  // beyond 20 s stamps are useless
constexpr std::int64_t kMostPpb = 100'000;         // 100 ppm: two clocks, Doppler, and room

/// a - b for stamps modulo 2^48 ns.
std::int64_t stamp_difference(Duration a, Duration b) noexcept {
    std::int64_t d = (a.count() - b.count()) % kWrap;
    if (d < 0) {
        d += kWrap;
    }
    return d >= kWrap / 2 ? d - kWrap : d;
}

}  // namespace

void SentHellos::add(std::uint16_t number, Instant sent) noexcept {
    entries_[number % entries_.size()] = Entry{number, true, sent};
}

void SentHellos::forget(std::uint16_t number) noexcept {
    Entry& e = entries_[number % entries_.size()];
    if (e.number == number) {
        e.used = false;
    }
}

std::optional<Instant> SentHellos::find(std::uint16_t number) const noexcept {
    const Entry& e = entries_[number % entries_.size()];
    return e.used && e.number == number ? std::optional(e.sent) : std::nullopt;
}

void Ranging::on_hello(Instant received, const Hello& hello, const std::optional<Heard>& about_us,
                       const SentHellos& ours) noexcept {
    if (heard_) {
        const std::int64_t its = stamp_difference(hello.sent, last_sent_);
        const std::int64_t our = (received - last_received_).count();
        // At least 100 ms apart, or the rate is noise.
        if (its > 100'000'000 && its < kLongest && our > 0 && our < kLongest) {
            const std::int64_t drift = our - its;
            if (drift > -its / 10'000 && drift < its / 10'000) {
                rate_ppb_ = drift * 1'000'000'000 / its;
                rate_known_ = true;
            }
        }
    }
    heard_ = true;
    last_number_ = hello.number;
    last_received_ = received;
    last_sent_ = hello.sent;
    if (!about_us || !rate_known_ || rate_ppb_ > kMostPpb || rate_ppb_ < -kMostPpb) {
        return;
    }
    const auto t1 = ours.find(about_us->hello);
    if (!t1) {
        return;
    }
    const std::int64_t held = stamp_difference(hello.sent, about_us->received);
    const std::int64_t round = (received - *t1).count();
    if (held < 0 || held > kLongest || round < 0 || round > kLongest) {
        return;
    }
    // The rate seen is that of the clocks and that of the distance. held <= 2e10 and rate <= 2e5: the product fits.
    const std::int64_t held_ours = held + held / 1'000 * (rate_ppb_ - slope_ppb()) / 1'000'000;
    const std::int64_t tau = (round - held_ours) / 2;
    if (tau < -50'000 || tau > kMostPropagation.count()) {
        return;  // a stamp of another start, or forged
    }
    // The distance measured is that in the middle between the two hellos.
    estimates_[count_ % estimates_.size()] = {*t1 + Duration{round / 2}, Duration{tau}};
    ++count_;
}

void Ranging::reset() noexcept {
    *this = Ranging();
}

namespace {

template <std::size_t N>
std::int64_t median(std::array<std::int64_t, N>& values, std::size_t count) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(count / 2);
    std::nth_element(values.begin(), middle, values.begin() + static_cast<std::ptrdiff_t>(count));
    return *middle;
}

}  // namespace

// The median of the slopes of all pairs (P. K. Sen, J. Amer. Statist. Assoc. 63, 1968): two wrong stamps of eight
// change little.
std::int64_t Ranging::slope_ppb() const noexcept {
    const std::size_t n = std::min(count_, estimates_.size());
    std::array<std::int64_t, kEstimates*(kEstimates - 1) / 2> slopes{};
    std::size_t count = 0;
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t k = i + 1; k < n; ++k) {
            const std::int64_t apart = (estimates_[k].at - estimates_[i].at).count();
            if (apart > 100'000'000 || apart < -100'000'000) {
                const std::int64_t change = (estimates_[k].tau - estimates_[i].tau).count();
                slopes[count++] = std::clamp(change * 1'000'000'000 / apart, -kMostPpb, kMostPpb);
            }
        }
    }
    // A few stamps give no slope worth using.
    return n < kLeastForSlope || count == 0 ? 0 : median(slopes, count);
}

// Along the line, so that a satellite's motion does not make the estimate late.
std::optional<Duration> Ranging::propagation(Instant now) const noexcept {
    const std::size_t n = std::min(count_, estimates_.size());
    if (n == 0) {
        return std::nullopt;
    }
    Instant newest = estimates_[0].at;
    for (std::size_t i = 1; i < n; ++i) {
        newest = std::max(newest, estimates_[i].at);
    }
    const std::int64_t ppb = slope_ppb();
    std::array<std::int64_t, kEstimates> level{};
    for (std::size_t i = 0; i < n; ++i) {
        level[i] = estimates_[i].tau.count() + (newest - estimates_[i].at).count() / 1'000 * ppb / 1'000'000;
    }
    const std::int64_t ahead = std::clamp((now - newest).count(), std::int64_t{0}, kLongest);
    return Duration{std::max<std::int64_t>(median(level, n) + ahead / 1'000 * ppb / 1'000'000, 0)};
}

}  // namespace meshnet::mac
