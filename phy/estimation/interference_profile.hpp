// SPDX-License-Identifier: MIT
// How much stronger than the noise of all carriers the noise of each is: finds the carriers that interference hits from
// few measurements of each, without seeing any where there is none.
//
//     sums of error powers per carrier -> floor (from their 30 % quantile) -> runs of 1, 4, 16 carriers above what
//     chance allows
//
// The sums of a run of carriers are tested, not values: 3 measurements of one carrier must be 6.6 times the floor,
// those of 16 carriers together 1.8 times. Thresholds by E. Wilson, M. Hilferty, "The distribution of chi-square",
// Proc. Natl. Acad. Sci. 17 (1931).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace meshnet::phy {

/// One instance, one thread. Allocates in the constructor only.
class InterferenceProfile {
public:
    explicit InterferenceProfile(std::size_t carriers);

    /// `errors` [K]: mean power of errors on each carrier; `counts` [K]: complex measurements behind each, 0: none;
    /// `least`: power that is not worth knowing. Returns how many carriers are hit; excess() has then by how much.
    std::size_t find(std::span<const float> errors, std::span<const float> counts, float least);

    /// Noise power of the carriers that are not hit. Of the last find().
    [[nodiscard]] float floor() const noexcept { return floor_; }
    /// [K]: power beyond the floor, 0 where a carrier is not hit. Of the last find().
    [[nodiscard]] std::span<const float> excess() const noexcept { return excess_; }

private:
    void sum_up(std::span<const float> errors, std::span<const float> counts) noexcept;
    std::size_t mark_runs(std::size_t width);

    float floor_ = 0.0F;
    std::vector<float> excess_;
    std::vector<float> sorted_;
    struct Sum {
        double error = 0.0;
        double count = 0.0;
    };
    std::vector<Sum> sums_;  // [K + 1]: over the carriers before
};

/// Times its mean that the mean of `count` exponential variates exceeds with a probability of about 1e-6.
[[nodiscard]] double chance_limit(double count) noexcept;

}  // namespace meshnet::phy
