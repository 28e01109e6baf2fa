// SPDX-License-Identifier: MIT
// Demodulates one frame out of the sample ring, from its detected preamble to its last code block.
//
//     FrameStart -> training -> header -> windows of data symbols -> LLRs -> code blocks -> Frame
//
// Several of these run side by side over the same ring: overlapping frames do not disturb each other's state. Every
// step depends on absolute sample indices only, so chunking cannot change a result. Data symbols are handled in
// windows: the tracking filters run forwards symbol by symbol and smooths backwards from a little beyond the window, so
// that each symbol is corrected with what came after it too.
//
// Spec: docs/spec/phy.md.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/demodulation/block_decoder.hpp"
#include "phy/demodulation/estimation_strategy.hpp"
#include "phy/demodulation/symbol_transform.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/channel_tracker.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/estimation/phase_tracker.hpp"
#include "phy/estimation/time_varying_channel.hpp"
#include "phy/estimation/training_estimator.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/header_codec.hpp"

namespace meshnet::phy {

/// What the demodulators of one receiver share: immutable tables and scratch that is used within one call.
struct DemodulatorShared {
    explicit DemodulatorShared(const Profile& profile,
                               std::unique_ptr<EstimationStrategy> estimation = std::make_unique<EstimationStrategy>());

    Grid grid;
    TrainingEstimator training;
    ChannelTracker tracker;
    TimeVaryingChannel time_varying;
    SymbolTransform transform;
    std::unique_ptr<EstimationStrategy> strategy;
    std::vector<Sample> training_rows;          // [64][K]
    std::vector<Sample> channel;                // [K]: of one row
    std::vector<float> rotation_re;             // [K]: that takes phase and time out of one row
    std::vector<float> rotation_im;             // [K]
    std::vector<Sample> points;                 // [K]: of one row, equalised
    std::vector<float> power;                   // [K]: of `channel`
    std::vector<float> llr;                     // [K * 8]
    std::vector<Constellation> constellations;  // 2, 4, 6, 8 bits
    HeaderCodec header_codec;
    BlockDecoder decoder;
    std::vector<Sample>* constellation_out = nullptr;  // points for displays, if wanted
};

/// One frame in the making. Reusable: start() again after it has finished.
class FrameDemodulator {
public:
    enum class State : std::uint8_t { kIdle, kTraining, kHeader, kData, kDone, kLost };

    explicit FrameDemodulator(DemodulatorShared& shared);

    void start(const FrameStart& start);
    /// Works as far as the samples in `ring` allow.
    void advance(const SampleRing& ring, unsigned max_iterations);

    [[nodiscard]] State state() const noexcept { return state_; }
    /// Finished (kDone: frame() holds it; kLost: the header failed or samples were gone).
    [[nodiscard]] bool finished() const noexcept { return state_ == State::kDone || state_ == State::kLost; }
    [[nodiscard]] bool header_ok() const noexcept { return header_.has_value(); }
    /// The finished frame, moved out; state becomes kIdle.
    [[nodiscard]] Frame take();
    void release() noexcept { state_ = State::kIdle; }

    /// The oldest sample still needed.
    [[nodiscard]] std::uint64_t wanted() const noexcept;
    /// One past the last sample of the frame, once the header is known.
    [[nodiscard]] std::optional<std::uint64_t> end_index() const noexcept;
    [[nodiscard]] const FrameStart& frame_start() const noexcept { return start_; }
    /// Carrier offset after the training, cycles per sample, and by how much the transform windows were moved, samples.
    [[nodiscard]] double acquired_cfo() const noexcept { return cfo_; }
    [[nodiscard]] int timing_shift() const noexcept { return timing_shift_; }
    /// Power per carrier, in transform output units: of the frame, and of what its pilots and training cannot explain
    /// (noise and others), in the worst stretch of 13 symbols.
    [[nodiscard]] float signal_power() const noexcept { return estimate_.signal; }
    [[nodiscard]] float residual_interference() const noexcept {
        return std::max(residual_interference_, estimate_.noise);
    }

private:
    // Symbols passed on at a time, and seen beyond them: whole groups of the channel tracker.
    static constexpr std::size_t kWindow = 10 * ChannelTracker::kGroup;
    static constexpr std::size_t kLookahead = 3 * ChannelTracker::kGroup;
    static constexpr std::size_t kLookback = 3 * ChannelTracker::kGroup;  // on a time-varying channel
    struct SymbolTrack {
        DriftFilter::State phase;
        DriftFilter::State time;
        int shift = 0;       // samples the window was moved against the first symbol's
        float error = 0.0F;  // mean power by which its pilots missed what was expected of them
    };

    bool receive_training(const SampleRing& ring);
    bool receive_symbol(const SampleRing& ring);
    void transform(const SampleRing& ring, std::uint64_t first, std::span<Sample> carriers);
    [[nodiscard]] TransformWindow window(std::uint64_t first) const noexcept;
    void track(std::size_t row, std::size_t symbol);
    void follow_channel(std::size_t row, std::size_t symbol);
    void prepare_rows(std::size_t emitted);
    [[nodiscard]] double chance() const noexcept;
    [[nodiscard]] bool seems_to_move() const noexcept;
    [[nodiscard]] double group_score();
    void record_rows();
    bool follow_motion(bool insist);
    [[nodiscard]] double least_noise() const noexcept;
    void interpolate_channel(std::size_t row, std::span<Sample> channel) const;
    void drop_rows(std::size_t rows);
    [[nodiscard]] double missed() const noexcept;
    [[nodiscard]] float group_noise(std::size_t first_row, std::size_t last_row) const noexcept;
    void equalise_row(std::size_t row, std::size_t symbol, const Constellation& constellation, float* llr, bool show);
    [[nodiscard]] bool offset_matters() const noexcept;
    void collect_header(std::size_t rows);
    void decode_header(std::size_t rows);
    void emit_rows(std::size_t rows, unsigned max_iterations);
    void finish();
    [[nodiscard]] std::uint64_t window_start(std::size_t symbol) const noexcept;

    DemodulatorShared& shared_;
    State state_ = State::kIdle;
    FrameStart start_;
    double cfo_ = 0.0;          // cycles per sample removed before the transform
    std::uint64_t origin_ = 0;  // first preamble sample after timing correction
    int timing_shift_ = 0;
    bool retimed_ = false;
    bool dense_ = false;
    std::size_t symbols_received_ = 0;  // header and data
    std::size_t header_symbols_ = 0;
    std::optional<Header> header_;
    std::optional<PayloadLayout> layout_;
    TrainingEstimator::Estimate estimate_;
    ChannelState reference_;              // what the pilots of the next symbol are compared with
    std::vector<float> reference_power_;  // [K]
    ChannelState window_state_;           // estimate just before row 0, looking forward
    ChannelState next_window_state_;      // the same for the rows that follow those passed on
    ChannelState reference_scratch_;
    ChannelMotion motion_;
    ChannelGroup newest_group_;  // measured while receiving
    ChannelGroup previous_group_;
    std::vector<ChannelGroup> groups_;    // of the rows, measured with smoothed phases
    std::vector<std::size_t> group_end_;  // one past the last row of each
    std::vector<float> group_noise_;      // per carrier, while they lasted
    std::size_t group_count_ = 0;
    std::vector<Sample> training_response_;  // [K]
    PilotRecord record_;                     // of a time-varying channel
    double residual_cfo_ = 0.0;              // radians per symbol that were left of the carrier offset
    double cfo_deviation_ = 0.0;
    std::optional<Header> known_header_;  // decoded before the frame was begun once more with a better offset
    bool time_varying_ = false;           // the rows at hand: shared_.time_varying knows their channel
    DriftFilter phase_;
    DriftFilter time_;
    int window_shift_ = 0;
    double pilot_error_ = 0.0;  // of the group of symbols under way
    std::size_t pilot_count_ = 0;
    float residual_interference_ = 0.0F;

    // Symbols waiting to be passed on: rows of a window.
    std::vector<Sample> rows_;         // [kWindow + kLookahead][K]
    std::vector<SymbolTrack> tracks_;  // [kWindow + kLookahead]
    std::vector<DriftFilter::State> smooth_phase_;
    std::vector<DriftFilter::State> smooth_time_;
    std::size_t row_count_ = 0;
    std::size_t first_row_symbol_ = 0;  // symbol number of row 0

    BlockAssembly assembly_;
    std::vector<float> header_llr_;
    Frame frame_;
};

}  // namespace meshnet::phy
