// SPDX-License-Identifier: MIT
#include "lab/genie_strategy.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

namespace meshnet::lab {
namespace {

using phy::Sample;

Sample phasor(double angle) {
    return Sample(std::polar(1.0F, static_cast<float>(angle)));
}

}  // namespace

ExactDemapper::ExactDemapper(const phy::Constellation& constellation) : bits_(constellation.bits_per_symbol()) {
    std::array<std::uint8_t, 8> label{};
    for (std::size_t i = 0; i < std::size_t{1} << bits_; ++i) {
        for (unsigned b = 0; b < bits_; ++b) {
            label[b] = static_cast<std::uint8_t>((i >> b) & 1U);
        }
        points_.push_back(constellation.map(label.data()));
    }
}

void ExactDemapper::demap(Sample point, float snr, float* llr) const {
    double nearest = 1e30;
    for (const Sample p : points_) {
        nearest = std::min(nearest, static_cast<double>(std::norm(point - p)));
    }
    std::array<std::array<double, 2>, 8> sum{};
    for (std::size_t i = 0; i < points_.size(); ++i) {
        const double distance = static_cast<double>(std::norm(point - points_[i]));
        const double likelihood = std::exp(-static_cast<double>(snr) * (distance - nearest));
        for (unsigned b = 0; b < bits_; ++b) {
            sum[b][(i >> b) & 1U] += likelihood;
        }
    }
    for (unsigned b = 0; b < bits_; ++b) {
        const double ratio = std::log((sum[b][0] + 1e-30) / (sum[b][1] + 1e-30));
        constexpr double kLargest = static_cast<double>(phy::Constellation::kLargestLlr);
        llr[b] = static_cast<float>(std::clamp(ratio, -kLargest, kLargest));
    }
}

GenieStrategy::GenieStrategy(const phy::Profile& profile, const GenieAid& aid, const phy::Constellation& payload)
    : grid_(profile), transform_(grid_), aid_(aid), exact_(payload), response_(grid_.carriers()) {}

// The ideal response of the symbol, with the estimated phase and time taken out of it.
void GenieStrategy::measure(const phy::SymbolEstimate& estimate) {
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid_.profile().fft_size);
    const std::size_t k = grid_.carriers();
    transform_.run(*frame_.clean, estimate.window, response_);
    for (std::size_t c = 0; c < k; ++c) {
        const int subcarrier = grid_.subcarrier(c);
        if (frame_.sent.empty()) {
            response_[c] *= subcarrier % 2 == 0 ? frame_.impulse_gain : -frame_.impulse_gain;
        } else {
            const Sample x = frame_.sent[estimate.symbol * k + c];
            response_[c] *= std::conj(x) / (std::norm(x) + 1e-12F);
        }
        response_[c] *= phasor(-(estimate.phase - per_carrier * subcarrier * estimate.time));
    }
}

// Rotates a copy of `channel` by the line of phase by which it misses the ideal response: the slope first, then the
// common phase, once more because the slope changes it.
void GenieStrategy::align(std::span<const Sample> channel) {
    const std::size_t k = grid_.carriers();
    aligned_.assign(channel.begin(), channel.end());
    for (int pass = 0; pass < 3; ++pass) {
        std::complex<double> common{};
        std::complex<double> lag{};
        const std::size_t apart = k / 8;
        for (std::size_t c = 0; c < k; ++c) {
            common += std::complex<double>(response_[c] * std::conj(aligned_[c]));
            if (c >= apart) {
                lag += std::complex<double>(response_[c] * std::conj(aligned_[c]) *
                                            std::conj(response_[c - apart] * std::conj(aligned_[c - apart])));
            }
        }
        const double slope = pass == 0 ? std::arg(lag) / static_cast<double>(apart) : 0.0;
        for (std::size_t c = 0; c < k; ++c) {
            aligned_[c] *= phasor((pass == 0 ? 0.0 : std::arg(common)) + slope * grid_.subcarrier(c));
        }
    }
}

void GenieStrategy::refine(phy::SymbolEstimate& estimate) {
    if (aid_.noise) {
        estimate.inverse_noise = 1.0F / frame_.noise;
    }
    if (!aid_.phase && !aid_.channel) {
        return;
    }
    measure(estimate);
    align(estimate.channel);
    if (aid_.phase && aid_.channel) {
        std::copy(response_.begin(), response_.end(), estimate.channel.begin());
    } else if (aid_.phase) {
        std::copy(aligned_.begin(), aligned_.end(), estimate.channel.begin());
    } else {
        for (std::size_t c = 0; c < estimate.channel.size(); ++c) {
            const Sample off = aligned_[c] * std::conj(estimate.channel[c]);
            estimate.channel[c] = response_[c] * std::conj(off) / (std::abs(off) + 1e-30F);
        }
    }
}

void GenieStrategy::demap(const phy::Constellation& constellation, std::span<const std::uint16_t> data,
                          std::span<const Sample> points, std::span<const float> power, float inverse_noise,
                          float* llr) {
    const unsigned bits = constellation.bits_per_symbol();
    if (!aid_.demapper || bits == 2) {  // of QPSK the receiver's LLRs are exact
        EstimationStrategy::demap(constellation, data, points, power, inverse_noise, llr);
        return;
    }
    for (const std::uint16_t c : data) {
        exact_.demap(points[c], power[c] * inverse_noise, llr);
        llr += bits;
    }
}

std::optional<phy::Header> GenieStrategy::header_without_decoding() {
    return aid_.header ? std::optional(frame_.header) : std::nullopt;
}

}  // namespace meshnet::lab
