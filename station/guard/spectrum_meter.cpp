// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/spectrum_meter.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/target_clones.hpp"
#include "station/guard/pair_norms.hpp"

namespace meshnet::station {

namespace {

/// Where bin `k` stands in the sums.
constexpr std::size_t place_of(std::size_t k) noexcept {
    return k / 8 * 8 + kPlaceOfNorm[k % 8];
}

/// Adds |x|^2 of each bin to `power`; the sum of those outside.
MESHNET_TARGET_CLONES
float add_block(const float* spectrum, const float* outside, float* power) noexcept {
    Eight beyond{};
    for (std::size_t k = 0; k < SpectrumMeter::kBlock; k += 8) {
        Eight norms;
        Eight sums;
        Eight weight;
        MESHNET_NORMS_OF_EIGHT(norms, spectrum + 2 * k);
        std::memcpy(&sums, power + k, sizeof sums);
        std::memcpy(&weight, outside + k, sizeof weight);
        sums += norms;
        beyond += norms * weight;
        std::memcpy(power + k, &sums, sizeof sums);
    }
    return ((beyond[0] + beyond[4]) + (beyond[1] + beyond[5])) + ((beyond[2] + beyond[6]) + (beyond[3] + beyond[7]));
}

}  // namespace

SpectrumMeter::SpectrumMeter()
    : fft_(kBlock, phy::Fft::Direction::kForward),
      rise_(kTaper),
      fall_(kTaper),
      power_(kBlock),
      outside_(kBlock),
      ordered_(kBlock) {
    for (std::size_t i = 0; i < kTaper; ++i) {
        const double angle = 0.5 * std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(kTaper);
        rise_[i] = static_cast<float>(std::sin(angle));
        fall_[i] = static_cast<float>(std::cos(angle));
    }
}

SpectrumReading SpectrumMeter::measure(std::span<const phy::Sample> samples, const SpectrumQuestion& question) {
    const double bin_hz = question.sample_rate_hz / static_cast<double>(kBlock);
    for (std::size_t k = 0; k < kBlock; ++k) {
        const bool last = k == kBlock / 2;  // half the sample rate: half a bin at either end
        const double center = (k < kBlock / 2 ? static_cast<double>(k) : static_cast<double>(k) - kBlock) * bin_hz;
        const double low = last ? center : center - 0.5 * bin_hz;
        const double high = last ? -center : center + 0.5 * bin_hz;
        const bool fits = low >= question.low_hz && high <= question.high_hz;
        outside_[place_of(k)] = fits ? 0.0F : 1.0F;
    }
    std::fill(power_.begin(), power_.end(), 0.0F);
    std::size_t blocks = 0;
    double worst = 0.0;
    // The first block begins before the burst, so that its rising edge falls on nothing.
    for (std::size_t end = kHop; end < samples.size() + kHop; end += kHop, ++blocks) {
        const std::size_t taken = end - kHop;                // samples[taken..] follow the rising edge
        const std::size_t before = std::min(taken, kTaper);  // 0 in the first block
        const auto in = fft_.in();
        const std::size_t first = taken - before;
        const std::size_t count = std::min(samples.size() - first, kHop + before);
        std::fill_n(in.begin(), kTaper - before, phy::Sample{});
        std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(first), count,
                    in.begin() + static_cast<std::ptrdiff_t>(kTaper - before));
        std::fill(in.begin() + static_cast<std::ptrdiff_t>(kTaper - before + count), in.end(), phy::Sample{});
        for (std::size_t i = 0; i < kTaper; ++i) {
            in[i] *= rise_[i];
            in[kHop + i] *= fall_[i];
        }
        fft_.run();
        worst = std::max(worst, static_cast<double>(add_block(reinterpret_cast<const float*>(fft_.out().data()),
                                                              outside_.data(), power_.data())));
    }
    SpectrumReading out;
    double total = 0.0, outside = 0.0;
    for (std::size_t k = 0; k < kBlock; ++k) {
        const std::size_t place = place_of((k + kBlock / 2) % kBlock);
        ordered_[k] = power_[place];
        total += power_[place];
        outside += static_cast<double>(outside_[place] * power_[place]);
    }
    if (total <= 0.0) {
        return out;
    }
    const double length = static_cast<double>(samples.size());
    out.outside_share = outside / total;
    // A burst shorter than a block is its own mean.
    out.worst_block_outside = worst / (total * std::min(1.0, static_cast<double>(kHop) / length));
    find_occupied(out, bin_hz, total);

    // Parseval: the sum over bins is kBlock times the energy in samples.
    const double to_power = 1.0 / (static_cast<double>(kBlock) * length);
    std::size_t first = 0, last = 0;
    if (question.psd_bandwidth_hz > 0.0) {
        const auto width = static_cast<std::size_t>(std::max(1.0, std::ceil(question.psd_bandwidth_hz / bin_hz)));
        out.psd = strongest(std::min(width, kBlock), first, last) * to_power;
        out.psd_values = std::max(1.0, length / static_cast<double>(kBlock)) * static_cast<double>(width);
    }
    const auto width = static_cast<std::size_t>(std::clamp(100e3 / bin_hz, 1.0, static_cast<double>(kBlock) / 8));
    static_cast<void>(strongest(width, first, last));
    out.six_db_bandwidth_hz = static_cast<double>(last - first + 1) * bin_hz;
    return out;
}

void SpectrumMeter::find_occupied(SpectrumReading& out, double bin_hz, double total) const {
    const double tail = 0.005 * total;
    std::size_t low = 0, high = kBlock - 1;
    for (double sum = ordered_[low]; sum < tail && low + 1 < kBlock; sum += ordered_[++low]) {
    }
    for (double sum = ordered_[high]; sum < tail && high > 0; sum += ordered_[--high]) {
    }
    const auto edge = [&](double bin) { return (bin - static_cast<double>(kBlock) / 2) * bin_hz; };
    out.occupied_low_hz = edge(static_cast<double>(low) - 0.5);
    out.occupied_high_hz = edge(static_cast<double>(high) + 0.5);
}

double SpectrumMeter::strongest(std::size_t width, std::size_t& first, std::size_t& last) const {
    std::vector<double> sums(kBlock - width + 1);
    double sum = 0.0, largest = 0.0;
    for (std::size_t k = 0; k < kBlock; ++k) {
        sum += ordered_[k] - (k >= width ? ordered_[k - width] : 0.0);
        if (k + 1 >= width) {
            sums[k + 1 - width] = std::max(sum, 0.0);
            largest = std::max(largest, sum);
        }
    }
    // The outermost windows 6 dB below the strongest; their middles are what is meant.
    const double floor = largest * std::pow(10.0, -0.6);
    first = sums.size();
    last = 0;
    for (std::size_t k = 0; k < sums.size(); ++k) {
        if (sums[k] >= floor) {
            first = std::min(first, k);
            last = k;
        }
    }
    return largest;
}

}  // namespace meshnet::station
