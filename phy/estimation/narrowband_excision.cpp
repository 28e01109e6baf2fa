// SPDX-License-Identifier: MIT
#include "phy/estimation/narrowband_excision.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <iterator>
#include <numbers>

namespace meshnet::phy {
namespace {

constexpr float kLine = 32.0F;  // over the median power: a line. Data of our own through two rays, where nulls lower
                                // the median and maxima raise bins, gets there once in 10^5 bins
constexpr float kSkirt = 4.0F;  // bins beside a line belong to it as far as they are above the median by this
constexpr std::size_t kStride = 8;

}  // namespace

NarrowbandExcision::NarrowbandExcision(std::size_t size, std::size_t edge)
    : fade_(edge), kept_(2 * edge), power_(size), sorted_(std::min<std::size_t>(size, 128)), taken_(size) {
    assert(size % 64 == 0 && 2 * edge <= size);
    for (std::size_t i = 0; i < edge; ++i) {
        const double x = (static_cast<double>(i) + 0.5) / static_cast<double>(edge);
        fade_[i] = static_cast<float>(0.5 - 0.5 * std::cos(std::numbers::pi * x));
    }
}

// The mean over bins of min(power, mean power) is 0.63 of the mean power for noise, 0.55 for our signal without any,
// and nearly 0 where few bins hold all energy.
bool NarrowbandExcision::is_concentrated(std::span<const Sample> spectrum, double energy) const noexcept {
    constexpr float kConcentrated = 0.45F;
    constexpr std::size_t kLanes = 8;
    const auto mean = static_cast<float>(energy);  // of a bin: size * energy / size
    float part[kLanes]{};
    std::size_t count = 0;
    for (std::size_t k = 0; k < spectrum.size(); k += kLanes * kStride, count += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            const float power = std::norm(spectrum[k + l * kStride]);
            part[l] += power < mean ? power : mean;
        }
    }
    float sum = 0.0F;
    for (const float p : part) {
        sum += p;
    }
    return sum < kConcentrated * mean * static_cast<float>(count);
}

// Median power, of some bins.
float NarrowbandExcision::median(std::span<const Sample> spectrum) noexcept {
    const std::size_t step = spectrum.size() / sorted_.size();
    for (std::size_t i = 0; i < sorted_.size(); ++i) {
        sorted_[i] = std::norm(spectrum[i * step]);
    }
    const auto middle = sorted_.begin() + static_cast<std::ptrdiff_t>(sorted_.size() / 2);
    std::nth_element(sorted_.begin(), middle, sorted_.end());
    return *middle;
}

// Bins that stand far above the others, without fading the edges: a line may be there. Lines all over the band are
// those of frames of our own that repeat themselves. In long blocks one bin of four is looked at: without fading, a
// line worth it is wider.
bool NarrowbandExcision::has_lines(BlockConvolution& filter) noexcept {
    const std::span<const Sample> spectrum = filter.spectrum();
    constexpr std::size_t kParts = 16;
    constexpr std::size_t kMostParts = 12;
    const std::size_t step = spectrum.size() >= 2048 ? 4 : 1;
    const float line = kLine * median(spectrum);
    const std::size_t part = spectrum.size() / kParts;
    bool has_line[kParts]{};
    for (std::size_t i = 0; i < spectrum.size(); i += step) {
        if (std::norm(spectrum[i]) > line) {
            has_line[filter.frequency(i) / part] = true;
        }
    }
    const auto parts = static_cast<std::size_t>(std::count(std::begin(has_line), std::end(has_line), true));
    return parts > 0 && parts <= kMostParts;
}

bool NarrowbandExcision::find_bins(BlockConvolution& filter) {
    const std::span<const Sample> spectrum = filter.spectrum();
    const std::size_t size = spectrum.size();
    for (std::size_t k = 0; k < size; ++k) {
        power_[filter.frequency(k)] = std::norm(spectrum[k]);
    }
    const float usual = median(spectrum);
    const float line = kLine * usual;
    const float skirt = kSkirt * usual;
    std::fill(taken_.begin(), taken_.end(), static_cast<unsigned char>(0));
    std::size_t count = 0;
    const auto spread = [&](std::size_t k, std::size_t step) {
        for (std::size_t i = (k + step) % size; taken_[i] == 0 && power_[i] > skirt; i = (i + step) % size) {
            taken_[i] = 1;
            ++count;
        }
    };
    for (std::size_t k = 0; k < size; ++k) {
        if (taken_[k] == 0 && power_[k] > line) {
            taken_[k] = 1;
            ++count;
            spread(k, 1);
            spread(k, size - 1);
        }
    }
    return count > 0 && 3 * count < size;
}

bool NarrowbandExcision::run(BlockConvolution& filter) {
    const auto in = filter.in();
    const auto out = filter.spectrum();
    const std::size_t size = power_.size();
    const std::size_t edge = fade_.size();
    if (!has_lines(filter)) {
        return false;
    }
    for (std::size_t i = 0; i < edge; ++i) {
        kept_[2 * i] = in[i];
        kept_[2 * i + 1] = in[size - 1 - i];
        in[i] *= fade_[i];
        in[size - 1 - i] *= fade_[i];
    }
    filter.forward();
    if (!find_bins(filter)) {
        for (std::size_t i = 0; i < edge; ++i) {
            in[i] = kept_[2 * i];
            in[size - 1 - i] = kept_[2 * i + 1];
        }
        filter.forward();
        return false;
    }
    const float scale = 1.0F / static_cast<float>(size);
    for (std::size_t k = 0; k < size; ++k) {
        out[k] = taken_[filter.frequency(k)] != 0 ? Sample{} : out[k];
        filter.product()[k] = out[k] * scale;
    }
    filter.inverse();
    std::copy(filter.out().begin(), filter.out().end(), in.begin());
    return true;
}

}  // namespace meshnet::phy
