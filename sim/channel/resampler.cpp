// SPDX-License-Identifier: MIT
#include "sim/channel/resampler.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "sim/channel/interpolator.hpp"

namespace meshnet::sim {
namespace {

constexpr std::int64_t kBefore = Interpolator::kBefore;
constexpr std::int64_t kAfter = Interpolator::kAfter;
constexpr std::int64_t kLeadIn = 48;  // zeros before the first input, so that its band-limited edge is whole
constexpr double kMaxRate = 2e-3;     // the delay never changes faster than this, whatever it is accelerated by

void check(bool ok, const char* what) {
    if (!ok) {
        throw std::invalid_argument(std::string("Resampler: ") + what);
    }
}

}  // namespace

Resampler::Resampler(const Config& config) : config_(config), held_(kLeadIn), first_held_(-kLeadIn) {
    check(std::abs(config.ppm) <= 1000.0, "ppm must be within -1000..1000");
    check(config.delay_samples >= 0.0 && config.delay_samples <= 1e7, "delay_samples must be within 0..1e7");
    check(std::abs(config.delay_rate) <= 1e-3, "delay_rate must be within -1e-3..1e-3");
    check(std::abs(config.delay_acceleration) <= 1e-9, "delay_acceleration must be within -1e-9..1e-9");
    rate_ = config.ppm * 1e-6 - config.delay_rate;
    if (config.delay_acceleration != 0.0) {
        const double sign = config.delay_acceleration > 0.0 ? 1.0 : -1.0;  // rate falls when the delay is accelerated
        accelerates_until_ = (kMaxRate + sign * rate_) / std::abs(config.delay_acceleration);
    }
}

std::int64_t Resampler::position(std::uint64_t m, float& fraction) const noexcept {
    const double t = static_cast<double>(m);
    const double curved = std::min(t, accelerates_until_);
    const double shift = t * rate_ - config_.delay_acceleration * curved * (t - 0.5 * curved) - config_.delay_samples;
    const double whole = std::floor(shift);
    fraction = static_cast<float>(shift - whole);
    if (fraction >= 1.0F) {
        fraction = 0x1.fffffep-1F;
    }
    return static_cast<std::int64_t>(m) + static_cast<std::int64_t>(whole);
}

void Resampler::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    held_.insert(held_.end(), in.begin(), in.end());
    const std::int64_t end = first_held_ + static_cast<std::int64_t>(held_.size());
    std::int64_t oldest = first_held_;
    for (;; ++next_output_) {
        float fraction = 0.0F;
        const std::int64_t p = position(next_output_, fraction);
        if (p + kAfter >= end) {
            oldest = p - kBefore;
            break;
        }
        const std::int64_t from = p - kBefore - first_held_;
        if (from < 0) {  // before the first input, or a delay that grew faster than time runs
            out.emplace_back();
            continue;
        }
        out.push_back(Interpolator::at(held_.data() + from, fraction));
    }
    // A small margin is kept: a delay may also shrink.
    const std::int64_t keep_from = oldest - 64;
    if (keep_from - first_held_ > 8192) {
        held_.erase(held_.begin(), held_.begin() + (keep_from - first_held_));
        first_held_ = keep_from;
    }
}

}  // namespace meshnet::sim
