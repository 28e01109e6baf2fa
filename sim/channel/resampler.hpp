// SPDX-License-Identifier: MIT
// Moves a stream in time: fractional delay, moving delay, sampling-clock error. One position law for all of them.
//
//     output sample m = input at position  m + ppm 1e-6 m - (delay + rate m + rate_change m^2 / 2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::sim {

/// Band-limited resampling by a factor near 1; quality as Interpolator. Chunking never changes the output.
/// Samples before the first input are zero; an output appears as soon as the kAfter inputs it depends on are there.
class Resampler {
public:
    struct Config {
        double ppm = 0.0;            ///< sender's sampling clock minus the receiver's, [-1000, 1000]
        double delay_samples = 0.0;  ///< at the start, [0, 1e7]
        double delay_rate = 0.0;     ///< samples of delay gained per sample (v/c of a receding sender), [-1e-3, 1e-3]
        double delay_acceleration = 0;  ///< gained per sample per sample, [-1e-9, 1e-9];
                                        ///< the total rate stops at 2e-3
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    explicit Resampler(const Config& config);

    /// Takes all of `in` and appends every output that it determines.
    void process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out);

private:
    [[nodiscard]] std::int64_t position(std::uint64_t m, float& fraction) const noexcept;

    Config config_;
    double rate_ = 0.0;               // d(position)/dm - 1 at the start
    double accelerates_until_ = 0.0;  // m at which the rate has reached its limit
    std::vector<phy::Sample> held_;   // inputs from index first_held_ on
    std::int64_t first_held_;         // negative at the start: the zeros before the first input
    std::uint64_t next_output_ = 0;
};

}  // namespace meshnet::sim
