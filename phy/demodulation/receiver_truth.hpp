// SPDX-License-Identifier: MIT
// What a measuring instrument may tell a demodulator, so that the loss of each of its parts can be measured alone: it
// then uses the truth in place of its own estimate. No receiver of a station ever has one of these.
//
// The truth of the channel is taken from a second stream without noise, sample for sample, transformed in the same
// windows: either the same signal through the same channel, divided by what was sent; or, where the channel moves while
// a symbol lasts, one impulse in the middle of each symbol: the first would know what carriers leak into one another.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "phy/dsp/sample_ring.hpp"
#include "phy/sample.hpp"
#include "phy/waveform/header_codec.hpp"

namespace meshnet::phy {

struct ReceiverTruth {
    const SampleRing* clean = nullptr;  ///< holds every sample of the frame; same indices as the noisy ring
    std::span<const Sample> sent;       ///< [symbols][K]: header and payload carriers, as sent; empty: `clean` holds
                                        ///< impulses
    Sample impulse_gain;                ///< transform output of a carrier sent as 1, over that of an impulse
    float noise = 0.0F;                 ///< power per carrier, transform output units
    std::optional<Header> header;       ///< taken where decoding it failed

    bool tell_phase = false;    ///< common phase and slope over frequency of every symbol
    bool tell_channel = false;  ///< everything else of the response
    bool tell_noise = false;
    /// If set: makes the payload's LLRs from a point and its SNR, in place of the constellation's own.
    std::function<void(Sample, float, float*)> demap;
};

}  // namespace meshnet::phy
