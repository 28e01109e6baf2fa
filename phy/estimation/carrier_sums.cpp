// SPDX-License-Identifier: MIT
#include "phy/estimation/carrier_sums.hpp"

#include <algorithm>
#include <cmath>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

constexpr std::size_t kLanes = 16;

MESHNET_TARGET_CLONES void scale(std::span<Sample> x, Sample factor) noexcept {
    const float re = factor.real();
    const float im = factor.imag();
    auto* values = reinterpret_cast<float*>(x.data());
    for (std::size_t c = 0; c < x.size(); ++c) {
        const float a = values[2 * c];
        const float b = values[2 * c + 1];
        values[2 * c] = a * re - b * im;
        values[2 * c + 1] = a * im + b * re;
    }
}

// y += x
MESHNET_TARGET_CLONES void add(std::span<const Sample> x, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] += x[c];
    }
}

}  // namespace

MESHNET_TARGET_CLONES double energy(std::span<const Sample> x) noexcept {
    float part[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            part[l] += std::norm(x[c + l]);
        }
    }
    double sum = 0.0;
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += static_cast<double>(std::norm(x[c]));
    }
    for (const float p : part) {
        sum += static_cast<double>(p);
    }
    return sum;
}

// Energy of x - y.
MESHNET_TARGET_CLONES double distance(std::span<const Sample> x, std::span<const Sample> y) noexcept {
    float part[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            part[l] += std::norm(x[c + l] - y[c + l]);
        }
    }
    double sum = 0.0;
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += static_cast<double>(std::norm(x[c] - y[c]));
    }
    for (const float p : part) {
        sum += static_cast<double>(p);
    }
    return sum;
}

// Sum of x times y conjugated.
MESHNET_TARGET_CLONES std::complex<double> correlation(std::span<const Sample> x, std::span<const Sample> y) noexcept {
    float re[kLanes]{};
    float im[kLanes]{};
    const std::size_t whole = x.size() / kLanes * kLanes;
    for (std::size_t c = 0; c < whole; c += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const Sample product = x[c + l] * std::conj(y[c + l]);
            re[l] += product.real();
            im[l] += product.imag();
        }
    }
    std::complex<double> sum{};
    for (std::size_t c = whole; c < x.size(); ++c) {
        sum += std::complex<double>(x[c] * std::conj(y[c]));
    }
    for (std::size_t l = 0; l < kLanes; ++l) {
        sum += std::complex<double>(static_cast<double>(re[l]), static_cast<double>(im[l]));
    }
    return sum;
}

// Multiplies x by exp(j radians).
void turn(std::span<Sample> x, double radians) noexcept {
    scale(x, Sample(static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))));
}

// y += factor x
MESHNET_TARGET_CLONES void add_turned(std::span<const Sample> x, Sample factor, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] += factor * x[c];
    }
}

// y *= x conjugated
MESHNET_TARGET_CLONES void take_off(std::span<const Sample> x, std::span<Sample> y) noexcept {
    for (std::size_t c = 0; c < x.size(); ++c) {
        y[c] *= std::conj(x[c]);
    }
}

void average(std::span<const Sample> symbols, std::span<const float> counts, std::span<Sample> mean) noexcept {
    const std::size_t k = mean.size();
    std::fill(mean.begin(), mean.end(), Sample{});
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        add(symbols.subspan(s, k), mean);
    }
    for (std::size_t c = 0; c < k; ++c) {
        mean[c] *= 1.0F / (counts[c] + 1.0F);
    }
}

MESHNET_TARGET_CLONES double measure_errors(std::span<const Sample> symbols, std::span<const Sample> mean,
                                            std::span<const float> counts, std::span<float> errors) noexcept {
    const std::size_t k = mean.size();
    std::fill(errors.begin(), errors.end(), 0.0F);
    for (std::size_t s = 0; s < symbols.size(); s += k) {
        for (std::size_t c = 0; c < k; ++c) {
            const Sample x = symbols[s + c];
            const float power = std::norm(x);
            errors[c] += power > 0.0F ? std::norm(x - mean[c]) : 0.0F;
        }
    }
    double sum = 0.0;
    double count = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
        sum += static_cast<double>(errors[c]);
        count += static_cast<double>(counts[c]);
        errors[c] = counts[c] > 0.0F ? errors[c] / counts[c] : 0.0F;
    }
    return sum / std::max(count, 1.0);
}

}  // namespace meshnet::phy
