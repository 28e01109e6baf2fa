// SPDX-License-Identifier: MIT
// Confidence intervals of a measured error rate and of a threshold read off a curve of them.
//
// Sources: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", J. Am. Stat. Assoc. 22
//          (1927): score interval of a proportion. C. I. Bliss, "The method of probits", Science 79 (1934); D. J.
//          Finney, "Probit Analysis" (1971), ch. 4: interval of a threshold from the fitted curve.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace meshnet::lab {

/// Standard normal quantile of a two-sided 95 % interval.
inline constexpr double kZ95 = 1.959963985;

struct Interval {
    double low = 0.0;
    double high = 1.0;
};

/// 95 % score interval of a proportion: `hits` of `trials`, hits <= trials; no trials: [0, 1].
[[nodiscard]] Interval wilson(std::uint64_t hits, std::uint64_t trials) noexcept;

/// One measured point of a curve of error rates.
struct RatePoint {
    double snr_db = 0.0;
    std::uint64_t frames = 0;
    std::uint64_t errors = 0;
};

/// PER(snr) = Q(a + b snr): the form of the normal approximation around one SNR. b > 0: falls with SNR.
struct Waterfall {
    double a = 0.0;
    double b = 1.0;
    double var_a = 0.0, var_b = 0.0, cov_ab = 0.0;  ///< of the estimates

    [[nodiscard]] double per(double snr_db) const noexcept;
    /// SNR at which the curve passes `per`, 0 < per < 1.
    [[nodiscard]] double snr_at(double per) const noexcept;
    /// Standard deviation of snr_at(per), by the delta method, dB.
    [[nodiscard]] double snr_deviation(double per) const noexcept;
};

/// Most likely curve through `points`. Nothing if they do not determine one (fewer than two SNRs with rates strictly
/// between 0 and 1 in between them, or a rate that rises with SNR).
[[nodiscard]] std::optional<Waterfall> fit_waterfall(std::span<const RatePoint> points);

/// Q(x) of the standard normal distribution and its inverse for 0 < p < 1.
[[nodiscard]] double q_function(double x) noexcept;
[[nodiscard]] double q_inverse(double p) noexcept;

}  // namespace meshnet::lab
