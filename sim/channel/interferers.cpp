// SPDX-License-Identifier: MIT
#include "sim/channel/interferers.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace meshnet::sim {
namespace {

void check(bool ok, const char* what) {
    if (!ok) {
        throw std::invalid_argument(what);
    }
}

constexpr std::size_t kOversampling = 4;     // of the neighbour's samples
constexpr std::size_t kTransform = 128;      // samples of ours in one of its symbols
constexpr std::size_t kPrefix = 8;           // and in its cyclic prefix
constexpr std::size_t kFilterTaps = 4 * 28;  // at four times the rate

}  // namespace

FskInterferer::FskInterferer(const Config& config, std::uint64_t seed) : config_(config), rng_(seed) {
    check(std::abs(config.centre) <= 0.5, "FskInterferer: centre must be within -0.5..0.5");
    check(config.bit_samples >= 1.0 && std::isfinite(config.deviation),
          "FskInterferer: bit_samples must be at least 1");
    phase_ = rng_.uniform();
    left_ = rng_.uniform() * config.bit_samples;
    step_ = config.centre + (rng_.below(2) == 0 ? config.deviation : -config.deviation);
}

void FskInterferer::add(std::span<phy::Sample> samples) {
    const auto rms = static_cast<float>(config_.rms);
    for (phy::Sample& s : samples) {
        s += rms * phase_to_phasor(turns_to_phase(phase_));
        phase_ += step_;
        phase_ -= std::floor(phase_);
        left_ -= 1.0;
        if (left_ <= 0.0) {
            left_ += config_.bit_samples;
            step_ = config_.centre + (rng_.below(2) == 0 ? config_.deviation : -config_.deviation);
        }
    }
}

ChirpInterferer::ChirpInterferer(const Config& config, std::uint64_t seed) : config_(config), rng_(seed) {
    check(std::abs(config.centre) <= 0.5, "ChirpInterferer: centre must be within -0.5..0.5");
    check(config.bandwidth > 0.0 && config.bandwidth <= 1.0, "ChirpInterferer: bandwidth must be within (0, 1]");
    check(config.symbol_samples >= 1.0 && config.places >= 1, "ChirpInterferer: symbol_samples must be at least 1");
    phase_ = rng_.uniform();
    position_ = rng_.uniform();
    left_ = rng_.uniform() * config.symbol_samples;
}

void ChirpInterferer::add(std::span<phy::Sample> samples) {
    const auto rms = static_cast<float>(config_.rms);
    for (phy::Sample& s : samples) {
        s += rms * phase_to_phasor(turns_to_phase(phase_));
        phase_ += config_.centre + (position_ - 0.5) * config_.bandwidth;
        phase_ -= std::floor(phase_);
        position_ += 1.0 / config_.symbol_samples;
        position_ -= position_ >= 1.0 ? 1.0 : 0.0;
        left_ -= 1.0;
        if (left_ <= 0.0) {
            left_ += config_.symbol_samples;
            position_ = static_cast<double>(rng_.below(config_.places)) / static_cast<double>(config_.places);
        }
    }
}

PulseInterferer::PulseInterferer(const Config& config, std::uint64_t seed) : config_(config), noise_(seed + 1) {
    check(config.pulse_samples > 0.0 && config.period_samples >= config.pulse_samples,
          "PulseInterferer: pulse_samples must be above 0 and at most period_samples");
    at_ = Rng(seed).uniform() * config.period_samples;
}

void PulseInterferer::add(std::span<phy::Sample> samples) {
    const auto sigma = static_cast<float>(config_.rms * std::sqrt(0.5));
    for (phy::Sample& s : samples) {
        if (at_ < config_.pulse_samples) {
            s += sigma * noise_.next();
        }
        at_ += 1.0;
        at_ -= at_ >= config_.period_samples ? config_.period_samples : 0.0;
    }
}

NeighbourInterferer::NeighbourInterferer(const Config& config, std::uint64_t seed)
    : config_(config), rng_(seed), line_(2 * kFilterTaps) {
    check(std::abs(config.offset) <= 1.5, "NeighbourInterferer: offset must be within -1.5..1.5 of the sample rate");
    check(config.occupied_fraction > 0.0 && config.occupied_fraction <= 1.0,
          "NeighbourInterferer: occupied_fraction must be within (0, 1]");
    // Windowed sinc (Hamming), cut off at half of our sample rate.
    filter_.resize(kFilterTaps);
    double sum = 0.0;
    for (std::size_t i = 0; i < kFilterTaps; ++i) {
        const double t = static_cast<double>(i) - (kFilterTaps - 1) / 2.0;
        const double x = std::numbers::pi * t / kOversampling;
        const double window = 0.54 + 0.46 * std::cos(2.0 * std::numbers::pi * t / kFilterTaps);
        const double tap = std::sin(x) / x * window;
        filter_[i] = static_cast<float>(tap);
        sum += tap;
    }
    for (float& tap : filter_) {
        tap /= static_cast<float>(sum);
    }
    symbol_.resize(kOversampling * (kTransform + kPrefix));
    make_symbol();
    at_ = rng_.below(symbol_.size());
    shift_ = Phasor(rng_.uniform(), config.offset / kOversampling);
}

void NeighbourInterferer::make_symbol() {
    constexpr std::size_t kPrefixSamples = kOversampling * kPrefix;
    constexpr std::size_t kBody = kOversampling * kTransform;
    const int half = static_cast<int>(std::lround(config_.occupied_fraction * kTransform / 2.0));
    const float amplitude = static_cast<float>(config_.rms / std::sqrt(2.0 * half));
    const std::span<phy::Sample> body = std::span(symbol_).subspan(kPrefixSamples);
    std::fill(body.begin(), body.end(), phy::Sample{});
    for (int k = -half; k <= half; ++k) {
        if (k == 0) {
            continue;
        }
        const auto point = amplitude * phase_to_phasor((std::uint64_t{1} << 61U) + (rng_.below(4) << 62U));
        const auto turn = turns_to_phase(static_cast<double>(k) / static_cast<double>(kBody));
        std::uint64_t phase = 0;
        for (phy::Sample& s : body) {
            s += point * phase_to_phasor(phase);
            phase += turn;
        }
    }
    std::copy(symbol_.end() - kPrefixSamples, symbol_.end(), symbol_.begin());
}

void NeighbourInterferer::add(std::span<phy::Sample> samples) {
    for (phy::Sample& s : samples) {
        for (std::size_t i = 0; i < kOversampling; ++i) {
            if (at_ == symbol_.size()) {
                make_symbol();
                at_ = 0;
            }
            const phy::Sample x = symbol_[at_++] * shift_.next();
            line_[line_at_] = line_[line_at_ + kFilterTaps] = x;
            line_at_ = (line_at_ + 1) % kFilterTaps;
        }
        const phy::Sample* from = line_.data() + line_at_;
        phy::Sample sum{};
        for (std::size_t i = 0; i < kFilterTaps; ++i) {
            sum += filter_[i] * from[i];
        }
        s += sum;
    }
}

}  // namespace meshnet::sim
