// SPDX-License-Identifier: MIT
// The part of a receiver that works on one stream of samples: ring, detectors, demodulators.
//
//     steps of samples -> ring -> FrameSynchronizer per class -> FrameDemodulators -> EndedReception
//
// The receiver has one for the samples as received, and further ones for interference cancellation (SIC).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "phy/demodulation/frame_demodulator.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/frame.hpp"

namespace meshnet::phy {

/// How one detection ended. Indexes count from the first sample of the chain.
struct EndedReception {
    FrameStart start;
    std::uint64_t end = 0;               ///< one past the last sample looked at
    std::optional<Frame> frame;          ///< if the header passed
    int timing_shift = 0;                ///< of the transform windows, samples
    double cfo = 0.0;                    ///< cycles per sample, after the training
    float signal_power = 0.0F;           ///< per carrier, transform output units
    float residual_interference = 0.0F;  ///< that pilots could not explain, same units
};

/// Works in steps of kStep samples at fixed absolute positions, so chunking cannot change a result. One thread.
class ReceiverChain {
public:
    static constexpr std::size_t kStep = 128;
    /// Detections whose first samples lie nearer together are of one arrival: two preamble classes, or two paths.
    static constexpr std::uint64_t kSameArrival = 32;
    static constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();

    struct Config {
        bool search_short = true;
        bool search_medium = true;
        bool search_long = true;
        std::size_t demodulators = 4;   ///< overlapping frames held at once
        std::size_t ring_capacity = 0;  ///< samples, a power of two, at least shortest_ring()
        unsigned max_iterations = 25;
    };

    /// `shared` must outlive it; chains used by one thread may share it.
    ReceiverChain(DemodulatorShared& shared, const Config& config);

    /// Samples of history that detection and demodulation need.
    [[nodiscard]] static std::size_t shortest_ring(const Profile& profile) noexcept;

    /// Samples behind a frame after which every detector and demodulator has run to its end.
    [[nodiscard]] static std::size_t longest_latency(const Profile& profile) noexcept;

    /// The next samples, up to kStep.
    void push(std::span<const Sample> step) noexcept { ring_.push(step); }
    /// Works through them; searches what makes whole steps. Detections that begin at or after `before` are not taken
    /// up. What ended is appended to `ended`; `counters` (or nullptr) counts preambles, headers and dropped detections.
    void look(std::uint64_t before, std::vector<EndedReception>& ended, ReceiverCounters* counters);
    /// The same with the detections of a search elsewhere (SearchAhead), by synchronizers().
    void look(std::span<const FrameStart> found, std::vector<EndedReception>& ended, ReceiverCounters* counters);
    [[nodiscard]] std::span<FrameSynchronizer> synchronizers() noexcept { return synchronizers_; }
    /// Forgets everything; the next sample has index 0.
    void restart() noexcept;

    [[nodiscard]] const SampleRing& ring() const noexcept { return ring_; }
    /// No frame is being demodulated.
    [[nodiscard]] bool idle() const noexcept;
    /// Every detection of a frame that begins before `index` has been reported.
    [[nodiscard]] bool searched(std::uint64_t index) const noexcept;
    /// Payload of a frame that begins before `index` is being received.
    [[nodiscard]] bool receiving_since_before(std::uint64_t index) const noexcept;
    /// One past the last sample of the latest frame whose payload is being received.
    [[nodiscard]] std::optional<std::uint64_t> reception_ends() const noexcept;
    /// The first such sample index that the samples at hand do not reach.
    [[nodiscard]] std::optional<std::uint64_t> next_reception_end() const noexcept;

private:
    // Preamble and training of a detection: samples [first, end).
    struct Training {
        std::uint64_t first = 0, end = 0;  // end == 0: empty
        PreambleClass preamble{};
    };
    [[nodiscard]] bool looks_like_training(const FrameStart& start) const noexcept;
    void begin(const FrameStart& start, ReceiverCounters* counters);
    void demodulate(std::vector<EndedReception>& ended, ReceiverCounters* counters);
    void advance(FrameDemodulator& d, std::vector<EndedReception>& ended, ReceiverCounters* counters);

    const Profile& profile_;
    unsigned max_iterations_;
    SampleRing ring_;
    std::vector<FrameSynchronizer> synchronizers_;
    std::vector<FrameDemodulator> demodulators_;
    bool receiving_ = false;  // a demodulator is at work
    std::vector<FrameStart> found_;
    std::array<Training, 16> trainings_{};  // of the latest detections, in a ring
    std::size_t next_training_ = 0;
};

}  // namespace meshnet::phy
