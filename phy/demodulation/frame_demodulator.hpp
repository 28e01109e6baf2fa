// SPDX-License-Identifier: MIT
// Demodulates one frame out of the sample ring, from its detected preamble to its last code block.
//
//     FrameStart -> training -> header -> blocks of data symbols -> LLRs -> code blocks -> Frame
//
// The state machine and the places of things in the sample stream; the work is done by SymbolTracker (phase, CFO, time,
// clock), ChannelFollower (channel, noise) and PayloadReceiver (LLRs, header, code blocks). Several of these run side
// by side over the same ring: overlapping frames do not disturb each other's state. Every step depends on absolute
// sample indices only, so chunking cannot change a result. Data symbols are handled in blocks: the filters run forwards
// symbol by symbol and are smoothed from a little beyond the block, so that each symbol is corrected with later pilots
// too.
//
// Spec: docs/spec/phy.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "phy/demodulation/burst_guard.hpp"
#include "phy/demodulation/channel_follower.hpp"
#include "phy/demodulation/demodulator_shared.hpp"
#include "phy/demodulation/payload_receiver.hpp"
#include "phy/demodulation/symbol_buffer.hpp"
#include "phy/demodulation/symbol_tracker.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_layout.hpp"

namespace meshnet::phy {

/// One frame in the making. Reusable: start() again after it has finished.
class FrameDemodulator {
public:
    enum class State : std::uint8_t { kIdle, kTraining, kHeader, kData, kDone, kLost };

    /// `shared` must outlive it.
    explicit FrameDemodulator(DemodulatorShared& shared);

    void start(const FrameStart& start);
    /// Works as far as the samples in `ring` allow.
    void advance(const SampleRing& ring, unsigned max_iterations);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Finished (kDone: take() gives the frame; kLost: the header failed or samples were gone).
    [[nodiscard]] bool finished() const noexcept { return state_ == State::kDone || state_ == State::kLost; }
    [[nodiscard]] bool header_ok() const noexcept { return header_.has_value(); }
    /// The finished frame, moved out; state becomes kIdle.
    [[nodiscard]] Frame take();
    void release() noexcept { state_ = State::kIdle; }

    /// The oldest sample still needed.
    [[nodiscard]] std::uint64_t oldest_needed() const noexcept;
    /// One past the last sample of the frame, once the header is known.
    [[nodiscard]] std::optional<std::uint64_t> end_index() const noexcept;
    [[nodiscard]] const FrameStart& frame_start() const noexcept { return start_; }
    /// Carrier offset after the training, cycles per sample, and by how much the transform windows were moved, samples.
    [[nodiscard]] double acquired_cfo() const noexcept { return cfo_; }
    [[nodiscard]] int timing_shift() const noexcept { return timing_shift_; }
    /// Power per carrier, in transform output units: of the frame, and of the noise and interference that its pilots
    /// and training cannot explain, in the worst group of symbols.
    [[nodiscard]] float signal_power() const noexcept { return training_.signal; }
    [[nodiscard]] float residual_interference() const noexcept { return channel_.residual_interference(); }

    /// Power of the carriers of one symbol.
    struct RowPower {
        float mean = 0.0F;
        float greatest = 0.0F;  ///< over what is expected
    };

private:
    // Symbols demodulated at a time, and received beyond them before that: whole groups of the channel follower.
    static constexpr std::size_t kBlock = 10 * ChannelFollower::kGroup;
    static constexpr std::size_t kLookahead = 3 * ChannelFollower::kGroup;

    bool transform_training(const SampleRing& ring, std::span<Sample> rows);
    bool clean_training_row(std::size_t symbol, std::span<Sample> row, float level, bool lost);
    [[nodiscard]] float median_power(std::span<const Sample> row) noexcept;
    void note_lost(std::size_t symbol, std::span<const float> by_lines, float share, bool begun);
    [[nodiscard]] float sample_power(float carrier, float beside) const noexcept;
    bool receive_training(const SampleRing& ring);
    [[nodiscard]] bool drift_disturbs_training() const noexcept;
    bool estimate_training(const SampleRing& ring);
    bool receive_symbol(const SampleRing& ring);
    void expect_power();
    float clean_row(std::span<Sample> carriers);
    bool cancel_lines(std::span<Sample> carriers, float suspicious);
    void weigh_row(std::span<const Sample> carriers, bool lines, float blanked);
    [[nodiscard]] SymbolEstimate estimate_of(std::size_t row);
    void collect_header(std::size_t rows);
    [[nodiscard]] std::optional<Header> find_header(std::size_t rows);
    void decode_header(std::size_t rows);
    [[nodiscard]] bool offset_matters() const noexcept;
    void restart(const Header& header);
    void decode_payload(std::size_t rows, unsigned max_iterations);
    void drop_rows(std::size_t rows);
    void finish();
    [[nodiscard]] TransformWindow window(std::int64_t first, double drift = 0.0) const noexcept;
    [[nodiscard]] std::int64_t first_window() const noexcept;
    [[nodiscard]] std::int64_t window_start(std::size_t symbol, int shift) const noexcept;
    [[nodiscard]] std::size_t symbols_received() const noexcept { return rows_.first_symbol() + rows_.size(); }

    DemodulatorShared& shared_;
    State state_ = State::kIdle;
    FrameStart start_;
    ClassParams params_{};
    double cfo_ = 0.0;          // cycles per sample removed before the transform
    std::uint64_t origin_ = 0;  // first preamble sample after timing correction
    int timing_shift_ = 0;
    std::size_t header_symbols_ = 0;
    std::optional<Header> header_;
    std::optional<std::uint64_t> end_;    // one past the last sample, when the header is known
    std::optional<Header> known_header_;  // decoded before the frame was begun once more with a better offset
    TrainingEstimator::Estimate training_;
    SymbolBuffer rows_;
    BurstGuard bursts_;
    std::vector<float> interference_;      // [K]: power beyond the noise, as known from the training
    bool interfered_ = false;              // some of it is not 0
    bool pulsed_ = false;                  // pulses hit the training or a symbol since
    float expected_mean_ = 0.0F;           // power that the carriers of the next row should have in the mean
    std::vector<float> inverse_expected_;  // [K]: 1 / power that a carrier of the next row should have
    SymbolTracker tracker_;
    ChannelFollower channel_;
    PayloadReceiver payload_;
};

}  // namespace meshnet::phy
