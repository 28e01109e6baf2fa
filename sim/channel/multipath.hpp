// SPDX-License-Identifier: MIT
// Multipath: a sum of delayed paths, each steady or fading, as one time-varying filter.
//
//     x -> [h_n] -> y,   h_n = sum over paths of gain_i(n) * band-limited pulse at delay_i
//
// Path gains fade by the sum-of-sinusoids method: 16 plane waves with stratified random angles of arrival and random
// phases give the Jakes spectrum. The filter is recomputed on a fixed grid of samples and interpolated linearly
// between. Sources: W. C. Jakes, "Microwave Mobile Communications" (1974); Y. R. Zheng, C. Xiao, IEEE Trans. Commun. 51
// (2003);
//          3GPP TR 38.901 V16.1.0, 7.7.2 "Tapped delay line models", tables 7.7.2-1 to 7.7.2-3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "sim/channel/phasor.hpp"

namespace meshnet::sim {

/// One path. Fading paths have mean power `gain_db`; k_factor_db splits it into a steady and a fading part.
struct PathSpec {
    double delay_samples = 0.0;  ///< >= 0
    double gain_db = 0.0;        ///< mean power
    double phase_turns = 0.0;    ///< of the steady part
    /// Steady over fading power, dB: +infinity for no fading, -infinity for Rayleigh.
    double k_factor_db = std::numeric_limits<double>::infinity();
};

/// Delay-line profiles of 3GPP TR 38.901 for links without line of sight.
enum class TdlProfile { kA, kB, kC };

/// Paths of a profile, Rayleigh, powers summing to 1.
[[nodiscard]] std::vector<PathSpec> tdl_paths(TdlProfile profile, double delay_spread_samples);

/// The direct path and its reflection from the sea, powers as they come (direct path: 0 dB).
[[nodiscard]] std::vector<PathSpec> two_ray_paths(double relative_delay_samples, double relative_gain_db,
                                                  double relative_phase_turns);

/// Delay of the sea-reflected path behind the direct one, seconds. Heights and distance in metres, distance > 0; the
/// earth between is taken flat below the line of sight (4/3-earth effects are within the horizon test of the air).
[[nodiscard]] double sea_reflection_delay_s(double distance_m, double height_a_m, double height_b_m) noexcept;

/// The filter. Output n is input n delayed by kLatency samples plus the path delays. Chunking never changes the output.
class Multipath {
public:
    static constexpr std::size_t kLatency = 15;  ///< samples, so that pulses have both their sides
    static constexpr double kMaxDelaySamples = 4096.0;

    /// `doppler_turns_per_sample`: highest Doppler frequency / sample rate, [0, 0.1]. Throws std::invalid_argument if a
    /// value is out of range or there is no path.
    Multipath(const std::vector<PathSpec>& paths, double doppler_turns_per_sample, std::uint64_t seed);

    void process(std::span<phy::Sample> samples);

    /// The impulse response now in use (kLatency included), for displays and tests.
    [[nodiscard]] std::vector<phy::Sample> response() const;

private:
    struct Wave {
        Phasor phasor;
        float amplitude;
    };
    struct Path {
        std::size_t first_tap;
        std::vector<float> pulse;
        phy::Sample steady;       // gain of a path that does not move
        std::vector<Wave> waves;  // and of one that does; the steady part of a Rician path is a wave of its own
    };
    struct Taps {
        std::vector<float> re, im;
    };
    void compute(Taps& taps);

    std::vector<Path> paths_;
    bool fading_ = false;
    std::size_t grid_ = 64;    // samples between two responses
    std::size_t in_grid_ = 0;  // samples since the last one
    Taps now_, next_;
    std::vector<float> history_re_, history_im_;  // newest last
};

}  // namespace meshnet::sim
