// SPDX-License-Identifier: MIT
// The point of a demodulator at which an estimate becomes LLRs: what a measuring program replaces.
//
// The default is the receiver: it keeps every estimate as it was made and demaps with the max-log table. The
// laboratory's genie-aided receiver (lab/genie.hpp) overrides it, so that the loss of each estimate can be measured
// alone. One call per OFDM symbol and one per header; none per carrier.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "phy/demodulation/symbol_transform.hpp"
#include "phy/sample.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// What one OFDM symbol is about to be equalised with: H(c) exp(j (phase - 2 pi subcarrier(c) time / N)).
struct SymbolEstimate {
    std::size_t symbol = 0;               ///< 0: first header symbol
    TransformWindow window;               ///< its samples
    double phase = 0.0;                   ///< radians
    double time = 0.0;                    ///< samples that the window lies early
    std::span<Sample> channel;            ///< [K] H, transform output units
    float inverse_noise = 0.0;            ///< 1 / noise power per carrier, same units squared
    std::span<const float> weights = {};  ///< [K]: of that, what is left beside interference; empty: all of it
};

/// Stateless by default; an override may hold what it was given for one frame.
class EstimationStrategy {
public:
    virtual ~EstimationStrategy() = default;

    /// May replace `estimate.channel` and `estimate.inverse_noise`.
    virtual void refine(SymbolEstimate& estimate);
    /// LLRs of the data carriers `data` of one payload symbol. `points`, `power`: [K] equalised points and |H|^2.
    /// Writes data.size() x bits_per_symbol values.
    virtual void demap(const Constellation& constellation, std::span<const std::uint16_t> data,
                       std::span<const Sample> points, std::span<const float> power, float inverse_noise, float* llr);
    /// The header to go on with where every attempt to decode it failed; by default there is none.
    [[nodiscard]] virtual std::optional<Header> header_without_decoding();
};

}  // namespace meshnet::phy
