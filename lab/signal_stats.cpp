// SPDX-License-Identifier: MIT
#include "lab/signal_stats.hpp"

#include <complex>
// liquid declares its complex type as std::complex if <complex> comes first.
#include <liquid/liquid.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

constexpr std::size_t kPayload = 1000;
constexpr unsigned kOversampling = 4;

double decibels(double ratio) {
    return 10.0 * std::log10(std::max(ratio, 1e-30));
}

}  // namespace

std::vector<double> symbol_peaks_db(const phy::Profile& profile, phy::ModeIndex mode, std::size_t symbols,
                                    std::uint64_t seed) {
    Rng rng(seed);
    phy::Transmitter transmitter(profile);
    const auto params = phy::class_params(profile, phy::modes()[mode].preamble);
    const std::size_t n = profile.fft_size;
    phy::Fft forward(n, phy::Fft::Direction::kForward);
    phy::Fft inverse(kOversampling * n, phy::Fft::Direction::kInverse);
    std::vector<double> peaks;
    double power = 0.0;
    std::vector<phy::Sample> frame;
    Bytes payload(kPayload);
    while (peaks.size() < symbols) {
        rng.fill(payload);
        frame.clear();
        transmitter.modulate(mode, payload, frame);
        const std::size_t first = 2 * params.chirp_samples + params.training_symbols * profile.symbol_samples();
        for (std::size_t at = first; at + profile.symbol_samples() <= frame.size(); at += profile.symbol_samples()) {
            std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at + profile.cyclic_prefix), n,
                        forward.in().begin());
            forward.run();
            auto wide = inverse.in();
            std::fill(wide.begin(), wide.end(), phy::Sample{});
            std::copy_n(forward.out().begin(), n / 2, wide.begin());
            std::copy_n(forward.out().begin() + static_cast<std::ptrdiff_t>(n / 2), n / 2,
                        wide.end() - static_cast<std::ptrdiff_t>(n / 2));
            inverse.run();
            double peak = 0.0;
            double sum = 0.0;
            for (const phy::Sample s : inverse.out()) {
                const double p = static_cast<double>(std::norm(s));
                peak = std::max(peak, p);
                sum += p;
            }
            peaks.push_back(peak);
            power += sum / static_cast<double>(inverse.out().size());
        }
    }
    const double mean = power / static_cast<double>(peaks.size());
    for (double& p : peaks) {
        p = decibels(p / mean);
    }
    std::sort(peaks.begin(), peaks.end());
    return peaks;
}

double value_exceeded(const std::vector<double>& values, double exceeding) {
    if (values.empty()) {
        return 0.0;
    }
    const auto above = static_cast<std::size_t>(exceeding * static_cast<double>(values.size()));
    return values[values.size() - 1 - std::min(above, values.size() - 1)];
}

Spectrum spectrum_of(const phy::Profile& profile, phy::ModeIndex mode, std::size_t samples, std::uint64_t seed) {
    constexpr std::size_t kWindow = 2048;
    Rng rng(seed);
    phy::Transmitter transmitter(profile);
    std::vector<phy::Sample> signal;
    Bytes payload(kPayload);
    while (signal.size() < samples) {
        rng.fill(payload);
        transmitter.modulate(mode, payload, signal);
    }
    std::vector<phy::Sample> wide(signal.size() * kOversampling);
    firinterp_crcf filter = firinterp_crcf_create_kaiser(kOversampling, 24, 60.0F);
    firinterp_crcf_execute_block(filter, signal.data(), static_cast<unsigned>(signal.size()), wide.data());
    firinterp_crcf_destroy(filter);

    std::vector<float> window(kWindow);
    for (std::size_t i = 0; i < kWindow; ++i) {
        const double x = 2.0 * std::numbers::pi * static_cast<double>(i) / kWindow;
        window[i] = static_cast<float>(0.35875 - 0.48829 * std::cos(x) + 0.14128 * std::cos(2.0 * x) -
                                       0.01168 * std::cos(3.0 * x));
    }
    phy::Fft fft(kWindow, phy::Fft::Direction::kForward);
    std::vector<double> density(kWindow);
    for (std::size_t at = 0; at + kWindow <= wide.size(); at += kWindow / 2) {
        for (std::size_t i = 0; i < kWindow; ++i) {
            fft.in()[i] = wide[at + i] * window[i];
        }
        fft.run();
        for (std::size_t i = 0; i < kWindow; ++i) {
            density[(i + kWindow / 2) % kWindow] += static_cast<double>(std::norm(fft.out()[i]));
        }
    }
    Spectrum out;
    const double rate = profile.sample_rate_hz * kOversampling;
    const double occupied = profile.occupied_bandwidth_hz();
    double inside = 0.0;
    double outside = 0.0;
    double edge = 0.0;
    std::size_t bins_inside = 0;
    std::size_t bins_edge = 0;
    // The main lobe of the window is 4 bins on either side: power within it belongs to the band.
    const double guard = 4.0 * rate / kWindow;
    for (std::size_t i = 0; i < kWindow; ++i) {
        const double f = (static_cast<double>(i) - kWindow / 2.0) * rate / kWindow;
        out.frequency_hz.push_back(f);
        if (std::abs(f) <= occupied / 2.0) {
            inside += density[i];
            ++bins_inside;
        } else if (std::abs(f) > occupied / 2.0 + guard) {
            outside += density[i];
        }
        if (std::abs(f) >= 0.55 * occupied && std::abs(f) <= 0.60 * occupied) {
            edge += density[i];
            ++bins_edge;
        }
    }
    const double mean = inside / static_cast<double>(bins_inside);
    for (const double d : density) {
        out.density_db.push_back(decibels(d / mean));
    }
    out.outside_db = decibels(outside / inside);
    out.edge_db = decibels(edge / static_cast<double>(std::max<std::size_t>(bins_edge, 1)) / mean);
    return out;
}

double efficiency(const phy::Profile& profile, phy::ModeIndex mode, std::size_t payload_bytes) {
    const double air_s = static_cast<double>(phy::frame_samples(profile, mode, payload_bytes)) / profile.sample_rate_hz;
    return 8.0 * static_cast<double>(payload_bytes) / (air_s * profile.occupied_bandwidth_hz());
}

}  // namespace meshnet::lab
