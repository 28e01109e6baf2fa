// SPDX-License-Identifier: MIT
#include "phy/estimation/line_fit.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include "core/target_clones.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr std::size_t kValues = 128;  // that the fit works on
constexpr std::size_t kLanes = 8;     // phasors side by side, none of which waits for another

// exp(j 2 pi (f t + r t^2 / 2)), t = (n - (N - 1) / 2) / N. N: a multiple of kLanes.
MESHNET_TARGET_CLONES void write_chirp(double frequency, double rate, std::span<Sample> out) noexcept {
    const double per_sample = 1.0 / static_cast<double>(out.size());
    const double start = -0.5 * static_cast<double>(out.size() - 1) * per_sample;
    const double slope =
        kTwoPi * (frequency * per_sample + rate * (start * per_sample + 0.5 * per_sample * per_sample));
    const double bend = kTwoPi * rate * per_sample * per_sample;
    double re[kLanes];
    double im[kLanes];
    double step_re[kLanes];
    double step_im[kLanes];
    std::complex<double> phasor = std::polar(1.0, kTwoPi * (frequency * start + 0.5 * rate * start * start));
    std::complex<double> one = std::polar(1.0, slope);
    const std::complex<double> turn = std::polar(1.0, bend);
    constexpr auto kL = static_cast<double>(kLanes);
    std::complex<double> leap = std::polar(1.0, kL * slope + bend * kL * (kL - 1.0) / 2.0);
    const std::complex<double> leap_turn = std::polar(1.0, kL * bend);
    for (std::size_t l = 0; l < kLanes; ++l) {
        re[l] = phasor.real();
        im[l] = phasor.imag();
        step_re[l] = leap.real();
        step_im[l] = leap.imag();
        phasor *= one;
        one *= turn;
        leap *= leap_turn;
    }
    const std::complex<double> lane_turn = std::polar(1.0, kL * kL * bend);
    const double turn_re = lane_turn.real();
    const double turn_im = lane_turn.imag();
    auto* values = reinterpret_cast<float*>(out.data());
    for (std::size_t n = 0; n < out.size(); n += kLanes) {
        for (std::size_t l = 0; l < kLanes; ++l) {
            values[2 * (n + l)] = static_cast<float>(re[l]);
            values[2 * (n + l) + 1] = static_cast<float>(im[l]);
            const double next = re[l] * step_re[l] - im[l] * step_im[l];
            im[l] = re[l] * step_im[l] + im[l] * step_re[l];
            re[l] = next;
            const double next_step = step_re[l] * turn_re - step_im[l] * turn_im;
            step_im[l] = step_re[l] * turn_im + step_im[l] * turn_re;
            step_re[l] = next_step;
        }
    }
}

}  // namespace

LineFit::LineFit(std::size_t size)
    : size_(size),
      fold_(std::max<std::size_t>(1, size / kValues)),
      mixed_(size),
      values_(size / fold_),
      phasors_(values_.size()) {
    for (const double rate : {-6.0, -4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0, 6.0}) {
        for (const double beside : {-1.0, -0.5, 0.0, 0.5, 1.0}) {
            guesses_.push_back({beside, rate, 0, values_.size()});
            write_chirp(beside, rate, phasors_);
            chirps_.insert(chirps_.end(), phasors_.begin(), phasors_.end());
        }
    }
}

void LineFit::write(const LinePiece& piece, std::span<Sample> out) noexcept {
    write_chirp(piece.frequency, piece.rate, out);
    const float scale = 1.0F / std::sqrt(static_cast<float>(piece.end - piece.begin));
    for (std::size_t n = 0; n < out.size(); ++n) {
        out[n] *= n >= piece.begin && n < piece.end ? scale : 0.0F;
    }
}

// Energy of the values along a piece, whose begin and end count values here.
double LineFit::energy_along(const LinePiece& piece) noexcept {
    write_chirp(piece.frequency, piece.rate, phasors_);
    return energy_of(phasors_.data(), piece.begin, piece.end);
}

double LineFit::energy_of(const Sample* chirp, std::size_t begin, std::size_t end) const noexcept {
    lv_32fc_t sum{};
    volk_32fc_x2_conjugate_dot_prod_32fc(&sum, &values_[begin], chirp + begin, static_cast<unsigned>(end - begin));
    return static_cast<double>(std::norm(sum)) / static_cast<double>(end - begin);
}

// Frequency, and if `swept` rate, of the most energy from there, by steps that are halved down to `least`.
void LineFit::climb(LinePiece& piece, double step, double least, bool swept) noexcept {
    const double share = static_cast<double>(values_.size()) / static_cast<double>(piece.end - piece.begin);
    // A change of rate turns the line about the middle of the piece.
    const double middle =
        0.5 * static_cast<double>(piece.begin + piece.end) / static_cast<double>(values_.size()) - 0.5;
    double best = energy_along(piece);
    for (; step > least; step *= 0.5) {
        for (bool better = true; better;) {
            better = false;
            const double rate = swept ? 4.0 * step * share * share : 0.0;
            for (const auto& [df, dr] : {std::pair{step * share, 0.0}, std::pair{-step * share, 0.0},
                                         std::pair{0.0, rate}, std::pair{0.0, -rate}}) {
                LinePiece moved = piece;
                moved.frequency += df - dr * middle;
                moved.rate += dr;
                const double energy = df != 0.0 || dr != 0.0 ? energy_along(moved) : 0.0;
                if (energy > best) {
                    best = energy;
                    piece = moved;
                    better = true;
                }
            }
        }
    }
}

// All of the window, or up to a value or from one on, if that has clearly more energy.
void LineFit::cut(LinePiece& piece) noexcept {
    constexpr double kClearly = 1.1;
    const std::size_t size = values_.size();
    const std::size_t least = size / 8;
    write_chirp(piece.frequency, piece.rate, phasors_);
    std::complex<double> all{};
    for (std::size_t n = 0; n < size; ++n) {
        phasors_[n] = values_[n] * std::conj(phasors_[n]);
        all += std::complex<double>(phasors_[n]);
    }
    piece.begin = 0;
    piece.end = size;
    double best = kClearly * std::norm(all) / static_cast<double>(size);
    std::complex<double> before{};
    for (std::size_t n = 0; n + least <= size; ++n) {
        if (n >= least) {
            const double first = std::norm(before) / static_cast<double>(n);
            const double second = std::norm(all - before) / static_cast<double>(size - n);
            if (std::max(first, second) > best) {
                best = std::max(first, second);
                piece.begin = first > second ? 0 : n;
                piece.end = first > second ? n : size;
            }
        }
        before += std::complex<double>(phasors_[n]);
    }
}

// It explains nearly all that lies within four bins of it.
bool LineFit::is_straight(const LinePiece& piece) noexcept {
    constexpr double kNearlyAll = 0.93;
    double near = 0.0;
    for (int k = -4; k <= 4; ++k) {
        LinePiece other = piece;
        other.frequency += k;
        near += energy_along(other);
    }
    return energy_along(piece) > kNearlyAll * near;
}

LinePiece LineFit::strongest_guess() const noexcept {
    double most = 0.0;
    std::size_t best = 0;
    for (std::size_t i = 0; i < guesses_.size(); ++i) {
        const double energy = energy_of(&chirps_[i * values_.size()], 0, values_.size());
        if (energy > most) {
            most = energy;
            best = i;
        }
    }
    return guesses_[best];
}

// From a guess over all of the window to the piece.
void LineFit::settle(LinePiece& piece) noexcept {
    climb(piece, 0.25, 0.1, true);
    for (int i = 0; i < 2; ++i) {
        cut(piece);
        if (piece.begin == 0 && piece.end == values_.size()) {
            break;
        }
        climb(piece, 0.12, 0.05, true);
    }
    climb(piece, 0.03, 0.006, true);
}

LinePiece LineFit::run(std::span<const Sample> samples, double frequency) {
    // Mixed down, so that sums of a few samples keep all that lies near.
    const double step = -kTwoPi * frequency / static_cast<double>(size_);
    lv_32fc_t rotator(1.0F, 0.0F);
    const lv_32fc_t increment(static_cast<float>(std::cos(step)), static_cast<float>(std::sin(step)));
    volk_32fc_s32fc_x2_rotator_32fc(mixed_.data(), samples.data(), increment, &rotator, static_cast<unsigned>(size_));
    for (std::size_t m = 0; m < values_.size(); ++m) {
        Sample sum{};
        for (std::size_t i = 0; i < fold_; ++i) {
            sum += mixed_[m * fold_ + i];
        }
        values_[m] = sum;
    }
    LinePiece best{0.0, 0.0, 0, values_.size()};
    climb(best, 0.25, 0.03, false);
    if (is_straight(best)) {
        climb(best, 0.03, 0.006, true);
    } else {
        const LinePiece swept = strongest_guess();
        best = energy_along(swept) > energy_along(best) ? swept : best;
        settle(best);
    }
    best.frequency += frequency;
    best.begin *= fold_;
    best.end *= fold_;
    return best;
}

}  // namespace meshnet::phy
