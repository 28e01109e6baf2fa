// SPDX-License-Identifier: MIT
#include "phy/demodulation/symbol_tracker.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;

// Process noise per symbol, from what real oscillators do. Phase: a Wiener walk of 0.2 Hz linewidth. Frequency: a walk
// of 500 Hz/s from one symbol to the next. Its rate, a satellite's Doppler rate, walks by 100 Hz/s in a second (LEO:
// 20). Time: clocks that wander by 0.02 ppm per symbol.
DriftFilter::Noise phase_noise(const Profile& p) {
    const double t = static_cast<double>(p.symbol_samples()) / p.sample_rate_hz;
    const double sweep = kTwoPi * 500.0 * t * t;
    const double bend = kTwoPi * 100.0 * t * t;
    return {kTwoPi * 0.2 * t, sweep * sweep, bend * bend * t};
}
DriftFilter::Noise time_noise(const Profile& p) {
    const double walk = 0.02e-6 * static_cast<double>(p.symbol_samples());
    return {1e-9, walk * walk};
}

}  // namespace

SymbolTracker::SymbolTracker(const Grid& grid, std::size_t capacity)
    : grid_(grid), tracks_(capacity), smooth_phase_(capacity), smooth_time_(capacity) {}

void SymbolTracker::reset() noexcept {
    size_ = 0;
    window_shift_ = 0;
    oscillator_ = 0.0;
}

void SymbolTracker::start(const TrainingEstimator::Estimate& training, std::size_t training_symbols,
                          bool dense_pilots) noexcept {
    const Profile& p = grid_.profile();
    dense_ = dense_pilots;
    noise_ = static_cast<double>(training.noise);
    // Symbols from the middle of the training, where its estimates hold, to just before symbol 0.
    const double distance = (static_cast<double>(training_symbols) + 1.0) / 2.0 - 1.0;
    phase_ = DriftFilter(phase_noise(p), true);
    DriftFilter::State state;
    state.dd = training.drift_variance + 1e-8;
    state.vv = training.phase_variance;
    state.rate = training.rate;
    state.rr = training.rate_variance;
    state.dr = training.drift_rate;
    phase_.start(DriftFilter::moved(state, distance));
    time_ = DriftFilter(time_noise(p));
    const double clock = 60e-6 * static_cast<double>(p.symbol_samples());
    state = {};
    state.dd = clock * clock;
    state.vv = 1e-4 + distance * distance * state.dd;
    state.vd = distance * state.dd;
    time_.start(state);
}

SymbolTracker::Innovation SymbolTracker::predict(std::span<const Sample> carriers, std::size_t symbol,
                                                 std::span<const Sample> reference,
                                                 std::span<const float> reference_power,
                                                 std::span<const std::uint8_t> weights) noexcept {
    assert(size_ < tracks_.size());
    phase_.predict();
    time_.predict();
    const double phase = phase_.state().value;
    const double time = time_.state().value - window_shift_;
    const double per_carrier = kTwoPi / static_cast<double>(grid_.profile().fft_size);
    double a00 = 0.0;
    double a01 = 0.0;
    double a11 = 0.0;
    double b0 = 0.0;
    double b1 = 0.0;
    double error = 0.0;
    CarrierRotation back(-phase, per_carrier * time);
    const auto pilots = grid_.pilots(symbol, dense_);
    for (const std::uint16_t c : pilots) {
        const double g = -per_carrier * grid_.subcarrier(c);
        const Sample received = carriers[c] * back.at(grid_.subcarrier(c)) * grid_.pilot(symbol, c);
        const double weight = weights.empty() ? 1.0 : static_cast<double>(weights[c]) / 255.0;
        const double im = weight * static_cast<double>((received * std::conj(reference[c])).imag());
        error += weight * static_cast<double>(std::norm(received - reference[c]));
        const double power = weight * static_cast<double>(reference_power[c]);
        a00 += power;
        a01 += power * g;
        a11 += power * g * g;
        b0 += im;
        b1 += im * g;
    }
    Innovation out;
    out.error = error;
    out.mean_error = static_cast<float>(error / static_cast<double>(pilots.size()));
    const double noise = noise_ / 2.0;
    const double determinant = a00 * a11 - a01 * a01;
    if (determinant > 0.0 && a00 > 0.0) {
        // Least squares for (phase, time) and the variance of each.
        out.usable = true;
        out.phase = (a11 * b0 - a01 * b1) / determinant;
        out.phase_variance = noise * a11 / determinant;
        out.time = (a00 * b1 - a01 * b0) / determinant;
        out.time_variance = noise * a00 / determinant;
    }
    return out;
}

void SymbolTracker::take(const Innovation& innovation) noexcept {
    if (innovation.usable) {
        phase_.update(innovation.phase, innovation.phase_variance);
        time_.update(innovation.time, innovation.time_variance);
    }
    add_track(innovation.mean_error, 0.0F);
}

void SymbolTracker::skip(float excess) noexcept {
    add_track(static_cast<float>(noise_), excess);
}

void SymbolTracker::add_track(float error, float excess) noexcept {
    tracks_[size_++] = {phase_.state(), time_.state(), window_shift_, oscillator_, error, excess};
    follow_window();
    follow_oscillator();
}

// Most of a sample late or early: move the window; the filter keeps counting from where it started.
void SymbolTracker::follow_window() noexcept {
    const double left = time_.state().value - window_shift_;
    if (left > 0.75) {
        ++window_shift_;
    } else if (left < -0.75) {
        --window_shift_;
    }
}

// A residual CFO that is certain, and worth it: below a hundredth of a subcarrier ICI stays under -35 dB.
void SymbolTracker::follow_oscillator() noexcept {
    constexpr double kDeviations = 6.0;
    const auto& p = grid_.profile();
    const double to_cycles = 1.0 / (kTwoPi * static_cast<double>(p.symbol_samples()));
    const double left = phase_.state().drift * to_cycles - oscillator_;
    const double deviation = std::sqrt(phase_.state().dd) * to_cycles;
    if (std::abs(left) > std::max(0.01 / static_cast<double>(p.fft_size), kDeviations * deviation)) {
        oscillator_ += left;
    }
}

void SymbolTracker::smooth() noexcept {
    for (std::size_t r = 0; r < size_; ++r) {
        smooth_phase_[r] = tracks_[r].phase;
        smooth_time_[r] = tracks_[r].time;
    }
    phase_.smooth(std::span(smooth_phase_).first(size_));
    time_.smooth(std::span(smooth_time_).first(size_));
}

void SymbolTracker::set_phase_line(double radians_per_symbol, std::size_t first_symbol) noexcept {
    for (std::size_t r = 0; r < size_; ++r) {
        smooth_phase_[r].value = radians_per_symbol * static_cast<double>(first_symbol + r);
    }
}

void SymbolTracker::drop(std::size_t rows) noexcept {
    assert(rows <= size_);
    std::copy(tracks_.begin() + static_cast<std::ptrdiff_t>(rows), tracks_.begin() + static_cast<std::ptrdiff_t>(size_),
              tracks_.begin());
    size_ -= rows;
}

}  // namespace meshnet::phy
