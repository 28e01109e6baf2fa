// SPDX-License-Identifier: MIT
// OFDM symbols with their estimates -> LLRs -> header, then code blocks of the payload.
//
//     carriers, SymbolEstimate -> equalised points -> LLRs -> header bits, added up over the copies -> Header
//                                                          -> ReceivedBlock -> RefiningDecoder -> Frame
//
// Spec: docs/spec/phy.md, "Header" and "Payload".
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/demodulation/demodulator_shared.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// One frame at a time. `shared` must outlive it.
class PayloadReceiver {
public:
    explicit PayloadReceiver(DemodulatorShared& shared);
    ~PayloadReceiver();
    PayloadReceiver(PayloadReceiver&& other) noexcept = default;
    PayloadReceiver& operator=(PayloadReceiver&&) = delete;

    /// Begins a new frame.
    void reset(bool dense_pilots);

    /// Adds the LLRs of one header symbol to those of the header's coded bits. `carriers`: [K] transform output.
    void add_header_symbol(std::span<const Sample> carriers, SymbolEstimate& estimate);
    /// Forgets the header symbols added.
    void clear_header() noexcept;
    /// The header, if its CRC and its values pass.
    [[nodiscard]] std::optional<Header> decode_header(PreambleClass preamble);

    /// Makes ready for the payload that `header` announces.
    void begin_payload(const Header& header);
    [[nodiscard]] bool begun() const noexcept { return layout_.has_value(); }
    /// OFDM symbols of the payload, after begin_payload().
    [[nodiscard]] std::size_t payload_symbols() const noexcept { return layout_->symbols(); }
    /// Adds one payload symbol; decodes the code blocks it completes.
    void add_payload_symbol(std::span<const Sample> carriers, SymbolEstimate& estimate, unsigned max_iterations);

    /// Waits for blocks that are still being decoded. To be called before the frame is taken.
    void finish();
    /// Mode, redundancy version, payload and blocks are set here; the rest by the FrameDemodulator.
    [[nodiscard]] Frame& frame() noexcept { return frame_; }

private:
    void make_llrs(std::span<const Sample> carriers, SymbolEstimate& estimate, const Constellation& constellation);
    void show_points(std::size_t symbol);
    void decode_block();

    DemodulatorShared& shared_;
    bool dense_ = false;
    std::vector<float> header_llr_;             // [kHeaderCodedBits]
    std::vector<float> unwhitened_header_llr_;  // the same if the frame is of the version without whitening
    std::optional<PayloadLayout> layout_;
    std::size_t payload_bits_ = 0;  // received so far
    ReceivedBlock block_;           // under way
    Frame frame_;
    std::unique_ptr<DecodeWorkers::Pending> pending_;  // stays where it is when this is moved
};

}  // namespace meshnet::phy
