// SPDX-License-Identifier: MIT
#include "sim/channel/interpolator.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace meshnet::sim {
namespace {

constexpr std::size_t kTaps = Interpolator::kTaps;
constexpr std::size_t kWidth = 2 * kTaps;  // each tap twice: for the real and the imaginary part
constexpr double kBeta = 9.0;

/// Modified Bessel function of the first kind, order 0, by its series.
double bessel_i0(double x) {
    double sum = 1.0;
    double term = 1.0;
    for (int k = 1; k < 60; ++k) {
        term *= (x / 2.0) / k * (x / 2.0) / k;
        sum += term;
    }
    return sum;
}

double kernel(double t) {  // t in samples from the wanted point
    constexpr double kHalfWidth = static_cast<double>(kTaps) / 2.0;
    const double u = t / kHalfWidth;
    if (std::abs(u) >= 1.0) {
        return 0.0;
    }
    const double window = bessel_i0(kBeta * std::sqrt(1.0 - u * u)) / bessel_i0(kBeta);
    const double sinc = t == 0.0 ? 1.0 : std::sin(std::numbers::pi * t) / (std::numbers::pi * t);
    return sinc * window;
}

struct alignas(64) Row {
    std::array<float, kWidth> value;
};
using Table = std::array<Row, Interpolator::kPositions + 1>;

Table make_table() {
    Table table{};
    for (std::size_t p = 0; p < table.size(); ++p) {
        const double fraction = static_cast<double>(p) / static_cast<double>(Interpolator::kPositions);
        std::array<double, kTaps> row{};
        double sum = 0.0;
        for (std::size_t k = 0; k < kTaps; ++k) {
            row[k] = kernel(static_cast<double>(k) - static_cast<double>(Interpolator::kBefore) - fraction);
            sum += row[k];
        }
        for (std::size_t k = 0; k < kTaps; ++k) {
            table[p].value[2 * k] = table[p].value[2 * k + 1] = static_cast<float>(row[k] / sum);  // unit gain at DC
        }
    }
    return table;
}

const Table& table() {
    static const Table rows = make_table();
    return rows;
}

}  // namespace

phy::Sample Interpolator::at(const phy::Sample* x, float fraction) noexcept {
    static const Table& rows = table();
    const float position = fraction * static_cast<float>(kPositions);
    std::size_t row = static_cast<std::size_t>(position);
    if (row >= kPositions) {
        row = kPositions - 1;
    }
    const float mu = position - static_cast<float>(row);
    const float* const a = rows[row].value.data();
    const float* const b = rows[row + 1].value.data();
    const float* const in = reinterpret_cast<const float*>(x);  // std::complex guarantees this layout
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> sum{};
    for (std::size_t k = 0; k < kWidth; k += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            sum[lane] += (a[k + lane] + mu * (b[k + lane] - a[k + lane])) * in[k + lane];
        }
    }
    phy::Sample out{};
    for (std::size_t lane = 0; lane < kLanes; lane += 2) {
        out += phy::Sample{sum[lane], sum[lane + 1]};
    }
    return out;
}

void Interpolator::taps(float fraction, float* taps) noexcept {
    const float position = fraction * static_cast<float>(kPositions);
    std::size_t row = static_cast<std::size_t>(position);
    if (row >= kPositions) {
        row = kPositions - 1;
    }
    const float mu = position - static_cast<float>(row);
    const Table& rows = table();
    for (std::size_t k = 0; k < kTaps; ++k) {
        const float a = rows[row].value[2 * k];
        taps[k] = a + mu * (rows[row + 1].value[2 * k] - a);
    }
}

}  // namespace meshnet::sim
