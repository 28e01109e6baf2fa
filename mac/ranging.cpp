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
    // held <= 2e10 and rate <= 1e5: the product fits with room.
    const std::int64_t held_ours = held + held / 1'000 * rate_ppb_ / 1'000'000;
    const std::int64_t tau = (round - held_ours) / 2;
    if (tau < -50'000 || tau > 2 * longest_.count() + 50'000) {
        return;  // a stamp of another start, or forged
    }
    estimates_[count_ % estimates_.size()] = Duration{std::max<std::int64_t>(tau, 0)};
    ++count_;
}

void Ranging::reset() noexcept {
    *this = Ranging(longest_);
}

std::optional<Duration> Ranging::propagation() const noexcept {
    if (count_ == 0) {
        return std::nullopt;
    }
    auto sorted = estimates_;
    const std::size_t n = std::min(count_, sorted.size());
    std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n));
    return sorted[n / 2];
}

}  // namespace meshnet::mac
