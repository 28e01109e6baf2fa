// SPDX-License-Identifier: MIT
// The values of a frame on each carrier of each symbol, in order: training, header, payload.
//
//     mode, payload, redundancy version -> begin() -> next(), next(), ... : K carriers each
//
// The transmitter sends it; a receiver that knows the payload takes it as one long training sequence.
// Spec: docs/spec/phy.md, "Frame".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "phy/waveform/block_encoder.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/header_codec.hpp"
#include "phy/waveform/peak_limiter.hpp"

namespace meshnet::phy {

/// One frame at a time, symbol by symbol. Allocates only while the longest block so far grows. One instance, one
/// thread; `grid` must outlive it.
class FrameMapper {
public:
    explicit FrameMapper(const Grid& grid);

    /// Starts a frame. `payload` (1..kMaxPayloadBytes bytes) must live until its last symbol was taken; `mode` <
    /// modes().size(), `redundancy_version` 0..3: anything else is a broken precondition. `limit_peaks`: as
    /// Transmitter's.
    void begin(ModeIndex mode, ByteView payload, unsigned redundancy_version, bool limit_peaks);

    /// Symbols of the frame: training, header and payload.
    [[nodiscard]] std::size_t symbols() const noexcept;
    /// Symbols of the training and of the header.
    [[nodiscard]] std::size_t training_symbols() const noexcept { return training_symbols_; }
    [[nodiscard]] std::size_t header_symbols() const noexcept { return header_symbols_; }

    /// Carriers of the next symbol, [K], valid until the next call. To be called symbols() times at most.
    [[nodiscard]] std::span<const Sample> next();

private:
    void place_pilots(std::size_t symbol);
    void map_header(std::size_t symbol);
    void encode_block();
    void map_payload(std::size_t symbol);

    const Grid& grid_;
    PeakLimiter limiter_;
    HeaderCodec header_codec_;
    BlockEncoder encoder_;
    std::vector<Sample> carriers_;
    const Constellation& header_constellation_;
    const Constellation* payload_constellation_ = nullptr;  // of the frame
    std::vector<std::uint8_t> bits_;
    std::array<std::uint8_t, kHeaderCodedBits> header_bits_{};
    ByteView payload_;
    const Mode* mode_ = nullptr;
    std::optional<PayloadLayout> layout_;
    unsigned redundancy_version_ = 0;
    bool limit_peaks_ = true;
    bool dense_ = false;
    std::size_t training_symbols_ = 0;
    std::size_t header_symbols_ = 0;
    std::size_t next_ = 0;          // symbol
    std::size_t block_ = 0;         // next code block
    std::size_t point_ = 0;         // within the block under way
    std::size_t points_ = 0;        // of the block under way
    std::size_t payload_bits_ = 0;  // of the blocks encoded so far
};

}  // namespace meshnet::phy
