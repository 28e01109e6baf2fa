// SPDX-License-Identifier: MIT
#include "phy/estimation/interference_profile.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::phy {

namespace {

// Of the mean of `count` exponential variates of mean 1, where a normal variate has it at `deviations`.
double gamma_quantile(double count, double deviations) noexcept {
    const double variance = 1.0 / (9.0 * count);
    const double root = 1.0 - variance + deviations * std::sqrt(variance);
    return root * root * root;
}

}  // namespace

double chance_limit(double count) noexcept {
    return gamma_quantile(count, 4.75);
}

InterferenceProfile::InterferenceProfile(std::size_t carriers) : excess_(carriers), sums_(carriers + 1) {
    sorted_.reserve(carriers);
}

std::size_t InterferenceProfile::find(std::span<const float> errors, std::span<const float> counts, float least) {
    std::fill(excess_.begin(), excess_.end(), 0.0F);
    sorted_.clear();
    double measurements = 0.0;
    // Some of the carriers are enough for the floor.
    constexpr std::size_t kEnough = 400;
    const std::size_t stride = std::max<std::size_t>(1, errors.size() / kEnough);
    for (std::size_t c = 0; c < errors.size(); c += stride) {
        if (counts[c] > 0.0F) {
            sorted_.push_back(errors[c]);
            measurements += static_cast<double>(counts[c]);
        }
    }
    floor_ = 0.0F;
    if (sorted_.empty()) {
        return 0;
    }
    // The 30 % quantile: still of clean carriers where interference hits more than half of them.
    constexpr double kQuantile = 0.3;
    constexpr double kQuantileDeviations = -0.524;
    const auto low = sorted_.begin() + static_cast<std::ptrdiff_t>(kQuantile * static_cast<double>(sorted_.size()));
    std::nth_element(sorted_.begin(), low, sorted_.end());
    const double per_carrier = measurements / static_cast<double>(sorted_.size());
    floor_ = std::max(least, *low / static_cast<float>(gamma_quantile(per_carrier, kQuantileDeviations)));
    std::size_t hit = 0;
    std::size_t summed = 1;  // marks when sums_ was made; at first none
    for (const std::size_t width : {std::size_t{1}, std::size_t{4}, std::size_t{16}}) {
        if (summed != hit) {
            sum_up(errors, counts);
            summed = hit;
        }
        hit += mark_runs(width);
    }
    double sum = 0.0;
    double weight = 0.0;
    for (std::size_t c = 0; c < errors.size(); ++c) {
        if (!(excess_[c] > 0.0F)) {
            sum += static_cast<double>(errors[c] * counts[c]);
            weight += static_cast<double>(counts[c]);
        }
    }
    floor_ = weight > 0.0 ? static_cast<float>(sum / weight) : floor_;
    return hit;
}

// Running sums over the carriers that are not marked.
void InterferenceProfile::sum_up(std::span<const float> errors, std::span<const float> counts) noexcept {
    for (std::size_t c = 0; c < errors.size(); ++c) {
        const double count = excess_[c] > 0.0F ? 0.0 : static_cast<double>(counts[c]);
        sums_[c + 1] = {sums_[c].error + count * static_cast<double>(errors[c]), sums_[c].count + count};
    }
}

// Marks the carriers of runs that chance does not explain, those marked before left out of them.
std::size_t InterferenceProfile::mark_runs(std::size_t width) {
    const std::size_t k = excess_.size();
    const auto floor = static_cast<double>(floor_);
    std::size_t marked = 0;
    double known_count = 0.0;
    double limit = 0.0;
    const std::size_t step = std::max<std::size_t>(1, width / 2);
    for (std::size_t first = 0; first + width <= k; first += step) {
        const double sum = sums_[first + width].error - sums_[first].error;
        const double count = sums_[first + width].count - sums_[first].count;
        if (count != known_count && count > 0.5) {
            known_count = count;
            limit = chance_limit(count);
        }
        if (!(count > 0.5) || !(sum > count * floor * limit)) {
            continue;
        }
        for (std::size_t c = first; c < first + width; ++c) {
            if (!(excess_[c] > 0.0F)) {
                excess_[c] = static_cast<float>(sum / count - floor);
                ++marked;
            }
        }
    }
    return marked;
}

}  // namespace meshnet::phy
