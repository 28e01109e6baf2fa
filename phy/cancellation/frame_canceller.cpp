// SPDX-License-Identifier: MIT
#include "phy/cancellation/frame_canceller.hpp"

#include <volk/volk.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numbers>

#include "phy/dsp/sample_gate.hpp"
#include "phy/waveform/preamble.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr std::size_t kGroup = ChannelTracker::kGroup;
constexpr double kClockLimitPpm = 200.0;

// Process noise per symbol: phase as the demodulator's, frequency free to follow 2 kHz/s, a clock that wanders by
// 0.02 ppm.
DriftFilter::Noise phase_noise(const Profile& p) {
    const double t = static_cast<double>(p.symbol_samples()) / p.sample_rate_hz;
    const double sweep = kTwoPi * 2000.0 * t * t;
    return {kTwoPi * 0.2 * t, sweep * sweep};
}
DriftFilter::Noise time_noise(const Profile& p) {
    const double walk = 0.02e-6 * static_cast<double>(p.symbol_samples());
    return {1e-9, walk * walk};
}

// Samples by which a transform window begins before the end of the prefix: as the demodulator has them.
std::size_t window_backoff(const Profile& p) {
    return p.cyclic_prefix / 4;
}

Sample unit(double radians) noexcept {
    return {static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))};
}

double mean_power(std::span<const Sample> values) noexcept {
    double sum = 0.0;
    for (const Sample v : values) {
        sum += static_cast<double>(std::norm(v));
    }
    return sum / static_cast<double>(values.size());
}

// What is at `first`, as far as it is held; zeros elsewhere.
void copy_held(std::span<const Sample> from, std::int64_t first, std::span<Sample> out) {
    std::fill(out.begin(), out.end(), Sample{});
    const auto held = static_cast<std::int64_t>(from.size());
    const std::int64_t begin = std::clamp<std::int64_t>(first, 0, held);
    const std::int64_t end = std::clamp<std::int64_t>(first + static_cast<std::int64_t>(out.size()), begin, held);
    std::copy(from.begin() + begin, from.begin() + end, out.begin() + (begin - first));
}

}  // namespace

FrameCanceller::FrameCanceller(const Grid& grid, std::size_t longest_samples)
    : grid_(grid),
      longest_(longest_samples),
      mapper_(grid),
      modulator_(grid, 1.0F),
      smoother_(grid),
      forward_(grid.profile().fft_size, Fft::Direction::kForward) {
    const auto& p = grid.profile();
    const std::size_t k = grid.carriers();
    const std::size_t symbols = longest_ / p.symbol_samples() + 1;
    for (std::size_t c = 0; c < 3; ++c) {
        preambles_[c] = preamble_samples(p, static_cast<PreambleClass>(c));
    }
    independent_ = std::max(2.0, static_cast<double>(k * (p.cyclic_prefix + 2)) / static_cast<double>(p.fft_size));
    sent_.resize(symbols * k);
    received_.resize(symbols * k);
    waveform_.reserve(longest_ + 8 * p.symbol_samples() + 4 * smoother_.size());
    tracks_.resize(symbols);
    smooth_.resize(symbols);
    groups_.resize(symbols / kGroup + 2);
    for (auto& g : groups_) {
        g.measured.resize(k);
        g.filtered.resize(k);
    }
    reference_.h.resize(k);
    channel_.resize(k);
    taps_.resize(smoother_.size());
    chunk_.resize(2 * p.symbol_samples());
}

bool FrameCanceller::cancel(const DecodedFrame& decoded, std::uint64_t first_index, std::span<Sample> samples) {
    const auto& p = grid_.profile();
    const Frame& frame = decoded.frame;
    if (decoded.start < first_index || decoded.start - first_index >= samples.size() || frame.payload.empty() ||
        frame.payload.size() > kMaxPayloadBytes || frame.mode >= modes().size() || frame.redundancy_version > 3) {
        return false;
    }
    const auto params = class_params(p, modes()[frame.mode].preamble);
    mapper_.begin(frame.mode, frame.payload, frame.redundancy_version, true);
    training_ = mapper_.training_symbols();
    symbols_ = mapper_.symbols();
    preamble_samples_ = 2 * params.chirp_samples;
    if (preamble_samples_ + symbols_ * p.symbol_samples() > longest_) {
        return false;
    }
    start_ = static_cast<std::int64_t>(decoded.start - first_index);
    origin_ = start_ + decoded.timing_shift;
    cfo_ = decoded.cfo_cycles_per_sample;
    snr_ = std::pow(
        10.0, 0.1 * static_cast<double>(std::isfinite(frame.snr_db) ? std::clamp(frame.snr_db, -20.0F, 50.0F) : 0.0F));
    const double ppm = std::clamp(static_cast<double>(std::isfinite(frame.sfo_ppm) ? frame.sfo_ppm : 0.0F),
                                  -kClockLimitPpm, kClockLimitPpm);
    drift_ = -ppm * 1e-6 * static_cast<double>(p.symbol_samples());

    const auto conjugate = [&] {
        volk_32fc_conjugate_32fc(samples.data(), samples.data(), static_cast<unsigned>(samples.size()));
    };
    if (frame.inverted) {
        conjugate();
    }
    for (std::size_t s = 0; s < symbols_; ++s) {
        transform(s, samples);
    }
    // The transmitter may or may not have limited its peaks: the header shows which of the two was received.
    const std::size_t known = training_ + mapper_.header_symbols();
    map(frame, true, known);
    first_channel();
    const double limited = agreement(training_, known);
    map(frame, false, known);
    map(frame, limited >= agreement(training_, known), symbols_);

    start_filters();
    follow();
    smooth();
    make_waveform(frame);
    subtract_symbols(samples);
    subtract_preamble(samples);
    if (frame.inverted) {
        conjugate();
    }
    return true;
}

int FrameCanceller::shift(std::ptrdiff_t symbol) const noexcept {
    const double middle = (static_cast<double>(training_) - 1.0) / 2.0;
    return static_cast<int>(std::lround(drift_ * (static_cast<double>(symbol) - middle)));
}

// First sample of the symbol's prefix, as this receiver's clock counts; symbols before 0 lie in the preamble.
std::int64_t FrameCanceller::symbol_start(std::ptrdiff_t symbol) const noexcept {
    return origin_ + static_cast<std::int64_t>(preamble_samples_) +
           static_cast<std::int64_t>(symbol) * static_cast<std::int64_t>(grid_.profile().symbol_samples()) +
           shift(symbol);
}

void FrameCanceller::transform(std::size_t symbol, std::span<const Sample> samples) {
    const auto& p = grid_.profile();
    const std::size_t k = grid_.carriers();
    const std::int64_t first = symbol_start(static_cast<std::ptrdiff_t>(symbol)) +
                               static_cast<std::int64_t>(p.cyclic_prefix - window_backoff(p));
    auto in = forward_.in();
    copy_held(samples, first, in);
    const double cycles = -cfo_ * static_cast<double>(first - start_);
    lv_32fc_t rotator = unit(kTwoPi * (cycles - std::floor(cycles)));
    volk_32fc_s32fc_x2_rotator_32fc(in.data(), in.data(), unit(-kTwoPi * cfo_), &rotator,
                                    static_cast<unsigned>(p.fft_size));
    forward_.run();
    const auto out = forward_.out();
    for (std::size_t c = 0; c < k; ++c) {
        received_[symbol * k + c] = out[grid_.bin(c)];
    }
}

void FrameCanceller::map(const Frame& frame, bool limited, std::size_t symbols) {
    mapper_.begin(frame.mode, frame.payload, frame.redundancy_version, limited);
    const std::size_t k = grid_.carriers();
    for (std::size_t s = 0; s < symbols; ++s) {
        const auto carriers = mapper_.next();
        std::copy(carriers.begin(), carriers.end(), sent_.begin() + static_cast<std::ptrdiff_t>(s * k));
    }
}

// Energy that symbols [first, last) explain, each with a phase of its own.
double FrameCanceller::agreement(std::size_t first, std::size_t last) {
    const std::size_t k = grid_.carriers();
    double sum = 0.0;
    for (std::size_t s = first; s < last; ++s) {
        Sample correlation{};
        float energy = 1e-30F;
        for (std::size_t c = 0; c < k; ++c) {
            const Sample expected = sent_[s * k + c] * reference_.h[c];
            correlation += received_[s * k + c] * std::conj(expected);
            energy += std::norm(expected);
        }
        sum += static_cast<double>(std::norm(correlation) / energy);
    }
    return sum;
}

// The training alone, of constant phase: a first reference for the tracking.
void FrameCanceller::first_channel() {
    const std::size_t k = grid_.carriers();
    const float scale = 1.0F / static_cast<float>(training_);
    for (std::size_t c = 0; c < k; ++c) {
        Sample sum{};
        for (std::size_t s = 0; s < training_; ++s) {
            sum += received_[s * k + c] * std::conj(sent_[s * k + c]);
        }
        reference_.h[c] = scale * sum;
    }
    smoother_.smooth(reference_.h, static_cast<float>(10.0 * std::log10(snr_ * static_cast<double>(training_))));
    reference_.symbol = (static_cast<double>(training_) - 1.0) / 2.0;
    reference_.error = mean_power(reference_.h);  // its symbols are counted again in the first group
}

void FrameCanceller::start_filters() {
    const auto& p = grid_.profile();
    const double m = static_cast<double>(training_);
    const double back = (m - 1.0) / 2.0 + 1.0;  // symbols from before the first one to the training's middle
    const double per_symbol = 1.0 / (2.0 * snr_ * static_cast<double>(grid_.carriers()));
    variation_.reset();
    phase_ = DriftFilter(phase_noise(p));
    DriftFilter::State state;
    state.dd = 4.0 * per_symbol * 12.0 / (m * (m * m - 1.0)) + 1e-6;
    state.vv = per_symbol / m + back * back * state.dd;
    state.vd = -back * state.dd;
    phase_.start(state);
    time_ = DriftFilter(time_noise(p));
    const double clock = 10e-6 * static_cast<double>(p.symbol_samples());
    state = {};
    state.drift = drift_;
    state.value = -back * drift_;
    state.dd = clock * clock;
    state.vv = 1e-3 + back * back * state.dd;
    state.vd = -back * state.dd;
    time_.start(state);
}

// One step forward over all carriers of one symbol.
void FrameCanceller::track(std::size_t symbol) {
    const std::size_t k = grid_.carriers();
    const double per_carrier = kTwoPi / static_cast<double>(grid_.profile().fft_size);
    const Sample* y = &received_[symbol * k];
    const Sample* x = &sent_[symbol * k];
    phase_.predict();
    time_.predict();
    const auto rotate = [&](std::size_t c) {
        const double late = time_.state().value - shift(static_cast<std::ptrdiff_t>(symbol));
        return unit(per_carrier * grid_.subcarrier(c) * late - phase_.state().value);
    };
    double a00 = 0.0;
    double a01 = 0.0;
    double a11 = 0.0;
    double b0 = 0.0;
    double b1 = 0.0;
    double error = 0.0;
    for (std::size_t c = 0; c < k; ++c) {
        const Sample expected = x[c] * reference_.h[c];
        const Sample derotated = y[c] * rotate(c);
        const double g = -per_carrier * grid_.subcarrier(c);
        const double im = static_cast<double>((derotated * std::conj(expected)).imag());
        const double power = static_cast<double>(std::norm(expected));
        a00 += power;
        a01 += power * g;
        a11 += power * g * g;
        b0 += im;
        b1 += im * g;
        error += static_cast<double>(std::norm(derotated - expected));
    }
    const double floor = 1e-6 * a00 / static_cast<double>(k) + 1e-30;
    const double noise = std::max(error / static_cast<double>(k), floor);
    const double determinant = a00 * a11 - a01 * a01;
    if (determinant > 0.0 && a00 > 0.0) {
        phase_.update((a11 * b0 - a01 * b1) / determinant, 0.5 * noise * a11 / determinant);
        time_.update((a00 * b1 - a01 * b0) / determinant, 0.5 * noise * a00 / determinant);
    }
    tracks_[symbol] = {phase_.state(), time_.state(), noise};
}

// Least squares over symbols [first, last), smoothed along delay.
void FrameCanceller::measure(std::size_t first, std::size_t last, ChannelGroup& group) {
    const std::size_t k = grid_.carriers();
    const double per_carrier = kTwoPi / static_cast<double>(grid_.profile().fft_size);
    std::fill(group.measured.begin(), group.measured.end(), Sample{});
    std::fill(channel_.begin(), channel_.end(), Sample{});  // real part: energy sent on each carrier
    double noise = 0.0;
    for (std::size_t s = first; s < last; ++s) {
        const double late = tracks_[s].time.value - shift(static_cast<std::ptrdiff_t>(s));
        for (std::size_t c = 0; c < k; ++c) {
            const Sample derotated =
                received_[s * k + c] * unit(per_carrier * grid_.subcarrier(c) * late - tracks_[s].phase.value);
            group.measured[c] += derotated * std::conj(sent_[s * k + c]);
            channel_[c] += std::norm(sent_[s * k + c]);
        }
        noise += tracks_[s].noise;
    }
    noise /= static_cast<double>(last - first);
    double spread = 0.0;  // mean of 1 / energy
    for (std::size_t c = 0; c < k; ++c) {
        const float energy = std::max(channel_[c].real(), 1e-6F);
        group.measured[c] /= energy;
        spread += 1.0 / static_cast<double>(energy);
    }
    const double value_noise = noise * spread / static_cast<double>(k);
    const double signal = std::max(mean_power(group.measured) - value_noise, 1e-3 * value_noise);
    const auto snr_db = static_cast<float>(10.0 * std::log10(signal / value_noise));
    smoother_.smooth(group.measured, snr_db);
    group.noise = value_noise * static_cast<double>(smoother_.noise_gain(snr_db));
    group.centre = (static_cast<double>(first) + static_cast<double>(last) - 1.0) / 2.0;
    group.complete = true;
}

// Forward over the frame: phases symbol by symbol, the channel group by group.
void FrameCanceller::follow() {
    ChannelGroup* previous = nullptr;
    for (std::size_t first = 0; first < symbols_; first += kGroup) {
        const std::size_t last = std::min(first + kGroup, symbols_);
        for (std::size_t s = first; s < last; ++s) {
            track(s);
        }
        ChannelGroup& group = groups_[first / kGroup];
        measure(first, last, group);
        if (previous != nullptr) {
            variation_.add(previous->measured, group.measured, group.centre - previous->centre,
                           0.5 * (group.noise + previous->noise), independent_);
        }
        ChannelTracker::update(reference_, group, variation_.per_symbol());
        previous = &group;
    }
}

// Smooths the phases over all of the frame, then measures the channel again with them and smooths it too.
void FrameCanceller::smooth() {
    const auto states = std::span(smooth_).first(symbols_);
    for (std::size_t s = 0; s < symbols_; ++s) {
        states[s] = tracks_[s].phase;
    }
    phase_.smooth(states);
    for (std::size_t s = 0; s < symbols_; ++s) {
        tracks_[s].phase = states[s];
        states[s] = tracks_[s].time;
    }
    time_.smooth(states);
    for (std::size_t s = 0; s < symbols_; ++s) {
        tracks_[s].time = states[s];
    }
    group_count_ = 0;
    for (std::size_t first = 0; first < symbols_; first += kGroup) {
        ChannelGroup& group = groups_[group_count_++];
        measure(first, std::min(first + kGroup, symbols_), group);
        if (first == 0) {
            reference_.symbol = group.centre;
            reference_.error = 1e3 * (mean_power(group.measured) + group.noise);
        }
        ChannelTracker::update(reference_, group, variation_.per_symbol());
    }
    ChannelTracker::smooth(std::span(groups_).first(group_count_), variation_.per_symbol());
}

// Between the groups around `symbol`, into channel_.
void FrameCanceller::channel_at(double symbol) {
    std::size_t g = 0;
    while (g + 1 < group_count_ && groups_[g + 1].centre <= symbol) {
        ++g;
    }
    const ChannelGroup& left = groups_[g];
    const ChannelGroup& right = groups_[std::min(g + 1, group_count_ - 1)];
    const double gap = right.centre - left.centre;
    const auto weight = gap > 0.0 ? static_cast<float>(std::clamp((symbol - left.centre) / gap, 0.0, 1.0)) : 0.0F;
    for (std::size_t c = 0; c < channel_.size(); ++c) {
        channel_[c] = left.filtered[c] + weight * (right.filtered[c] - left.filtered[c]);
    }
}

// What was sent, between two pads of silence as long as any filter reaches.
void FrameCanceller::make_waveform(const Frame& frame) {
    const auto& p = grid_.profile();
    const std::size_t k = grid_.carriers();
    const std::size_t pad = 2 * p.symbol_samples() + smoother_.size();
    const auto& preamble = preambles_[static_cast<std::size_t>(modes()[frame.mode].preamble)];
    waveform_.assign(pad, Sample{});
    waveform_.insert(waveform_.end(), preamble.begin(), preamble.end());
    for (std::size_t s = 0; s < symbols_; ++s) {
        modulator_.append(std::span<const Sample>(sent_).subspan(s * k, k), waveform_);
    }
    waveform_.resize(waveform_.size() + pad);
}

// chunk_ = `length` samples from the symbol's start on, through the channel of channel_ and `time` later, not rotated
// yet.
void FrameCanceller::make_chunk(std::ptrdiff_t symbol, std::size_t length, double time) {
    const auto& p = grid_.profile();
    const double per_carrier = kTwoPi / static_cast<double>(p.fft_size);
    for (std::size_t c = 0; c < channel_.size(); ++c) {
        channel_[c] *= unit(-per_carrier * grid_.subcarrier(c) * time);
    }
    smoother_.taps(channel_, taps_);
    const float scale = std::sqrt(static_cast<float>(p.carriers)) / static_cast<float>(p.fft_size);
    const std::size_t pad = 2 * p.symbol_samples() + smoother_.size();
    // Sample i comes from the waveform at first + i - tap.
    const auto first =
        static_cast<std::ptrdiff_t>(pad + preamble_samples_ + window_backoff(p) + DelaySmoother::kGuard) +
        symbol * static_cast<std::ptrdiff_t>(p.symbol_samples());
    assert(first >= static_cast<std::ptrdiff_t>(taps_.size()) &&
           static_cast<std::size_t>(first) + length <= waveform_.size() && length <= chunk_.size());
    std::fill_n(chunk_.begin(), length, Sample{});
    for (std::size_t t = 0; t < taps_.size(); ++t) {
        const Sample h = scale * taps_[t];
        const Sample* from = &waveform_[static_cast<std::size_t>(first) - t];
        for (std::size_t i = 0; i < length; ++i) {
            chunk_[i] += h * from[i];
        }
    }
    std::fill(chunk_.begin() + static_cast<std::ptrdiff_t>(length), chunk_.end(), Sample{});
}

// Gives chunk_, which begins at sample `first`, its carrier: `phase` at its first sample, beside the offset.
void FrameCanceller::rotate_chunk(std::int64_t first, double phase, double per_sample) {
    const double cycles = cfo_ * static_cast<double>(first - start_);
    lv_32fc_t rotator = unit(kTwoPi * (cycles - std::floor(cycles)) + phase);
    volk_32fc_s32fc_x2_rotator_32fc(chunk_.data(), chunk_.data(), unit(kTwoPi * cfo_ + per_sample), &rotator,
                                    static_cast<unsigned>(chunk_.size()));
}

void FrameCanceller::subtract_chunk(std::int64_t first, std::span<Sample> samples) const {
    const auto held = static_cast<std::int64_t>(samples.size());
    const std::int64_t begin = std::clamp<std::int64_t>(first, 0, held);
    const std::int64_t end = std::clamp<std::int64_t>(first + static_cast<std::int64_t>(chunk_.size()), begin, held);
    for (std::int64_t i = begin; i < end; ++i) {
        Sample& s = samples[static_cast<std::size_t>(i)];
        const Sample left = s - chunk_[static_cast<std::size_t>(i - first)];
        // An estimate gone astray must not put what is no number, or no signal, behind the gate.
        if (std::abs(left.real()) <= SampleGate::kLimit && std::abs(left.imag()) <= SampleGate::kLimit) {
            s = left;
        }
    }
}

void FrameCanceller::subtract_symbols(std::span<Sample> samples) {
    const auto& p = grid_.profile();
    const double length = static_cast<double>(p.symbol_samples());
    const double centre =
        static_cast<double>(p.cyclic_prefix - window_backoff(p)) + 0.5 * static_cast<double>(p.fft_size);
    for (std::size_t s = 0; s < symbols_; ++s) {
        const auto symbol = static_cast<std::ptrdiff_t>(s);
        const std::int64_t first = symbol_start(symbol);
        std::size_t samples_of_it = static_cast<std::size_t>(symbol_start(symbol + 1) - first);
        if (s + 1 == symbols_) {
            samples_of_it += smoother_.size();  // multipath of the last one
        }
        channel_at(static_cast<double>(s));
        make_chunk(symbol, samples_of_it, tracks_[s].time.value - shift(symbol));
        const std::size_t before = s > 0 ? s - 1 : s;
        const std::size_t after = std::min(s + 1, symbols_ - 1);
        const double per_sample = (tracks_[after].phase.value - tracks_[before].phase.value) /
                                  (length * static_cast<double>(std::max<std::size_t>(after - before, 1)));
        rotate_chunk(first, tracks_[s].phase.value - centre * per_sample, per_sample);
        subtract_chunk(first, samples);
    }
}

// Backwards from the first symbol, a symbol's length at a time, with a phase that is followed.
void FrameCanceller::subtract_preamble(std::span<Sample> samples) {
    const auto& p = grid_.profile();
    const double length = static_cast<double>(p.symbol_samples());
    const double centre =
        static_cast<double>(p.cyclic_prefix - window_backoff(p)) + 0.5 * static_cast<double>(p.fft_size);
    const double noise = tracks_[0].noise / static_cast<double>(p.fft_size);  // per sample
    DriftFilter filter(phase_noise(p));
    DriftFilter::State state = tracks_[0].phase;
    state.drift = -state.drift;
    state.vd = -state.vd;
    filter.start(state);
    const std::size_t chunks = (preamble_samples_ + smoother_.size()) / p.symbol_samples() + 1;
    for (std::size_t i = 1; i <= chunks; ++i) {
        const auto symbol = -static_cast<std::ptrdiff_t>(i);
        const std::int64_t first = symbol_start(symbol);
        filter.predict();
        channel_at(0.0);
        make_chunk(symbol, static_cast<std::size_t>(symbol_start(symbol + 1) - first),
                   tracks_[0].time.value - static_cast<double>(i) * tracks_[0].time.drift - shift(symbol));
        const double per_sample = -filter.state().drift / length;
        const double predicted = filter.state().value;
        rotate_chunk(first, predicted - centre * per_sample, per_sample);
        double correlation = 0.0;
        double energy = 0.0;
        for (std::size_t n = 0; n < chunk_.size(); ++n) {
            const std::int64_t at = first + static_cast<std::int64_t>(n);
            if (at >= 0 && at < static_cast<std::int64_t>(samples.size())) {
                correlation +=
                    static_cast<double>((samples[static_cast<std::size_t>(at)] * std::conj(chunk_[n])).imag());
                energy += static_cast<double>(std::norm(chunk_[n]));
            }
        }
        if (energy > 1e-9 * mean_power(chunk_) + 1e-30) {
            filter.update(correlation / energy, 0.5 * noise / energy + 1e-6);
        }
        const Sample correction = unit(filter.state().value - predicted);
        for (auto& v : chunk_) {
            v *= correction;
        }
        subtract_chunk(first, samples);
    }
}

}  // namespace meshnet::phy
