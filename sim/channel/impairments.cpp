// SPDX-License-Identifier: MIT
#include "sim/channel/impairments.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace meshnet::sim {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;

void check(bool ok, const char* what) {
    if (!ok) {
        throw std::invalid_argument(what);
    }
}

}  // namespace

Awgn::Awgn(double power, std::uint64_t seed) : noise_(seed), sigma_(static_cast<float>(std::sqrt(power / 2.0))) {
    check(power >= 0.0 && std::isfinite(power), "Awgn: power must be finite and not negative");
}

double noise_power(double snr_db, double signal_rms, double occupied_fraction) noexcept {
    return signal_rms * signal_rms / (std::pow(10.0, snr_db / 10.0) * occupied_fraction);
}

Cfo::Cfo(double sample_rate_hz, double offset_hz, double rate_hz_per_s, double start_turns) {
    check(sample_rate_hz > 0.0, "Cfo: sample_rate_hz must be positive");
    check(std::isfinite(offset_hz) && std::isfinite(rate_hz_per_s) && std::isfinite(start_turns),
          "Cfo: offsets must be finite");
    phasor_ = Phasor(start_turns, offset_hz / sample_rate_hz, rate_hz_per_s / (sample_rate_hz * sample_rate_hz));
}

void Cfo::process(std::span<phy::Sample> samples) noexcept {
    for (phy::Sample& s : samples) {
        const phy::Sample p = phasor_.next();
        s = {s.real() * p.real() - s.imag() * p.imag(), s.real() * p.imag() + s.imag() * p.real()};
    }
}

PhaseNoise::PhaseNoise(const Config& config, std::uint64_t seed) : noise_(seed) {
    check(config.sample_rate_hz > 0.0, "PhaseNoise: sample_rate_hz must be positive");
    check(config.level_dbc_per_hz >= -200.0 && config.level_dbc_per_hz <= 0.0,
          "PhaseNoise: level_dbc_per_hz must be within -200..0");
    check(config.offset_hz > 0.0, "PhaseNoise: offset_hz must be positive");
    check(config.corner_hz >= 0.0 && config.corner_hz < config.sample_rate_hz / kTurn,
          "PhaseNoise: corner_hz must be within 0..sample_rate_hz / 2 pi");
    // S(f) = D / (2 pi f)^2 for a walk whose variance grows by D rad^2 per second.
    const double diffusion =
        std::pow(10.0, config.level_dbc_per_hz / 10.0) * (kTurn * config.offset_hz) * (kTurn * config.offset_hz);
    step_sigma_ = std::sqrt(diffusion / config.sample_rate_hz);
    memory_ = 1.0 - kTurn * config.corner_hz / config.sample_rate_hz;
}

double PhaseNoise::rms_rad() const noexcept {
    return memory_ >= 1.0 ? std::numeric_limits<double>::infinity() : step_sigma_ / std::sqrt(1.0 - memory_ * memory_);
}

void PhaseNoise::process(std::span<phy::Sample> samples) {
    for (phy::Sample& s : samples) {
        float w = spare_;
        if (!has_spare_) {
            const phy::Sample pair = noise_.next();
            w = pair.real();
            spare_ = pair.imag();
        }
        has_spare_ = !has_spare_;
        phase_ = memory_ * phase_ + step_sigma_ * static_cast<double>(w);
        const phy::Sample p = phase_to_phasor(turns_to_phase(phase_ / kTurn));
        s = {s.real() * p.real() - s.imag() * p.imag(), s.real() * p.imag() + s.imag() * p.real()};
    }
}

IqImbalance::IqImbalance(double gain_db, double phase_deg, phy::Sample dc) : dc_(dc) {
    check(std::abs(gain_db) <= 20.0, "IqImbalance: gain_db must be within -20..20");
    check(std::abs(phase_deg) <= 45.0, "IqImbalance: phase_deg must be within -45..45");
    // Q branch has gain g and phase error phi against the I branch.
    const double g = std::pow(10.0, gain_db / 20.0);
    const double phi = phase_deg * std::numbers::pi / 180.0;
    mu_ = {static_cast<float>((1.0 + g * std::cos(phi)) / 2.0), static_cast<float>(g * std::sin(phi) / 2.0)};
    nu_ = {static_cast<float>((1.0 - g * std::cos(phi)) / 2.0), static_cast<float>(g * std::sin(phi) / 2.0)};
}

void IqImbalance::process(std::span<phy::Sample> samples) const noexcept {
    for (phy::Sample& s : samples) {
        const float re = s.real();
        const float im = s.imag();
        s = {(mu_.real() + nu_.real()) * re + (nu_.imag() - mu_.imag()) * im + dc_.real(),
             (mu_.imag() + nu_.imag()) * re + (mu_.real() - nu_.real()) * im + dc_.imag()};
    }
}

double IqImbalance::image_rejection_db() const noexcept {
    return 20.0 * std::log10(static_cast<double>(std::abs(mu_)) / static_cast<double>(std::abs(nu_)));
}

Quantizer::Quantizer(unsigned bits, double full_scale) {
    check(bits >= 2 && bits <= 24, "Quantizer: bits must be within 2..24");
    check(full_scale > 0.0 && std::isfinite(full_scale), "Quantizer: full_scale must be positive");
    const double levels = std::ldexp(1.0, static_cast<int>(bits) - 1);
    scale_ = static_cast<float>(levels / full_scale);
    step_ = static_cast<float>(full_scale / levels);
    highest_ = static_cast<float>(levels - 1.0);
}

void Quantizer::process(std::span<phy::Sample> samples) noexcept {
    const auto convert = [this](float v) {
        const float level = std::nearbyint(v * scale_);
        const float limited = std::clamp(level, -highest_ - 1.0F, highest_);
        clipped_ += limited != level ? 1U : 0U;
        return limited * step_;
    };
    for (phy::Sample& s : samples) {
        const float re = convert(s.real());
        const float im = convert(s.imag());
        s = {re, im};
    }
}

DroppedSamples::DroppedSamples(const Config& config, std::uint64_t seed) : config_(config), rng_(seed) {
    check(config.gaps_per_million >= 0.0 && config.gaps_per_million <= 1e5,
          "DroppedSamples: gaps_per_million must be within 0..1e5");
    check(config.shortest >= 1 && config.longest >= config.shortest,
          "DroppedSamples: shortest must be at least 1 and longest at least shortest");
    draw();
}

void DroppedSamples::draw() {
    if (config_.gaps_per_million == 0.0) {
        until_gap_ = ~std::uint64_t{0};
        return;
    }
    const double wait = -std::log(1.0 - rng_.uniform()) * 1e6 / config_.gaps_per_million;
    until_gap_ = 1 + static_cast<std::uint64_t>(wait);
    gap_left_ = config_.shortest + rng_.below(config_.longest - config_.shortest + 1);
}

void DroppedSamples::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    while (!in.empty()) {
        if (until_gap_ > 0) {
            const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(until_gap_, in.size()));
            out.insert(out.end(), in.begin(), in.begin() + static_cast<std::ptrdiff_t>(n));
            in = in.subspan(n);
            until_gap_ -= n;
        } else {
            const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(gap_left_, in.size()));
            in = in.subspan(n);
            gap_left_ -= n;
            dropped_ += n;
            if (gap_left_ == 0) {
                draw();
            }
        }
    }
}

Interferer::Interferer(const Config& config, std::uint64_t seed)
    : config_(config), rng_(seed), tone_(0.0, config.tone_turns_per_sample) {
    check(std::abs(config.tone_turns_per_sample) <= 0.5, "Interferer: tone_turns_per_sample must be within -0.5..0.5");
    check(config.impulses_per_million >= 0.0 && config.impulses_per_million <= 1e6,
          "Interferer: impulses_per_million must be within 0..1e6");
    check(std::isfinite(config.tone_rms) && std::isfinite(config.impulse_amplitude),
          "Interferer: amplitudes must be finite");
}

void Interferer::process(std::span<phy::Sample> samples) {
    const float tone = static_cast<float>(config_.tone_rms);
    const float impulse = static_cast<float>(config_.impulse_amplitude);
    const double chance = config_.impulses_per_million * 1e-6;
    for (phy::Sample& s : samples) {
        s += tone * tone_.next();
        if (chance > 0.0 && rng_.uniform() < chance) {
            s += impulse * phase_to_phasor(rng_.next_u64());
        }
    }
}

}  // namespace meshnet::sim
