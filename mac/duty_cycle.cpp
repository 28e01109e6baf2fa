// SPDX-License-Identifier: MIT
#include "mac/duty_cycle.hpp"

#include <algorithm>

namespace meshnet::mac {
namespace {
constexpr Duration kWindow = 600s;
constexpr double kRefill = 0.9;
}  // namespace

DutyCycle::DutyCycle(double share) noexcept
    : share_(share), depth_(from_seconds(to_seconds(kWindow) * share * (1.0 - kRefill))), tokens_(depth_) {}

Duration DutyCycle::available(Instant now) noexcept {
    if (share_ >= 1.0) {
        return depth_;
    }
    if (!started_) {
        started_ = true;
        refilled_ = now;
    }
    if (now > refilled_) {
        const Duration passed = std::min(now - refilled_, kWindow);
        const auto gained = static_cast<std::int64_t>(static_cast<double>(passed.count()) * share_ * kRefill);
        // Below a nanosecond of gain nothing is taken, so frequent calls lose nothing.
        if (gained > 0) {
            tokens_ = std::min(depth_, tokens_ + Duration{gained});
            refilled_ = now;
        }
    }
    return std::max(tokens_, Duration::zero());
}

Instant DutyCycle::when(Instant now, Duration airtime) noexcept {
    const Duration have = available(now);
    if (have >= airtime) {
        return now;
    }
    const double missing = static_cast<double>((std::min(airtime, depth_) - tokens_).count());
    return now + Duration{static_cast<std::int64_t>(missing / (share_ * kRefill)) + 1'000};
}

void DutyCycle::spend(Instant now, Duration airtime) noexcept {
    if (share_ < 1.0) {
        (void)available(now);
        tokens_ -= airtime;
    }
}

void DutyCycle::refund(Duration airtime) noexcept {
    if (share_ < 1.0) {
        tokens_ = std::min(depth_, tokens_ + airtime);
    }
}

}  // namespace meshnet::mac
