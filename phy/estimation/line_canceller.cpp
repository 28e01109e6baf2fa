// SPDX-License-Identifier: MIT
#include "phy/estimation/line_canceller.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <cmath>

namespace meshnet::phy {
namespace {

// Once a line has been found, what is left is taken out down to this share of the ratio.
constexpr float kRest = 0.5F;

// Power of a unit line beyond the basis, under which its direction is mostly rounding.
constexpr float kNearlyNothing = 3e-3F;

}  // namespace

LineCanceller::LineCanceller(const Grid& grid)
    : grid_(grid),
      size_(grid.profile().fft_size),
      limit_(std::min<std::size_t>(24, size_ / 5)),
      expected_(size_),
      inverse_expected_(size_),
      lost_(grid.carriers()),
      basis_(limit_ * size_),
      before_(grid.carriers()),
      fit_(size_) {}

LineCanceller::Peak LineCanceller::strongest(std::span<const Sample> spectrum, float ratio) noexcept {
    const std::size_t n = size_;
    const auto windowed = [&](std::size_t k) {
        return spectrum[k] - 0.5F * (spectrum[(k + n - 1) % n] + spectrum[(k + 1) % n]);
    };
    Peak peak;
    std::size_t at = 0;
    for (std::size_t k = 0; k < n; ++k) {
        const float r = std::norm(windowed(k)) * inverse_expected_[k];
        peak.above += r > ratio ? 1 : 0;
        if (r > peak.ratio) {
            peak.ratio = r;
            at = k;
        }
    }
    const float centre = std::abs(windowed(at));
    const float left = std::abs(windowed((at + n - 1) % n));
    const float right = std::abs(windowed((at + 1) % n));
    const double a = static_cast<double>(std::max(left, right) / std::max(centre, 1e-30F));
    const double offset = std::clamp((2.0 * a - 1.0) / (a + 1.0), 0.0, 1.0);
    peak.frequency = static_cast<double>(at) + (right > left ? offset : -offset);
    return peak;
}

// A new vector of the basis: of the line, or, where the ones before nearly contain it, of an exponential beside it.
bool LineCanceller::add_near(const LinePiece& line, std::size_t count) noexcept {
    const std::span<Sample> x(&basis_[count * size_], size_);
    LineFit::write(line, x);
    if (make_orthonormal(count)) {
        return true;
    }
    constexpr double kBeside[] = {0.0, 0.4, -0.4, 0.8, -0.8, 1.2, -1.2};  // bins
    return std::any_of(std::begin(kBeside), std::end(kBeside), [&](double moved) {
        LineFit::write({line.frequency + moved, 0.0, 0, size_}, x);
        return make_orthonormal(count);
    });
}

// Vector `count` of the basis made orthogonal to those before. False if what of it is not in these is nearly nothing.
bool LineCanceller::make_orthonormal(std::size_t count) noexcept {
    Sample* x = &basis_[count * size_];
    for (int pass = 0; pass < 2; ++pass) {  // twice is enough
        for (std::size_t b = 0; b < count; ++b) {
            const Sample* q = &basis_[b * size_];
            Sample dot{};
            volk_32fc_x2_conjugate_dot_prod_32fc(&dot, x, q, static_cast<unsigned>(size_));
            for (std::size_t i = 0; i < size_; ++i) {
                x[i] -= dot * q[i];
            }
        }
        float norm = 0.0F;
        for (std::size_t i = 0; i < size_; ++i) {
            norm += std::norm(x[i]);
        }
        if (!(norm > (pass == 0 ? kNearlyNothing : 0.5F))) {
            return false;
        }
        const float scale = 1.0F / std::sqrt(norm);
        for (std::size_t i = 0; i < size_; ++i) {
            x[i] *= scale;
        }
    }
    return true;
}

std::size_t LineCanceller::run(Fft& forward, std::span<const float> expected, float beside, float ratio) {
    const std::size_t k = grid_.carriers();
    // Power of the window's three bins where nothing but what is expected is there.
    std::fill(expected_.begin(), expected_.end(), beside);
    for (std::size_t c = 0; c < k; ++c) {
        expected_[grid_.bin(c)] = std::max(expected[c], beside);
    }
    for (std::size_t b = 0; b < size_; ++b) {
        const float neighbours = expected_[(b + size_ - 1) % size_] + expected_[(b + 1) % size_];
        inverse_expected_[b] = 1.0F / (expected_[b] + 0.25F * neighbours);
    }
    Peak peak = strongest(forward.out(), ratio);
    if (!(peak.ratio > ratio) || 3 * peak.above > size_) {
        return 0;
    }
    std::fill(lost_.begin(), lost_.end(), 0.0F);
    const auto samples = forward.in();
    std::size_t count = 0;
    while (count < limit_ && peak.ratio > kRest * ratio && add_near(fit_.run(samples, peak.frequency), count)) {
        const Sample* q = &basis_[count * size_];
        Sample dot{};
        volk_32fc_x2_conjugate_dot_prod_32fc(&dot, samples.data(), q, static_cast<unsigned>(size_));
        for (std::size_t i = 0; i < size_; ++i) {
            samples[i] -= dot * q[i];
        }
        for (std::size_t c = 0; c < k; ++c) {
            before_[c] = forward.out()[grid_.bin(c)];
        }
        forward.run();
        const float scale = 1.0F / (std::norm(dot) * static_cast<float>(size_) + 1e-30F);
        for (std::size_t c = 0; c < k; ++c) {
            lost_[c] = std::min(1.0F, lost_[c] + std::norm(before_[c] - forward.out()[grid_.bin(c)]) * scale);
        }
        ++count;
        peak = strongest(forward.out(), ratio);
    }
    return count;
}

}  // namespace meshnet::phy
