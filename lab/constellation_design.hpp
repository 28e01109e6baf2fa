// SPDX-License-Identifier: MIT
// What the points of a square constellation can carry over white noise, and levels that carry more.
//
// Both axes have the same levels, so one real axis tells everything: y = x + n, and an SNR is the same on the axis and
// on the plane. Levels are given by their bits: element v of 2^m has the axis bits v, the first one on top, as in
// docs/spec/phy.md, "Mapping". They are symmetric: v with its top bit set is the negative of v without.
//
// Source: G. Caire, G. Taricco, E. Biglieri, "Bit-interleaved coded modulation", IEEE Trans. Inf. Theory 44 (1998);
//         A. Martinez, A. Guillen i Fabregas, G. Caire, F. Willems, "Bit-interleaved coded modulation revisited: a
//         mismatched decoding perspective", IEEE Trans. Inf. Theory 55 (2009): the information of max-log LLRs.
#pragma once

#include <span>
#include <vector>

namespace meshnet::lab {

/// Bits per complex point.
struct PointInformation {
    double points = 0.0;   ///< of the points as such: what any demapper and code can have
    double bits = 0.0;     ///< of their bits, each decoded by itself from exact LLRs (BICM)
    double max_log = 0.0;  ///< the same from max-log LLRs: what this receiver can have
};

/// `levels` [2^m], m = 1..5, any scale: the mean power is brought to 1/2 per axis.
[[nodiscard]] PointInformation point_information(std::span<const double> levels, double snr_db);

/// SNR at which `member` of the information of `levels` is `bits` per point, 0 < bits < 2 m; exact to 1e-4 dB
/// between -20 and 50 dB, the limits of the answer.
[[nodiscard]] double snr_for(std::span<const double> levels, double bits, double PointInformation::*member);

/// All levels of an axis, by their bits, from its positive ones in ascending order [2^(m-1)].
[[nodiscard]] std::vector<double> levels_by_bits(std::span<const double> amplitudes);

/// Positive levels, ascending, outermost 1, that carry most bits by max-log LLRs at `snr_db`: a pattern search from
/// evenly spaced ones, the same in every run. `axis_bits` 2..5.
[[nodiscard]] std::vector<double> design_amplitudes(unsigned axis_bits, double snr_db);

}  // namespace meshnet::lab
