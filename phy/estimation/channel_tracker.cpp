// SPDX-License-Identifier: MIT
#include "phy/estimation/channel_tracker.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/target_clones.hpp"

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {

MESHNET_TARGET_CLONES void ChannelVariation::add(std::span<const Sample> before, std::span<const Sample> after,
                                                 double symbols, double noise, double independent_values) noexcept {
    double difference = 0.0;
    for (std::size_t c = 0; c < before.size(); ++c) {
        difference += static_cast<double>(std::norm(after[c] - before[c]));
    }
    difference /= static_cast<double>(before.size());
    excess_ += difference - 2.0 * noise;
    symbols_ += symbols;
    variance_ += 4.0 * noise * noise / independent_values;
}

double ChannelVariation::per_symbol() const noexcept {
    if (!(symbols_ > 0.0)) {
        return 0.0;
    }
    return std::max(0.0, excess_ - 2.0 * std::sqrt(variance_)) / symbols_;
}

ChannelTracker::ChannelTracker(const Grid& grid)
    : grid_(grid), smoother_(grid), long_smoother_(grid, ChannelSmoother::Reach::kBeyond) {
    sum_.resize(grid.carriers());
    count_.resize(grid.carriers());
    const auto& p = grid.profile();
    independent_ =
        std::max(2.0, static_cast<double>(p.carriers * (p.cyclic_prefix + 2)) / static_cast<double>(p.fft_size));
}

void ChannelTracker::begin(const ChannelState& prior) {
    std::copy(prior.h.begin(), prior.h.end(), sum_.begin());
    std::fill(count_.begin(), count_.end(), std::uint8_t{0});
    symbols_ = 0;
}

void ChannelTracker::add(std::span<const Sample> carriers, std::size_t symbol, bool dense, double phase, double time) {
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid_.profile().fft_size);
    CarrierRotation back(-phase, per_carrier * time);
    for (const std::uint16_t c : grid_.pilots(symbol, dense)) {
        const Sample h = carriers[c] * back.at(grid_.subcarrier(c)) * grid_.pilot(symbol, c);
        sum_[c] = count_[c] == 0 ? h : sum_[c] + h;
        ++count_[c];
    }
    if (symbols_ == 0) {
        first_symbol_ = static_cast<double>(symbol);
    }
    ++symbols_;
}

void ChannelTracker::end(double noise, const ChannelState& prior, bool long_delay_spread, ChannelGroup& out) {
    ChannelSmoother& smoother = long_delay_spread ? long_smoother_ : smoother_;
    const std::size_t k = grid_.carriers();
    double signal = 0.0;
    double spread = 0.0;  // mean of 1/count over sounded carriers
    std::size_t sounded = 0;
    for (std::size_t c = 0; c < k; ++c) {
        if (count_[c] > 0) {
            sum_[c] *= 1.0F / static_cast<float>(count_[c]);
            spread += 1.0 / count_[c];
            ++sounded;
        }
        signal += static_cast<double>(std::norm(prior.h[c]));
    }
    signal /= static_cast<double>(k);
    const double ls_noise = noise * spread / static_cast<double>(std::max<std::size_t>(sounded, 1));
    // At low SNR a Wiener smoother shrinks its estimate; the filter along time, which weighs noisy measurements
    // itself, would take that for the channel.
    constexpr double kLeastSnrDb = 10.0;
    const double snr_db = std::max(kLeastSnrDb, 10.0 * std::log10(std::max(signal, 1e-30) / std::max(ls_noise, 1e-30)));
    out.measured.assign(sum_.begin(), sum_.end());
    smoother.apply(out.measured, static_cast<float>(snr_db));
    // Carriers taken over from the prior add no information: the measurement is worth less by their share.
    const double share = static_cast<double>(sounded) / static_cast<double>(k);
    out.noise =
        ls_noise * static_cast<double>(smoother.noise_gain(static_cast<float>(snr_db))) / std::max(share * share, 1e-3);
    out.centre = first_symbol_ + (static_cast<double>(symbols_) - 1.0) / 2.0;
    out.complete = sounded == k;
}

MESHNET_TARGET_CLONES void ChannelTracker::update(ChannelState& state, ChannelGroup& group,
                                                  double variation_per_symbol) noexcept {
    const double predicted = state.error + variation_per_symbol * std::abs(group.centre - state.symbol);
    const double gain = predicted / (predicted + group.noise + 1e-30);
    const auto g = static_cast<float>(gain);
    for (std::size_t c = 0; c < state.h.size(); ++c) {
        state.h[c] += g * (group.measured[c] - state.h[c]);
    }
    state.error = (1.0 - gain) * predicted;
    state.symbol = group.centre;
    group.filtered.assign(state.h.begin(), state.h.end());
    group.error = state.error;
}

MESHNET_TARGET_CLONES void ChannelTracker::smooth(std::span<ChannelGroup> groups,
                                                  double variation_per_symbol) noexcept {
    for (std::size_t i = groups.size(); i-- > 1;) {
        auto& group = groups[i - 1];
        const auto& next = groups[i];
        const double varied = variation_per_symbol * std::abs(next.centre - group.centre);
        const auto weight = static_cast<float>(group.error / (group.error + varied + 1e-30));
        for (std::size_t c = 0; c < group.filtered.size(); ++c) {
            group.filtered[c] += weight * (next.filtered[c] - group.filtered[c]);
        }
    }
}

}  // namespace meshnet::phy
