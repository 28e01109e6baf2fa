// SPDX-License-Identifier: MIT
// The search for preambles, ahead of the demodulation of the same samples, by a thread of the decode workers.
//
//     receiver's thread: next_step(), add(), search() ......... take() -> demodulators
//     a worker, or the receiver's thread where none is free:  search of the steps between
//
// A step's detections are handed out with that step, however far the search has got: they are those of a search in the
// same thread, at the same sample.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "phy/demodulation/decode_workers.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"

namespace meshnet::phy {

/// Everything but run() is called by one thread, run() by any of the workers.
class SearchAhead : public DecodeWorkers::Task {
public:
    static constexpr std::size_t kStep = 128;
    static constexpr std::size_t kMostAhead = 256;  ///< steps

    /// `synchronizers` and `workers` must outlive it; nobody else advances the former. `ring_capacity`: samples of
    /// history, a power of two.
    SearchAhead(std::span<FrameSynchronizer> synchronizers, DecodeWorkers& workers, std::size_t ring_capacity);
    ~SearchAhead() override;
    SearchAhead(const SearchAhead&) = delete;
    SearchAhead& operator=(const SearchAhead&) = delete;

    /// Steps that were added and not asked for yet: kMostAhead at most.
    [[nodiscard]] std::size_t ahead() const noexcept { return added_ - taken_; }
    /// The next step, [kStep], to be written and then added.
    [[nodiscard]] std::span<Sample> next_step() noexcept;
    void add() noexcept { ++added_; }
    /// Lets a worker search what was added, or leaves that to take().
    void search();
    void search_here();
    /// The oldest step that was added and not taken, [kStep], valid until the next one is added.
    [[nodiscard]] std::span<const Sample> oldest() const noexcept;
    /// Takes that step: waits for its search, and appends its detections to `found`.
    void take(std::vector<FrameStart>& found);

    void run() override;

private:
    struct Detection {
        std::uint64_t step = 0;
        FrameStart start;
    };
    enum class State : std::uint8_t { kIdle, kQueued, kRunning };

    void search_some(std::unique_lock<std::mutex>& lock);

    std::span<FrameSynchronizer> synchronizers_;
    DecodeWorkers& workers_;
    std::vector<Sample> steps_;  // [kMostAhead][kStep], by step number
    std::uint64_t added_ = 0;    // steps; written by the receiver's thread alone
    std::uint64_t taken_ = 0;    // the same

    // Of whoever searches; one at a time.
    SampleRing ring_;
    std::vector<FrameStart> found_;

    std::mutex mutex_;
    std::condition_variable progress_;
    State state_ = State::kIdle;
    std::uint64_t available_ = 0;  // steps that may be searched
    std::uint64_t searched_ = 0;
    std::deque<Detection> detections_;
};

}  // namespace meshnet::phy
