// SPDX-License-Identifier: MIT
#include "net/route_metric.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::net {

namespace {

constexpr unsigned kNotablePercent = 25;
constexpr int kSteadyDelayMs = 5;
constexpr double kHarmlessLoss = 0.25;  // collisions with control traffic make so much on an idle link
constexpr double kMostLoss = 0.95;
constexpr double kSecondsToWorse = 3.0;  // time constants
constexpr double kSecondsToBetter = 10.0;
constexpr Duration kSettle = 1s;
constexpr unsigned kLinkChangePercent = 20;  // of a link's airtime, below which routes are not weighed anew

std::uint32_t add(std::uint32_t a, std::uint32_t b) noexcept {
    return a > kUnreachable - b ? kUnreachable : a + b;
}

}  // namespace

bool differs_by(std::uint32_t a, std::uint32_t b, unsigned percent) noexcept {
    const std::uint64_t high = std::max(a, b);
    const std::uint64_t low = std::min(a, b);
    return (high - low) * 100 > low * percent;
}

LinkMetric LinkMetric::measured(const LinkQuality& q) noexcept {
    double us = q.airtime_us_per_kib;
    if (!(us > 0.0) && q.rate_bps > 0.0) {
        us = 8'192e6 / q.rate_bps;
    }
    const auto ms = q.round_trip.count() / 2'000'000;
    return {us >= 1.0 && std::isfinite(us) ? static_cast<std::uint32_t>(std::min(us, 4e9)) : 1U,
            static_cast<std::uint16_t>(std::clamp<std::int64_t>(ms, 0, 0xFFFF))};
}

bool LinkMetric::follow(const LinkMetric& now) noexcept {
    const bool airtime_changed = differs_by(airtime_us_per_kib, now.airtime_us_per_kib, kLinkChangePercent);
    const bool delay_changed = differs_by(delay_ms, now.delay_ms, kLinkChangePercent) &&
                               std::abs(int{delay_ms} - int{now.delay_ms}) > kSteadyDelayMs;
    if (airtime_changed) {
        airtime_us_per_kib = now.airtime_us_per_kib;
    }
    if (delay_changed) {
        delay_ms = now.delay_ms;
    }
    return airtime_changed || delay_changed;
}

LinkEstimate::LinkEstimate(Instant now, const LinkQuality& quality) : at_(now) {
    (void)update(now, quality);
    metric_ = lossless_;
}

bool LinkEstimate::update(Instant now, const LinkQuality& quality) {
    (void)settle(now);
    measured_loss_ = quality.loss >= 0.0 && quality.loss <= kMostLoss ? quality.loss : kMostLoss;
    lossless_ = LinkMetric::measured(quality);
    // The link layer's airtime holds its retransmissions; they are added back as far as they last.
    const double us = lossless_.airtime_us_per_kib * (1.0 - measured_loss_);
    lossless_.airtime_us_per_kib = static_cast<std::uint32_t>(std::max(1.0, us));
    return settle(now);
}

bool LinkEstimate::settle(Instant now) {
    const double elapsed = std::chrono::duration<double>(now - at_).count();
    at_ = std::max(at_, now);
    if (elapsed > 0.0) {
        const double seconds = measured_loss_ > loss_ ? kSecondsToWorse : kSecondsToBetter;
        loss_ += (measured_loss_ - loss_) * (1.0 - std::exp(-elapsed / seconds));
    }
    settle_at_.reset();
    if (std::abs(measured_loss_ - loss_) > 0.05 && std::max(measured_loss_, loss_) > kHarmlessLoss) {
        settle_at_ = now + kSettle;
    }
    LinkMetric candidate = lossless_;
    if (loss_ > kHarmlessLoss) {
        candidate.airtime_us_per_kib =
            static_cast<std::uint32_t>(std::min(4e9, lossless_.airtime_us_per_kib / (1.0 - loss_)));
    }
    return metric_.follow(candidate);
}

void RouteMetric::encode(ByteWriter& w) const {
    w.u32(airtime_us_per_kib);
    w.u32(price_msat_per_mib);
    w.u16(static_cast<std::uint16_t>(std::min(delay_ms, 0xFFFFU)));
    w.u8(hops);
}

RouteMetric RouteMetric::decode(ByteReader& r) {
    RouteMetric m;
    m.airtime_us_per_kib = r.u32();
    m.price_msat_per_mib = r.u32();
    m.delay_ms = r.u16();
    m.hops = r.u8();
    return m;
}

RouteMetric RouteMetric::over(const LinkMetric& link) const noexcept {
    RouteMetric m = *this;
    m.airtime_us_per_kib = add(airtime_us_per_kib, link.airtime_us_per_kib);
    m.delay_ms = delay_ms + link.delay_ms;
    m.hops = static_cast<std::uint8_t>(std::min(hops + 1, 255));
    return m;
}

RouteMetric RouteMetric::charging(std::uint32_t price) const noexcept {
    RouteMetric m = *this;
    m.price_msat_per_mib = add(price_msat_per_mib, price);
    return m;
}

std::uint64_t RouteMetric::cost(const MetricWeights& weights) const noexcept {
    return std::uint64_t{airtime_us_per_kib} + std::uint64_t{price_msat_per_mib} * weights.us_per_msat +
           std::uint64_t{delay_ms} * weights.us_per_ms;
}

bool RouteMetric::differs_notably(const RouteMetric& advertised) const noexcept {
    return differs_by(airtime_us_per_kib, advertised.airtime_us_per_kib, kNotablePercent) ||
           price_msat_per_mib != advertised.price_msat_per_mib;
}

}  // namespace meshnet::net
