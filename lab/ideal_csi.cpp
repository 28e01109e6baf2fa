// SPDX-License-Identifier: MIT
#include "lab/ideal_csi.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "phy/dsp/fft.hpp"
#include "phy/fec/awgn_bound.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

constexpr double kLow = -40.0;
constexpr double kHigh = 50.0;
constexpr double kStep = 0.25;
constexpr std::size_t kMaxProbes = 48;  // per frame: enough for a mean

}  // namespace

InformationCurve::InformationCurve(std::span<const std::uint16_t> amplitudes) {
    for (double snr = kLow; snr <= kHigh + 1e-9; snr += kStep) {
        bits_.push_back(phy::constellation_awgn(amplitudes, snr).capacity);
    }
}

double InformationCurve::information(double snr_db) const noexcept {
    const double at = std::clamp((snr_db - kLow) / kStep, 0.0, static_cast<double>(bits_.size() - 1) - 1e-9);
    const auto i = static_cast<std::size_t>(at);
    const double part = at - static_cast<double>(i);
    return (1.0 - part) * bits_[i] + part * bits_[i + 1];
}

double InformationCurve::snr_db(double information) const noexcept {
    const auto it = std::lower_bound(bits_.begin(), bits_.end(), information);
    if (it == bits_.begin()) {
        return kLow;
    }
    if (it == bits_.end()) {
        return kHigh;
    }
    const auto i = static_cast<std::size_t>(it - bits_.begin());
    const double part = (information - bits_[i - 1]) / std::max(bits_[i] - bits_[i - 1], 1e-15);
    return kLow + kStep * (static_cast<double>(i - 1) + part);
}

std::vector<float> channel_gains(const Scenario& s, std::uint64_t frame) {
    const sim::Channel::Config full = channel_of_frame(s, frame);
    const phy::Profile& p = *s.profile;
    std::vector<float> gains;
    if (full.paths.empty()) {
        gains.assign(1, 1.0F);
        return gains;
    }
    sim::Channel::Config config;
    config.sample_rate_hz = full.sample_rate_hz;
    config.occupied_fraction = full.occupied_fraction;
    config.signal_rms = full.signal_rms;
    config.seed = full.seed;
    config.paths = full.paths;
    config.fading_hz = full.fading_hz;
    config.snr_db = std::numeric_limits<double>::infinity();
    sim::Channel channel(config);

    const std::size_t symbol = p.symbol_samples();
    const std::size_t symbols = phy::frame_samples(p, s.mode, s.payload_bytes) / symbol;
    const std::size_t every =
        full.fading_hz > 0.0 ? std::max<std::size_t>(1, (symbols + kMaxProbes - 1) / kMaxProbes) : 1;
    const std::size_t probes = full.fading_hz > 0.0 ? (symbols + every - 1) / every : 1;
    // Room for the longest path delay between two impulses.
    double spread = 0.0;
    for (const auto& path : full.paths) {
        spread = std::max(spread, path.delay_samples);
    }
    const std::size_t room = static_cast<std::size_t>(std::ceil(spread)) + 2 * channel.latency() + 2;
    const std::size_t spacing = std::max(every * symbol, room);
    const phy::Grid grid(p);
    phy::Fft fft(p.fft_size, phy::Fft::Direction::kForward);
    std::vector<phy::Sample> in(spacing);
    in[0] = phy::Sample(1.0F, 0.0F);
    std::vector<phy::Sample> out;
    for (std::size_t k = 0; k < probes; ++k) {
        out.clear();
        channel.process(in, out);
        auto bins = fft.in();
        std::fill(bins.begin(), bins.end(), phy::Sample{});
        for (std::size_t n = 0; n < room; ++n) {
            bins[n % p.fft_size] += out[n];
        }
        fft.run();
        for (std::size_t c = 0; c < grid.carriers(); ++c) {
            gains.push_back(std::norm(fft.out()[grid.bin(c)]));
        }
    }
    return gains;
}

double effective_snr_db(const std::vector<float>& gains, double snr_db, const InformationCurve& curve) {
    double sum = 0.0;
    for (const float g : gains) {
        sum += curve.information(snr_db + 10.0 * std::log10(std::max(static_cast<double>(g), 1e-12)));
    }
    return curve.snr_db(sum / static_cast<double>(gains.size()));
}

double ideal_per(const std::vector<std::vector<float>>& gains, double snr_db, const InformationCurve& curve,
                 const Waterfall& awgn) {
    double sum = 0.0;
    for (const auto& g : gains) {
        sum += awgn.per(effective_snr_db(g, snr_db, curve));
    }
    return gains.empty() ? 0.0 : sum / static_cast<double>(gains.size());
}

}  // namespace meshnet::lab
