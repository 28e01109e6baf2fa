// SPDX-License-Identifier: MIT
// A frame as the receiver delivers it: its content and how it was received.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/bytes.hpp"
#include "core/counters.hpp"
#include "phy/modes.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Payload bytes of one frame, 1..kMaxPayloadBytes.
inline constexpr std::size_t kMaxPayloadBytes = 24'576;

/// One code block: a part of the payload with a CRC-24 of its own.
struct FrameBlock {
    std::size_t offset = 0;  ///< first byte within the payload
    std::size_t length = 0;  ///< bytes
    bool crc_ok = false;
    unsigned iterations = 0;  ///< LDPC iterations spent
};

/// One received frame. `payload` always has its announced length; bytes of a block with crc_ok == false are the
/// decoder's best guess.
struct Frame {
    std::uint64_t sample_index = 0;    ///< first preamble sample, counted from the first sample pushed
    float sample_fraction = 0.0F;      ///< + this fraction of a sample, [0, 1)
    std::uint64_t length_samples = 0;  ///< preamble to last payload sample
    std::uint8_t version = 1;          ///< of the waveform
    ModeIndex mode = 0;
    std::uint8_t redundancy_version = 0;  ///< 0..3
    float snr_db = 0.0F;                  ///< in the occupied band
    float cfo_hz = 0.0F;            ///< sender's carrier minus ours, at its end; if inverted, that of the conjugates
    float cfo_deviation_hz = 0.0F;  ///< standard deviation of that
    float sfo_ppm = 0.0F;           ///< sender's sampling clock minus ours
    float power_dbfs = 0.0F;        ///< received power in the occupied band, relative to full scale
    Bytes payload;
    std::vector<FrameBlock> blocks;
    bool inverted = false;   ///< received with an inverted spectrum: an inverting converter, or I and Q swapped
    bool recovered = false;  ///< found only by successive interference cancellation, after other frames were subtracted
    /// [carriers] channel at the first payload symbol, transform output units, if Receiver::Config::keep_channel.
    std::vector<Sample> channel = {};
    /// LLRs of the payload's coded bits in sending order, all symbols, without whitening; positive: bit 0 is likelier.
    /// If Receiver::Config::keep_soft_bits.
    std::vector<float> soft_bits = {};

    [[nodiscard]] bool ok() const noexcept {
        for (const auto& b : blocks) {
            if (!b.crc_ok) return false;
        }
        return !blocks.empty();
    }
};

/// Where frames are lost, counted since construction. Every stage is a subset of the one before.
struct ReceiverCounters {
    std::uint64_t samples = 0;
    std::uint64_t samples_not_finite = 0;  ///< replaced by zero at the gate
    std::uint64_t samples_clipped = 0;     ///< beyond +-full scale (4.0), limited
    std::uint64_t preambles = 0;           ///< detections
    std::uint64_t headers_ok = 0;          ///< header CRC passed
    std::uint64_t frames_ok = 0;           ///< all blocks passed
    std::uint64_t frames_partial = 0;      ///< some blocks passed
    std::uint64_t frames_inverted = 0;     ///< of these two, those received with an inverted spectrum
    std::uint64_t blocks_ok = 0;
    std::uint64_t blocks_bad = 0;
    std::uint64_t detections_dropped = 0;  ///< no free demodulator: more overlapping frames than can be held
    std::uint64_t sic_passes = 0;          ///< searches of samples from which decoded frames had been subtracted
    std::uint64_t frames_cancelled = 0;    ///< subtractions made for that
    std::uint64_t frames_recovered = 0;    ///< frames (error-free or partial) that only a SIC pass gave
};
template <class Visit>
constexpr void visit_counters(const ReceiverCounters& c, Visit&& visit) {
    visit("samples", c.samples);
    visit("samples_not_finite", c.samples_not_finite);
    visit("samples_clipped", c.samples_clipped);
    visit("preambles", c.preambles);
    visit("headers_ok", c.headers_ok);
    visit("frames_ok", c.frames_ok);
    visit("frames_partial", c.frames_partial);
    visit("frames_inverted", c.frames_inverted);
    visit("blocks_ok", c.blocks_ok);
    visit("blocks_bad", c.blocks_bad);
    visit("detections_dropped", c.detections_dropped);
    visit("sic_passes", c.sic_passes);
    visit("frames_cancelled", c.frames_cancelled);
    visit("frames_recovered", c.frames_recovered);
}
static_assert(visits_every_counter<ReceiverCounters>());

}  // namespace meshnet::phy
