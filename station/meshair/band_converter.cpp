// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/band_converter.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "sim/channel/phasor.hpp"

namespace meshnet::meshair {

namespace {

constexpr double kSideTaps = 32.0;    // on either side, in samples of the narrower rate
constexpr double kKaiserBeta = 5.65;  // 60 dB of stop band
constexpr std::size_t kWindowSteps = 8192;

/// Kaiser's window from its middle (0) to its edge (1).
double window(double place) {
    static const auto table = [] {
        std::array<double, kWindowSteps + 2> out{};
        for (std::size_t i = 0; i <= kWindowSteps; ++i) {
            const double x = static_cast<double>(i) / static_cast<double>(kWindowSteps);
            out[i] = std::cyl_bessel_i(0.0, kKaiserBeta * std::sqrt(1.0 - x * x)) / std::cyl_bessel_i(0.0, kKaiserBeta);
        }
        return out;
    }();
    const double at = std::abs(place) * static_cast<double>(kWindowSteps);
    if (at >= static_cast<double>(kWindowSteps)) {
        return 0.0;
    }
    const auto i = static_cast<std::size_t>(at);
    const double part = at - static_cast<double>(i);
    return table[i] + part * (table[i + 1] - table[i]);
}

double sinc(double x) {
    const double angle = std::numbers::pi * x;
    return std::abs(angle) < 1e-9 ? 1.0 : std::sin(angle) / angle;
}

/// Turns `samples` by an oscillator that has run since index 0.
void shift(std::span<phy::Sample> samples, double turns, std::uint64_t first_index) {
    if (turns == 0.0) {
        return;
    }
    sim::Phasor oscillator(0.0, turns);
    (void)oscillator.next(first_index);
    for (phy::Sample& s : samples) {
        const phy::Sample turn = oscillator.next();
        s = {s.real() * turn.real() - s.imag() * turn.imag(), s.real() * turn.imag() + s.imag() * turn.real()};
    }
}

/// Sum of `count` samples times taps, each of which stands twice. Not VOLK's kernel: that of version 2.5 reads taps by
/// aligned loads even in its form for unaligned data.
phy::Sample weighted_sum(const phy::Sample* samples, const float* taps, std::size_t count) {
    constexpr std::size_t kLanes = 8;
    const auto* const x = reinterpret_cast<const float*>(samples);  // [complex.numbers]/4
    std::array<float, kLanes> sums{};
    std::size_t i = 0;
    for (; i + kLanes <= 2 * count; i += kLanes) {
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            sums[lane] += x[i + lane] * taps[i + lane];
        }
    }
    for (; i < 2 * count; ++i) {
        sums[i % 2] += x[i] * taps[i];
    }
    return {sums[0] + sums[2] + sums[4] + sums[6], sums[1] + sums[3] + sums[5] + sums[7]};
}

}  // namespace

BandConverter::BandConverter(const Band& band) : band_(band) {
    const double in_hz = band.in_rate_hz;
    const double out_hz = band.ratio.rate_hz(in_hz);
    const bool all_kept = band.low_hz <= -0.5 * in_hz && band.high_hz >= 0.5 * in_hz;
    silent_ = !(band.high_hz > band.low_hz);
    plain_ = !silent_ && all_kept && band.ratio == RateRatio{};
    if (plain_) {
        out_turns_ = band.shift_hz / out_hz;
        return;
    }
    const double low = std::max(band.low_hz, -0.5 * in_hz);
    const double high = std::min(band.high_hz, 0.5 * in_hz);
    const double centre = all_kept ? 0.0 : 0.5 * (low + high);
    cutoff_ = (high - low) / in_hz;
    half_ = static_cast<std::uint64_t>(std::ceil(kSideTaps * in_hz / std::min(in_hz, out_hz)));
    in_turns_ = -centre / in_hz;
    out_turns_ = (centre + band.shift_hz) / out_hz;
    if (!silent_) {
        table_.resize(static_cast<std::size_t>(band.ratio.up * 4 * half_));
        made_.resize(static_cast<std::size_t>(band.ratio.up));
    }
}

void BandConverter::start(std::uint64_t in_index, std::uint64_t out_index) {
    history_.assign(static_cast<std::size_t>(2 * half_), phy::Sample{});
    history_index_ = in_index - std::min(in_index, 2 * half_);
    history_.resize(static_cast<std::size_t>(in_index - history_index_));
    next_in_ = in_index;
    next_out_ = out_index;
}

std::uint64_t BandConverter::first_free_of(std::uint64_t in_index) const noexcept {
    return band_.ratio.tick_at(in_index + (half_ == 0 ? 0 : half_ - 1));
}

std::uint64_t BandConverter::first_reached_by(std::uint64_t in_index) const noexcept {
    return band_.ratio.tick_at(in_index - std::min(in_index, half_));
}

void BandConverter::take(std::span<const phy::Sample> in) {
    history_.insert(history_.end(), in.begin(), in.end());
    shift(std::span(history_).last(in.size()), in_turns_, next_in_);
    next_in_ += in.size();
}

void BandConverter::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    take(in);
    const std::size_t before = out.size();
    const std::uint64_t first = next_out_;
    make_outputs(out);
    shift(std::span(out).subspan(before), out_turns_, first);
}

void BandConverter::flush(std::vector<phy::Sample>& out) {
    if (half_ > 0) {
        const std::vector<phy::Sample> zeros(static_cast<std::size_t>(2 * half_));
        process(zeros, out);
    }
}

const float* BandConverter::taps(std::uint64_t phase) {
    const std::size_t count = static_cast<std::size_t>(2 * half_);
    float* const row = table_.data() + static_cast<std::size_t>(phase) * 2 * count;
    if (!made_[static_cast<std::size_t>(phase)]) {
        made_[static_cast<std::size_t>(phase)] = true;
        const double half = static_cast<double>(half_);
        const double fraction = static_cast<double>(phase) / static_cast<double>(band_.ratio.up);
        double sum = 0.0;
        for (std::size_t j = 0; j < count; ++j) {
            const double x = static_cast<double>(j) - half + 1.0 - fraction;
            const double tap = cutoff_ * sinc(cutoff_ * x) * window(x / half);
            row[2 * j] = static_cast<float>(tap);
            sum += tap;
        }
        // Each phase passes the middle of the band with gain 1: without it the phases would modulate the signal.
        for (std::size_t j = 0; j < count; ++j) {
            row[2 * j] = row[2 * j + 1] = static_cast<float>(row[2 * j] / sum);
        }
    }
    return row;
}

void BandConverter::make_outputs(std::vector<phy::Sample>& out) {
    const std::uint64_t up = band_.ratio.up;
    const std::uint64_t down = band_.ratio.down;
    std::uint64_t place = next_out_ * down / up;
    std::uint64_t phase = next_out_ * down % up;
    while (place + half_ < next_in_) {
        if (silent_) {
            out.emplace_back();
        } else if (plain_) {
            out.push_back(history_[static_cast<std::size_t>(place - history_index_)]);
        } else {
            // Inputs place - half + 1 .. place + half; none exist before the epoch.
            const auto missing = static_cast<std::size_t>(half_ - std::min(half_, place + 1));
            const std::size_t count = static_cast<std::size_t>(2 * half_);
            const auto at = static_cast<std::size_t>(place + 1 + missing - half_ - history_index_);
            out.push_back(weighted_sum(history_.data() + at, taps(phase) + 2 * missing, count - missing));
        }
        ++next_out_;
        phase += down;
        place += phase / up;
        phase %= up;
    }
    const std::uint64_t needed = place + 1 - std::min(place + 1, half_);
    if (needed > history_index_) {
        const std::uint64_t spent = std::min<std::uint64_t>(needed - history_index_, history_.size());
        history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(spent));
        history_index_ += spent;
    }
}

}  // namespace meshnet::meshair
