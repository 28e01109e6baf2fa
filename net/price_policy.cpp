// SPDX-License-Identifier: MIT
#include "net/price_policy.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace meshnet::net {

namespace {

constexpr double kStep = 0.1;         // of the price, by load
constexpr double kDeadBand = 0.1;     // of the load around its target: nothing changes
constexpr double kUndercutBy = 0.15;  // of the rival's price

void check(bool ok, const char* field, const char* range) {
    if (!ok) {
        throw std::invalid_argument(std::string("price_policy.") + field + " must be " + range);
    }
}

}  // namespace

PricePolicy::PricePolicy(const Config& config) : config_(config), price_(config.price) {
    check(config.floor >= 1, "floor", "at least 1");
    check(config.ceiling >= config.floor, "ceiling", "at least the floor");
    check(config.price >= config.floor && config.price <= config.ceiling, "price", "between floor and ceiling");
    check(config.target > 0.0 && config.target < 1.0, "target", "above 0 and below 1");
    check(config.every >= 1s, "every", "at least 1 s");
}

std::optional<std::uint32_t> PricePolicy::update(Instant now, double load, std::optional<std::uint32_t> rival) {
    if (config_.kind == Kind::kFixed || (changed_at_ && now - *changed_at_ < config_.every)) {
        return std::nullopt;
    }
    double wanted = price_;
    if (config_.kind == Kind::kLoad) {
        const double off = load - config_.target;
        if (std::abs(off) <= kDeadBand || !std::isfinite(load)) {
            return std::nullopt;
        }
        wanted = price_ * (off > 0.0 ? 1.0 + kStep : 1.0 - kStep);
    } else {
        if (!rival) {
            return std::nullopt;
        }
        const double below = *rival * (1.0 - kUndercutBy);
        if (price_ < *rival && price_ >= below * (1.0 - kUndercutBy)) {
            return std::nullopt;  // just below it already
        }
        wanted = below;
    }
    const auto price = static_cast<std::uint32_t>(
        std::clamp(std::round(wanted), static_cast<double>(config_.floor), static_cast<double>(config_.ceiling)));
    if (price == price_) {
        return std::nullopt;
    }
    price_ = price;
    changed_at_ = now;
    return price;
}

}  // namespace meshnet::net
