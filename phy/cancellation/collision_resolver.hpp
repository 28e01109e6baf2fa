// SPDX-License-Identifier: MIT
// Successive interference cancellation (SIC) over a receiver's recent samples, for frames that overlap.
//
//     receptions that ended -> which frames overlap, which of them failed -> subtract the error-free ones from the raw
//     samples -> search and demodulate the residual, then go on with the live samples -> more frames
//
// Nothing is subtracted as long as nothing collides. A SIC pass is made when a frame failed, or its header did, and an
// error-free frame overlaps it; or when the pilots of an error-free frame show residual interference well above the
// noise floor that no detection explains (of suspicions that lead to nothing, as a fast channel causes, ever fewer are
// followed, one in eight at last). Frames found so may be subtracted in a further pass, once. Bounded: two passes at a
// time, frames no longer than the history, logs of fixed size.
//
// Measurements: docs/decisions/0008-interference-cancellation.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/cancellation/frame_canceller.hpp"
#include "phy/demodulation/receiver_chain.hpp"

namespace meshnet::phy {

/// Decides what is delivered: each frame once, and again only with more good blocks. One instance, one thread; besides
/// frames it allocates in the constructor only.
class CollisionResolver {
public:
    struct Config {
        ReceiverChain::Config chain;  ///< of the SIC passes
        std::size_t history = 0;      ///< samples the raw ring holds
        bool cancel = true;           ///< false: only duplicates are looked after
    };

    CollisionResolver(DemodulatorShared& shared, const Config& config);

    /// After one step of the live chain: `ended` (moved from) in it; `live` holds the raw samples, its newest step was
    /// just worked through. `noise_power`: per sample, as far as known. Frames to deliver are appended to `out`.
    void step(const ReceiverChain& live, std::span<EndedReception> ended, double noise_power, std::vector<Frame>& out,
              ReceiverCounters& counters);
    /// The same within a step: delivers what ended; what that means for others waits for the end of the step.
    void take(const ReceiverChain& live, std::span<EndedReception> ended, double noise_power, std::vector<Frame>& out,
              ReceiverCounters& counters);

    /// End of the latest of the frames being received by SIC passes.
    [[nodiscard]] std::optional<std::uint64_t> reception_ends() const noexcept;

private:
    static constexpr std::size_t kErrorFree = 16;
    static constexpr std::size_t kFailed = 32;
    static constexpr std::size_t kPasses = 2;
    static constexpr unsigned kDeepest = 2;

    struct ErrorFree {
        DecodedFrame decoded;
        std::uint64_t end = 0;
        std::uint64_t serial = 0;  // 0: empty
        unsigned level = 0;
        bool unexplained = false;  // residual interference that nothing explains, not searched for yet
    };
    struct Failed {
        std::uint64_t start = 0, end = 0;
        std::uint64_t serial = 0;  // of the newest error-free frame that was subtracted for it; end == 0: empty
        unsigned attempts = 0;
    };
    struct Delivered {
        std::uint64_t start = 0;
        std::size_t bytes = 0, good = 0, blocks = 0;  // blocks == 0: empty
        ModeIndex mode = 0;
        std::uint8_t redundancy_version = 0;
        std::uint64_t digest = 0;  // of the payload
    };
    struct Pass {
        std::unique_ptr<ReceiverChain> chain;
        bool active = false;
        std::uint64_t first = 0;   // index of the chain's first sample
        std::uint64_t before = 0;  // detections from here on are the live chain's
        std::uint64_t serial = 0;
        unsigned level = 0;
        bool on_suspicion = false;  // because of residual interference, not of a detection
        bool fruitful = false;      // it delivered something
        std::vector<EndedReception> ended;
    };

    void bind(const ReceiverChain& live, double noise_power, std::vector<Frame>& out,
              ReceiverCounters& counters) noexcept;
    void run(Pass& pass, std::span<const Sample> step);
    void take(EndedReception& ended, Pass* pass);
    [[nodiscard]] bool is_repetition(const Delivered& d) const noexcept;
    void note_failure(std::uint64_t start, std::uint64_t end, std::uint64_t serial);
    void note_error_free(Frame frame, const EndedReception& ended, const Pass* pass);
    [[nodiscard]] bool explained(std::uint64_t start, std::uint64_t end, std::uint64_t serial,
                                 std::uint64_t subtracted) const noexcept;
    bool start_due_pass();
    void start_pass(Pass& pass, std::uint64_t from, unsigned level);
    void end_pass(Pass& pass) noexcept;

    Config config_;
    FrameCanceller canceller_;
    std::size_t fft_size_;
    std::size_t reach_;  // samples before a frame with residual interference that are searched too
    std::vector<Sample> residual_;
    std::array<ErrorFree, kErrorFree> error_free_;
    std::array<Failed, kFailed> failed_;
    std::array<Delivered, kErrorFree + kFailed> delivered_;
    std::array<Pass, kPasses> passes_;
    std::uint64_t serial_ = 0;
    std::size_t next_failed_ = 0;
    std::size_t next_delivered_ = 0;
    unsigned suspicions_per_pass_ = 1;  // of so many suspicions one is followed
    unsigned suspicions_ignored_ = 0;
    bool pending_ = false;  // a SIC pass may be due

    // Of the step at work.
    const ReceiverChain* live_ = nullptr;
    double noise_power_ = 0.0;
    std::vector<Frame>* out_ = nullptr;
    ReceiverCounters* counters_ = nullptr;
    std::vector<Sample> newest_;
};

}  // namespace meshnet::phy
