// SPDX-License-Identifier: MIT
// Samples -> frames: the whole receiver behind one call.
//
//     samples -> gate -> search (all preamble classes) -> demodulators (several at once) -> Frame
//                                      \-> frames that overlap: subtract, search the residual -> Frame
//
// Spec: docs/spec/phy.md. Source of the structure: docs/architecture.md, "Receiver".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/dsp/doppler_oscillator.hpp"
#include "phy/frame.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Finds and decodes frames in a stream. Chunking never changes the result: one call with N samples and N calls with
/// one find the same frames. Searching goes on during reception, so a stronger later frame and back-to-back frames are
/// found. A frame with an inverted spectrum is found too, and says so. One instance, one thread. Allocates in the
/// constructor and for the payload of each Frame polled.
class Receiver {
public:
    struct Config {
        const Profile* profile = nullptr;
        bool search_short = true;         ///< listen for frames with the short preamble
        bool search_medium = true;        ///< ... the medium one
        bool search_long = true;          ///< ... the long one
        unsigned max_iterations = 25;     ///< LDPC iterations per block, 1..100
        unsigned decode_threads = 0;      ///< besides the caller's, 0..16; frames are the same with any number
        bool keep_constellation = false;  ///< fill constellation() for displays
        bool cancel_interference = true;  ///< successive interference cancellation (SIC): 12 to 33 MB more
        bool keep_channel = false;        ///< fill Frame::channel
        bool keep_soft_bits = false;      ///< fill Frame::soft_bits: 4 bytes for each coded bit of a frame
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    explicit Receiver(const Config& config);
    ~Receiver();
    Receiver(Receiver&&) noexcept;
    Receiver& operator=(Receiver&&) noexcept;

    /// Takes all of `samples`. Frames that end within them can then be polled.
    void push(std::span<const Sample> samples);
    /// Samples, at least 1, before which no frame will be complete: who pushes no more than these at a time can poll
    /// each frame when its last sample is in.
    [[nodiscard]] std::size_t samples_wanted() const noexcept;

    /// The next finished frame in order of completion, headers that passed only (payload blocks may have failed). A
    /// frame delivered with block errors may come once more, `recovered` and with more good blocks, when interference
    /// was subtracted; an error-free one never does.
    [[nodiscard]] std::optional<Frame> poll_frame();

    /// End of input: frames whose samples are all there are finished, frames cut off by the end are lost or come out
    /// with the blocks that are missing marked bad. Push nothing afterwards.
    void flush();

    /// Carrier offset that is known beforehand (a satellite's Doppler) and its growth, removed from the next step of
    /// 128 samples on; frames report their offset with it added, as at their end. Offsets are then acquired within
    /// Profile::max_cfo_hz of the hint. May be set anew at any time, e.g. every second of a pass; frames under way are
    /// best served by small corrections. Counts on the samples as they are: behind an inverting converter its sign
    /// changes. Throws std::invalid_argument beyond half the sample rate.
    void set_doppler_hint(DopplerShift shift);

    /// True while the in-band power of the last samples is above the noise floor by 6 dB, or a frame is being received.
    [[nodiscard]] bool carrier_busy() const noexcept;
    /// Sample index at which the frame now being received will end (header known), or nothing.
    [[nodiscard]] std::optional<std::uint64_t> reception_ends() const noexcept;
    /// Noise floor in the channel, dB relative to full scale, slow minimum tracking; NaN before anything was heard.
    [[nodiscard]] float noise_floor_dbfs() const noexcept;

    [[nodiscard]] const ReceiverCounters& counters() const noexcept;
    /// Equalised data points of the last frame, at most 4096, if keep_constellation is set.
    [[nodiscard]] std::span<const Sample> constellation() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::phy
