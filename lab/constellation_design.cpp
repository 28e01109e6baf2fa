// SPDX-License-Identifier: MIT
#include "lab/constellation_design.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>

namespace meshnet::lab {
namespace {

constexpr std::size_t kMostLevels = 32;
constexpr unsigned kMostBits = 5;

/// Densities of one received value, relative to the largest: of every level, and what the bits get from them.
class Received {
public:
    Received(std::span<const double> levels, double snr) : levels_(levels), snr_(snr) {}

    void at(double y) {
        nearest_ = 1e300;
        for (const double level : levels_) {
            nearest_ = std::min(nearest_, (y - level) * (y - level));
        }
        all_ = 0.0;
        for (auto& bit : bits_) {
            bit = {};
        }
        const auto axis_bits = static_cast<unsigned>(std::bit_width(levels_.size()) - 1);
        for (std::size_t v = 0; v < levels_.size(); ++v) {
            const double distance = (y - levels_[v]) * (y - levels_[v]) - nearest_;
            density_[v] = std::exp(-snr_ * distance);
            all_ += density_[v];
            for (unsigned b = 0; b < axis_bits; ++b) {
                Bit& bit = bits_[b];
                const std::size_t value = (v >> b) & 1U;
                bit.sum[value] += density_[v];
                bit.least[value] = std::min(bit.least[value], distance);
            }
        }
    }
    // Information densities in bits if level v was sent.
    [[nodiscard]] double point(std::size_t v) const {
        return std::log2(density_[v] * static_cast<double>(levels_.size()) / all_);
    }
    [[nodiscard]] double exact(std::size_t v, unsigned b) const {
        return 1.0 + std::log2(bits_[b].sum[(v >> b) & 1U] / all_);
    }
    [[nodiscard]] double max_log(std::size_t v, unsigned b) const {
        const std::size_t sent = (v >> b) & 1U;
        const double against = snr_ * (bits_[b].least[sent] - bits_[b].least[1 - sent]);  // minus the LLR
        return 1.0 - (against > 500.0 ? against / std::log(2.0) : std::log2(1.0 + std::exp(against)));
    }

private:
    struct Bit {
        std::array<double, 2> sum{};
        std::array<double, 2> least{1e300, 1e300};
    };
    std::span<const double> levels_;
    double snr_;
    double nearest_ = 0.0;
    double all_ = 0.0;
    std::array<double, kMostLevels> density_{};
    std::array<Bit, kMostBits> bits_{};
};

std::vector<double> normalised(std::span<const double> levels) {
    double power = 0.0;
    for (const double level : levels) {
        power += level * level;
    }
    const double scale = std::sqrt(0.5 * static_cast<double>(levels.size()) / power);
    std::vector<double> out(levels.begin(), levels.end());
    for (double& level : out) {
        level *= scale;
    }
    return out;
}

std::vector<double> amplitudes_of(std::span<const double> steps) {
    std::vector<double> out;
    double sum = 0.0;
    for (const double step : steps) {
        out.push_back(sum += step);
    }
    return out;
}

}  // namespace

PointInformation point_information(std::span<const double> levels, double snr_db) {
    assert(std::has_single_bit(levels.size()) && levels.size() >= 2 && levels.size() <= kMostLevels);
    const auto axis_bits = static_cast<unsigned>(std::bit_width(levels.size()) - 1);
    const double snr = std::pow(10.0, snr_db / 10.0);
    const std::vector<double> x = normalised(levels);
    Received received(x, snr);
    // Over the noise by the trapezoidal rule; levels with the top bit clear are enough, for the others are negatives.
    constexpr int kSteps = 96;
    constexpr double kEdge = 7.5;
    const double deviation = std::sqrt(0.5 / snr);
    PointInformation sum;
    double weight = 0.0;
    for (int step = 0; step <= kSteps; ++step) {
        const double n = kEdge * (2.0 * step / kSteps - 1.0);
        const double w = std::exp(-0.5 * n * n);
        for (std::size_t v = 0; v < x.size() / 2; ++v) {
            received.at(x[v] + deviation * n);
            sum.points += w * received.point(v);
            for (unsigned b = 0; b < axis_bits; ++b) {
                sum.bits += w * received.exact(v, b);
                sum.max_log += w * received.max_log(v, b);
            }
            weight += w;
        }
    }
    return {2.0 * sum.points / weight, 2.0 * sum.bits / weight, 2.0 * sum.max_log / weight};
}

double snr_for(std::span<const double> levels, double bits, double PointInformation::*member) {
    double low = -20.0;
    double high = 50.0;
    while (high - low > 1e-4) {
        const double mid = 0.5 * (low + high);
        (point_information(levels, mid).*member < bits ? low : high) = mid;
    }
    return 0.5 * (low + high);
}

std::vector<double> levels_by_bits(std::span<const double> amplitudes) {
    const std::size_t half = amplitudes.size();
    std::vector<double> out(2 * half);
    for (std::size_t rank = 0; rank < half; ++rank) {
        // Reflected Gray code, all ones outermost.
        const std::size_t from_outside = half - 1 - rank;
        const std::size_t v = (half - 1) ^ from_outside ^ (from_outside >> 1U);
        out[v] = amplitudes[rank];
        out[v + half] = -amplitudes[rank];
    }
    return out;
}

std::vector<double> design_amplitudes(unsigned axis_bits, double snr_db) {
    assert(axis_bits >= 2 && axis_bits <= kMostBits);
    std::vector<double> steps(std::size_t{1} << (axis_bits - 1), 1.0);
    steps[0] = 0.5;
    const auto information = [&] { return point_information(levels_by_bits(amplitudes_of(steps)), snr_db).max_log; };
    double best = information();
    for (double change = 0.08; change > 2e-4; change *= 0.5) {
        for (bool better = true; better;) {
            better = false;
            for (double& step : steps) {
                for (const double factor : {1.0 + change, 1.0 / (1.0 + change)}) {
                    const double before = step;
                    step *= factor;
                    const double now = information();
                    if (now > best + 1e-9) {
                        best = now;
                        better = true;
                    } else {
                        step = before;
                    }
                }
            }
        }
    }
    auto out = amplitudes_of(steps);
    const double outermost = out.back();
    for (double& amplitude : out) {
        amplitude /= outermost;
    }
    return out;
}

}  // namespace meshnet::lab
