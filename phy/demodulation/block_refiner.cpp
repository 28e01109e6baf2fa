// SPDX-License-Identifier: MIT
#include "phy/demodulation/block_refiner.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "phy/waveform/whitening.hpp"

namespace meshnet::phy {
namespace {

constexpr int kRounds = 3;
// The cells around one whose errors tell its noise, those of other symbols by half; as many measurements as kKnown say
// that the noise is as it was assumed. A LoRa chirp crosses two carriers in a symbol.
constexpr std::size_t kCarriersBeside = 2;
constexpr std::size_t kSymbolsBeside = 1;
constexpr float kKnown = 2.0F;
constexpr float kLeastFactor = 0.7F;
// The same for the channel, which no path within the prefix changes much over so few carriers. The estimate that pilots
// and training gave is worth this SNR.
constexpr std::size_t kChannelBeside = 3;
constexpr float kChannelKnown = 300.0F;

}  // namespace

void BlockRecord::reserve(std::size_t carriers) {
    points.reserve(kMostCells);
    power.reserve(kMostCells);
    inverse_noise.reserve(kMostCells / carriers);
}

void BlockRecord::begin(std::size_t symbol, std::size_t bit, std::size_t point) noexcept {
    points.clear();
    power.clear();
    inverse_noise.clear();
    first_symbol = symbol;
    first_bit = bit;
    first_point = point;
    complete = true;
}

void BlockRecord::add(std::span<const Sample> row_points, std::span<const float> row_power, float row_inverse_noise) {
    if (!complete || points.size() + row_points.size() > kMostCells) {
        complete = false;
        return;
    }
    points.insert(points.end(), row_points.begin(), row_points.end());
    power.insert(power.end(), row_power.begin(), row_power.end());
    inverse_noise.push_back(row_inverse_noise);
}

BlockRefiner::BlockRefiner(const Grid& grid) : grid_(grid) {
    levels_.reserve(16);
    for (auto* cells : {&errors_, &counts_, &factors_}) {
        cells->reserve(BlockRecord::kMostCells);
    }
    matched_.reserve(grid.carriers());
    weights_.reserve(grid.carriers());
    correction_.reserve(grid.carriers());
    llr_.reserve(8 * grid.carriers());
}

void BlockRefiner::take_levels(const Constellation& constellation) {
    const unsigned per_axis = constellation.bits_per_symbol() / 2;
    levels_.clear();
    for (unsigned v = 0; v < 1U << per_axis; ++v) {
        std::array<std::uint8_t, 8> bits{};
        for (unsigned b = 0; b < per_axis; ++b) {
            bits[2 * b] = static_cast<std::uint8_t>((v >> b) & 1U);
        }
        levels_.push_back(constellation.map(bits.data()).real());
    }
}

// Mean of the value of an axis that was sent when `x` was received, and of its square.
float BlockRefiner::soft_axis(float x, float snr, float& square) const noexcept {
    float nearest = std::numeric_limits<float>::max();
    for (const float l : levels_) {
        nearest = std::min(nearest, (x - l) * (x - l));
    }
    float sum = 0.0F;
    float mean = 0.0F;
    square = 0.0F;
    for (const float l : levels_) {
        const float likelihood = std::exp(-snr * ((x - l) * (x - l) - nearest));
        sum += likelihood;
        mean += likelihood * l;
        square += likelihood * l * l;
    }
    square /= sum;
    return mean / sum;
}

// Errors of one row, and what it says of the channel.
void BlockRefiner::measure_row(const BlockRecord& record, std::size_t row, std::span<const std::uint16_t> data) {
    const std::size_t first = row * grid_.carriers();
    const float inverse_noise = record.inverse_noise[row];
    for (const std::uint16_t c : data) {
        const std::size_t at = first + c;
        const Sample point = record.points[at];
        const float snr = record.power[at] * inverse_noise / factors_[at];
        const float gain = std::norm(correction_[c]);
        const Sample corrected = point * std::conj(correction_[c]) / gain;
        float square_i = 0.0F;
        float square_q = 0.0F;
        const Sample soft(soft_axis(corrected.real(), snr * gain, square_i),
                          soft_axis(corrected.imag(), snr * gain, square_q));
        const float square = square_i + square_q;
        const float error = std::norm(corrected) - 2.0F * (corrected * std::conj(soft)).real() + square;
        errors_[at] = std::max(0.0F, error) * snr * gain * factors_[at];
        counts_[at] = 1.0F;
        matched_[c] += snr * (point * std::conj(soft) - square);
        weights_[c] += snr * square;
    }
}

// The noise of each cell from the errors around it.
void BlockRefiner::smooth_errors(std::size_t rows) {
    const std::size_t k = grid_.carriers();
    const auto from = [](std::size_t at, std::size_t reach) { return at > reach ? at - reach : 0; };
    for (std::size_t s = 0; s < rows; ++s) {
        for (std::size_t c = 0; c < k; ++c) {
            float sum = kKnown;
            float count = kKnown;
            for (std::size_t t = from(s, kSymbolsBeside); t < std::min(rows, s + kSymbolsBeside + 1); ++t) {
                const float weight = t == s ? 1.0F : 0.5F;
                for (std::size_t i = from(c, kCarriersBeside); i < std::min(k, c + kCarriersBeside + 1); ++i) {
                    sum += weight * errors_[t * k + i];
                    count += weight * counts_[t * k + i];
                }
            }
            factors_[s * k + c] = std::max(kLeastFactor, sum / count);
        }
    }
}

void BlockRefiner::correct_channel() {
    const std::size_t k = grid_.carriers();
    for (std::size_t c = 0; c < k; ++c) {
        Sample sum{};
        float weight = kChannelKnown;
        const std::size_t first = c > kChannelBeside ? c - kChannelBeside : 0;
        for (std::size_t i = first; i < std::min(k, c + kChannelBeside + 1); ++i) {
            sum += matched_[i];
            weight += weights_[i];
        }
        const Sample correction = Sample(1.0F, 0.0F) + sum / weight;
        // So far off is no estimate at all, nor is what is not a number.
        const float gain = std::norm(correction);
        correction_[c] = gain > 0.1F && gain < 10.0F ? correction : Sample(1.0F, 0.0F);
    }
}

void BlockRefiner::measure(const BlockRecord& record, const BlockFormat& format) {
    const std::size_t k = grid_.carriers();
    take_levels(*format.constellation);
    errors_.assign(record.points.size(), 0.0F);
    counts_.assign(record.points.size(), 0.0F);
    factors_.assign(record.points.size(), 1.0F);
    correction_.assign(k, Sample(1.0F, 0.0F));
    for (int round = 0; round < kRounds; ++round) {
        matched_.assign(k, Sample{});
        weights_.assign(k, 0.0F);
        for (std::size_t row = 0; row < record.rows(); ++row) {
            measure_row(record, row, grid_.data(record.first_symbol + row, format.dense_pilots));
        }
        smooth_errors(record.rows());
        correct_channel();
    }
}

std::span<const float> BlockRefiner::demap(const BlockRecord& record, std::size_t row, const BlockFormat& format) {
    const auto data = grid_.data(record.first_symbol + row, format.dense_pilots);
    const unsigned bits = format.constellation->bits_per_symbol();
    llr_.resize(data.size() * bits);
    float* llr = llr_.data();
    for (const std::uint16_t c : data) {
        const std::size_t at = row * grid_.carriers() + c;
        const float gain = std::norm(correction_[c]);
        format.constellation->demap(record.points[at] * std::conj(correction_[c]) / gain,
                                    record.power[at] * record.inverse_noise[row] * gain / factors_[at], llr);
        llr += bits;
    }
    if (format.whitened) {
        Whitening::undo(llr_, record.first_bit + row * llr_.size());
    }
    return llr_;
}

}  // namespace meshnet::phy
