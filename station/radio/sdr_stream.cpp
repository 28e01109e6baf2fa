// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sdr_stream.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace meshnet::station {

FrequencyShift::FrequencyShift(double cycles_per_sample)
    : idle_(cycles_per_sample == 0.0), step_(std::polar(1.0, 2.0 * std::numbers::pi * cycles_per_sample)) {}

void FrequencyShift::process(std::span<phy::Sample> samples) {
    if (idle_) {
        return;
    }
    // Blocks, so that the inner loop has no dependence of one sample on the one before.
    constexpr std::size_t kBlock = 64;
    phy::Sample table[kBlock];
    std::complex<double> turn = 1.0;
    for (auto& t : table) {
        t = phy::Sample(turn);
        turn *= step_;
    }
    for (std::size_t at = 0; at < samples.size(); at += kBlock) {
        const std::size_t n = std::min(kBlock, samples.size() - at);
        const phy::Sample phase(phase_);
        for (std::size_t i = 0; i < n; ++i) {
            samples[at + i] *= phase * table[i];
        }
        phase_ *= n == kBlock ? turn : std::pow(step_, static_cast<double>(n));
        phase_ /= std::abs(phase_);
    }
}

Result<ReceiveStream> ReceiveStream::create(double device_hz, double profile_hz, double shift_hz) {
    auto resampler = Resampler::create(device_hz, profile_hz);
    if (!resampler) {
        return resampler.error();
    }
    return ReceiveStream(device_hz, profile_hz, shift_hz, std::move(resampler).value());
}

ReceiveStream::ReceiveStream(double device_hz, double profile_hz, double shift_hz, Resampler resampler)
    : ratio_(device_hz / profile_hz), resampler_(std::move(resampler)), shift_(-shift_hz / device_hz) {}

std::int64_t ReceiveStream::ticks_of(double index) const {
    return std::llround(index * ratio_);
}

double ReceiveStream::index_of(std::int64_t ticks) const {
    return static_cast<double>(ticks) / ratio_;
}

void ReceiveStream::begin(std::int64_t ticks) {
    resampler_.reset();
    shift_.reset();
    // Output k is the signal at tick `ticks + skip - delay + k ratio`: the first whole index at or after that.
    const double delay = resampler_.delay_samples();
    const auto first = static_cast<std::int64_t>(std::ceil((static_cast<double>(ticks) - delay) / ratio_ - 1e-9));
    skip_ = std::llround(static_cast<double>(first) * ratio_ + delay - static_cast<double>(ticks));
    // Outputs that the filter makes of the zeros it was filled with are no signal.
    const auto empty = static_cast<std::int64_t>(std::ceil(2.0 * delay / ratio_));
    drop_ = std::max<std::int64_t>(empty, -first);
    next_index_ = static_cast<std::uint64_t>(first + drop_);
}

ReceiveStream::Stretch ReceiveStream::process(std::int64_t ticks, std::span<phy::Sample> samples) {
    if (next_ticks_ != ticks) {
        begin(ticks);
    }
    next_ticks_ = ticks + static_cast<std::int64_t>(samples.size());
    const auto skipped = static_cast<std::size_t>(std::min<std::int64_t>(skip_, std::ssize(samples)));
    skip_ -= static_cast<std::int64_t>(skipped);
    samples = samples.subspan(skipped);
    shift_.process(samples);
    Stretch out;
    resampler_.process(samples, out.samples);
    const auto dropped = std::min<std::int64_t>(drop_, std::ssize(out.samples));
    out.samples.erase(out.samples.begin(), out.samples.begin() + dropped);
    drop_ -= dropped;
    out.first_index = next_index_;
    next_index_ += out.samples.size();
    return out;
}

namespace {
// Falls from the edge of the occupied band to that of the profile's rate: the mirror of what lies in between would be
// beside what the transmit guard has seen. (Receiving, a carrier that is off may use that room.)
constexpr double kTransmitEdge = 0.46;
}  // namespace

Result<BurstShaper> BurstShaper::create(const Options& options) {
    auto resampler = Resampler::create(options.profile_hz, options.device_hz, kTransmitEdge);
    if (!resampler) {
        return resampler.error();
    }
    return BurstShaper(options, std::move(resampler).value());
}

BurstShaper::BurstShaper(const Options& options, Resampler resampler)
    : options_(options), resampler_(std::move(resampler)), shift_(options.shift_hz / options.device_hz) {}

double BurstShaper::lead() const noexcept {
    return std::ceil(options_.front_s * options_.device_hz) +
           resampler_.delay_samples() * options_.device_hz / options_.profile_hz;
}

BurstShaper::Shaped BurstShaper::shape(std::span<const phy::Sample> burst) {
    Shaped out;
    const auto front = static_cast<std::size_t>(std::ceil(options_.front_s * options_.device_hz));
    out.samples.resize(front);
    resampler_.reset();
    resampler_.process(burst, out.samples);
    resampler_.flush(out.samples);
    shift_.reset();
    shift_.process(std::span(out.samples).subspan(front));
    out.lead = lead();
    out.samples.resize(out.samples.size() + static_cast<std::size_t>(std::ceil(options_.tail_s * options_.device_hz)));
    const std::size_t over = out.samples.size() % options_.multiple;
    out.samples.resize(out.samples.size() + (over == 0 ? 0 : options_.multiple - over));
    return out;
}

std::optional<double> choose_rate(std::span<const RateRange> ranges, double profile_hz, double least_hz) {
    const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * b; };
    const auto possible = [&](const RateRange& r, double rate) {
        if (rate < r.min_hz * (1.0 - 1e-9) || rate > r.max_hz * (1.0 + 1e-9)) {
            return false;
        }
        return r.step_hz <= 0.0 || near(r.min_hz + std::round((rate - r.min_hz) / r.step_hz) * r.step_hz, rate);
    };
    const double least = std::max(profile_hz, least_hz);
    std::optional<double> best;
    for (const RateRange& r : ranges) {
        for (double multiple = std::ceil(least / profile_hz - 1e-9); multiple * profile_hz <= r.max_hz * (1.0 + 1e-9);
             multiple += 1.0) {
            if (possible(r, multiple * profile_hz)) {
                best = std::min(best.value_or(multiple * profile_hz), multiple * profile_hz);
                break;
            }
        }
    }
    if (best) {
        return best;
    }
    for (const RateRange& r : ranges) {
        double rate = std::max(r.min_hz, least);
        if (r.step_hz > 0.0) {
            rate = r.min_hz + std::ceil((rate - r.min_hz) / r.step_hz - 1e-9) * r.step_hz;
        }
        if (possible(r, rate)) {
            best = std::min(best.value_or(rate), rate);
        }
    }
    return best;
}

}  // namespace meshnet::station
