// SPDX-License-Identifier: MIT
// A phase and a delay, seen on the carriers: factors that are a line of phase over the subcarriers.
//
// Pilots and data stand a few subcarriers apart, always the same few: from one to the next it takes one product, not a
// sine and a cosine.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// exp(j (phase + slope * subcarrier)), for one subcarrier after another.
class CarrierRotation {
public:
    CarrierRotation(double phase, double slope) noexcept : phase_(phase), slope_(slope), unit_(small_turn(slope)) {}

    /// The factor at `subcarrier`. Quick if it lies no more than kFarthest above the one asked for before.
    [[nodiscard]] Sample at(int subcarrier) noexcept {
        const int distance = subcarrier - at_;
        if (begun_ && distance >= 0 && distance <= kFarthest) {
            factor_ *= step(static_cast<unsigned>(distance));
        } else {
            factor_ = Sample(turn(phase_ + slope_ * subcarrier));
            begun_ = true;
        }
        at_ = subcarrier;
        return factor_;
    }

    /// The factors of re.size() successive subcarriers from `first` on, as real and imaginary parts of equal number.
    void fill(int first, std::span<float> re, std::span<float> im) noexcept {
        const std::size_t count = re.size();
        if (count == 0) {
            return;
        }
        // What is there, rotated by its own length, doubles it; from kLanes on no product waits for the one before.
        constexpr std::size_t kLanes = 16;
        std::array<float, kLanes> x;
        std::array<float, kLanes> y;
        const Sample begin = at(first);
        x[0] = begin.real();
        y[0] = begin.imag();
        std::complex<double> leap = unit_;
        for (std::size_t have = 1; have < kLanes; have *= 2) {
            const Sample w(leap);
            for (std::size_t i = 0; i < have; ++i) {
                x[have + i] = x[i] * w.real() - y[i] * w.imag();
                y[have + i] = x[i] * w.imag() + y[i] * w.real();
            }
            leap *= leap;
        }
        const Sample w(leap);
        std::size_t done = 0;
        for (; done + kLanes <= count; done += kLanes) {
            std::copy_n(x.begin(), kLanes, re.begin() + static_cast<std::ptrdiff_t>(done));
            std::copy_n(y.begin(), kLanes, im.begin() + static_cast<std::ptrdiff_t>(done));
            for (std::size_t i = 0; i < kLanes; ++i) {
                const float derotated = x[i] * w.real() - y[i] * w.imag();
                y[i] = x[i] * w.imag() + y[i] * w.real();
                x[i] = derotated;
            }
        }
        for (std::size_t i = 0; done < count; ++i, ++done) {
            re[done] = x[i];
            im[done] = y[i];
        }
        factor_ = {re[count - 1], im[count - 1]};
        at_ = first + static_cast<int>(count) - 1;
    }

private:
    static constexpr int kFarthest = 15;

    [[nodiscard]] static std::complex<double> turn(double angle) noexcept { return {std::cos(angle), std::sin(angle)}; }
    // The same, quicker where a few terms of the series are exact beyond a float's last bit, 16th power included.
    [[nodiscard]] static std::complex<double> small_turn(double angle) noexcept {
        if (!(std::abs(angle) < 0.1)) {
            return turn(angle);
        }
        const double s = angle * angle;
        return {1.0 - s * (1.0 / 2.0 - s * (1.0 / 24.0 - s / 720.0)),
                angle * (1.0 - s * (1.0 / 6.0 - s * (1.0 / 120.0 - s / 5040.0)))};
    }
    [[nodiscard]] Sample step(unsigned distance) noexcept {
        if ((known_ >> distance & 1U) == 0) {
            known_ |= 1U << distance;
            std::complex<double> power{1.0};
            std::complex<double> square = unit_;
            for (unsigned left = distance; left > 0; left >>= 1U) {
                power = (left & 1U) != 0 ? power * square : power;
                square *= square;
            }
            steps_[distance] = Sample(power);
        }
        return steps_[distance];
    }

    double phase_;
    double slope_;
    std::complex<double> unit_;  // from one subcarrier to the next
    int at_ = 0;
    bool begun_ = false;
    Sample factor_{};
    unsigned known_ = 0;                       // bit d: steps_[d] is set
    std::array<Sample, kFarthest + 1> steps_;  // by distance
};

}  // namespace meshnet::phy
