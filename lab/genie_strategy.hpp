// SPDX-License-Identifier: MIT
// The estimates of a receiver, replaced by ideal ones.
//
// The ideal response is measured on a second stream without noise, sample for sample, transformed in the same windows:
// either the same signal through the same channel, divided by what was sent; or, where the channel varies within a
// symbol or is longer than the prefix, one impulse in the middle of each symbol, because the first kind of response
// would contain the inter-carrier interference (ICI) too.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "lab/genie_aid.hpp"
#include "phy/demodulation/estimation_strategy.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {

/// Log-likelihood ratios from the sums over all points, as they are defined; limited as the receiver's are.
class ExactDemapper {
public:
    explicit ExactDemapper(const phy::Constellation& constellation);
    /// Of one equalised point at `snr` = |H|^2 / noise power; writes `bits` values, positive: bit 0.
    void demap(phy::Sample point, float snr, float* llr) const;

private:
    unsigned bits_;
    std::vector<phy::Sample> points_;
};

/// What is known of one frame.
struct IdealFrame {
    const phy::SampleRing* clean = nullptr;  ///< holds every sample of the frame; same indices as the noisy ring
    std::span<const phy::Sample> sent;       ///< [symbols][K]: header and payload carriers, as sent; empty: `clean`
                                             ///< holds impulses
    phy::Sample impulse_gain;                ///< transform output of a carrier sent as 1, over that of an impulse
    float noise = 0.0F;                      ///< power per carrier, transform output units
    phy::Header header;
};

/// Gives a demodulator what `aid` names of the frame last set. One instance, one demodulator, one thread.
class GenieStrategy final : public phy::EstimationStrategy {
public:
    /// `payload`: its points.
    GenieStrategy(const phy::Profile& profile, const GenieAid& aid, const phy::Constellation& payload);

    /// What `frame` points to must live until the frame was demodulated.
    void set_frame(const IdealFrame& frame) { frame_ = frame; }

    void refine(phy::SymbolEstimate& estimate) override;
    void demap(const phy::Constellation& constellation, std::span<const std::uint16_t> data,
               std::span<const phy::Sample> points, std::span<const float> power, float inverse_noise,
               float* llr) override;
    [[nodiscard]] std::optional<phy::Header> header_without_decoding() override;

private:
    void measure(const phy::SymbolEstimate& estimate);
    void align(std::span<const phy::Sample> channel);

    phy::Grid grid_;
    phy::SymbolTransform transform_;
    GenieAid aid_;
    ExactDemapper exact_;
    IdealFrame frame_;
    std::vector<phy::Sample> response_;  // [K]: ideal, the estimated phase and time taken out
    std::vector<phy::Sample> aligned_;   // [K]: the estimated channel with the phase line of the ideal one
};

}  // namespace meshnet::lab
