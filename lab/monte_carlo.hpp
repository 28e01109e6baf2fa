// SPDX-License-Identifier: MIT
// Error rates of the whole modem, counted frame by frame.
//
//     random bytes -> Transmitter -> random phase -> Channel (random time, carrier offset, noise) -> Receiver ->
//     compare
//
// Frame i of a seed has the same payload, gap, phase, offset and noise in every run: nothing depends on how many
// threads share the work. Frames are handled in batches; a batch is one stream of frames with noise between them into
// one receiver that listens for every preamble class.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "lab/genie_aid.hpp"
#include "lab/interval.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"
#include "phy/transmitter.hpp"
#include "sim/channel/channel.hpp"

namespace meshnet::lab {

/// What is sent and what happens to it on the way.
struct Scenario {
    const phy::Profile* profile = nullptr;
    phy::ModeIndex mode = 0;
    std::size_t payload_bytes = 1000;  ///< 1..phy::kMaxPayloadBytes
    std::string channel = "awgn";      ///< as sim::Channel::configure() reads it
    /// Carrier offset of every frame; nothing: the channel's if it sets one, else uniform in the profile's range.
    std::optional<double> cfo_hz;
    std::optional<double> sfo_ppm;  ///< sampling clock error of every frame; nothing: that of the channel
    double snr_db = 0.0;            ///< in the occupied band
    std::uint64_t seed = 1;
    std::optional<GenieAid> genie;  ///< nothing: the whole receiver; else the genie-aided one of genie.hpp
};

/// Error: kInvalidArgument, what is wrong with `s` in one line.
[[nodiscard]] Status check(const Scenario& s);

/// The channel of frame `index`: random time within a sample, offset, seed. `s` has passed check().
[[nodiscard]] sim::Channel::Config channel_of_frame(const Scenario& s, std::uint64_t index);

/// Makes the frames of a scenario. One instance, one thread; `s` must outlive it.
class FrameSource {
public:
    FrameSource(const Scenario& s, bool limit_peaks) : s_(s), transmitter_(*s.profile, limit_peaks) {}

    /// Frame `index` as it is sent: silence, then the frame with a random phase. Valid until the next call.
    [[nodiscard]] std::vector<phy::Sample>& make(std::uint64_t index);
    [[nodiscard]] const Bytes& payload() const noexcept { return payload_; }
    /// Samples of silence before it, and what its samples were multiplied with.
    [[nodiscard]] std::size_t gap() const noexcept { return gap_; }
    [[nodiscard]] phy::Sample phase() const noexcept { return phase_; }
    /// Samples to send after it, until a receiver has delivered all of it.
    [[nodiscard]] std::size_t tail(const sim::Channel& channel) const;

private:
    const Scenario& s_;
    phy::Transmitter transmitter_;
    Bytes payload_;
    std::vector<phy::Sample> sent_;
    std::size_t gap_ = 0;
    phy::Sample phase_;
};

/// What happened to the frames of one point. Every frame is correct or one of the errors.
struct Tally {
    std::uint64_t frames = 0;
    std::uint64_t errors = 0;         ///< not delivered error-free and equal to what was sent
    std::uint64_t detect_miss = 0;    ///< ... because no preamble was found while it passed
    std::uint64_t header_miss = 0;    ///< ... because a preamble was found, and no header passed its CRC
    std::uint64_t undetected = 0;     ///< ... delivered as error-free, and was not what was sent
    std::uint64_t false_alarms = 0;   ///< preambles found beyond one per frame
    std::uint64_t false_headers = 0;  ///< headers that passed their CRC and were never sent
    std::uint64_t blocks = 0;         ///< code blocks of frames whose header passed
    std::uint64_t iterations = 0;     ///< LDPC iterations spent on them
    std::uint64_t frame_samples = 0;  ///< air time of one frame

    [[nodiscard]] double per() const noexcept {
        return frames == 0 ? 0.0 : static_cast<double>(errors) / static_cast<double>(frames);
    }
    [[nodiscard]] double mean_iterations() const noexcept {
        return blocks == 0 ? 0.0 : static_cast<double>(iterations) / static_cast<double>(blocks);
    }
    /// Payload bits delivered per second of air time, back to back.
    [[nodiscard]] double throughput_bps(const Scenario& s) const noexcept;
    void add(const Tally& other) noexcept;
};

/// How much work a point gets.
struct Effort {
    std::uint64_t frames = 1000;
    std::uint64_t min_errors = 0;  ///< stop after the batch that brings this many errors; 0: never
    unsigned threads = 1;
    std::uint64_t first_batch = 0,
                  every_batch = 1;  ///< only these batches, as a shard of a sweep; min_errors must be 0
    /// Called now and then, from any thread, one at a time: frames done, errors seen.
    std::function<void(std::uint64_t, std::uint64_t)> progress;
};

/// Runs frames [first, first + count) as one stream. One instance, one thread.
using BatchRunner = std::function<Tally(std::uint64_t first, std::size_t count)>;

/// Shares effort.frames in batches among threads, each with a runner of its own, and adds up in order.
[[nodiscard]] Tally run_batches(const Effort& effort, std::size_t per_batch, const std::function<BatchRunner()>& make);

/// Independent streams of randomness for independent things about one frame.
enum class Stream : std::uint64_t { kPayload = 1, kTime = 2, kChannel = 3 };
[[nodiscard]] std::uint64_t seed_of(std::uint64_t seed, std::uint64_t frame, Stream stream);

/// Runs one point. The result depends on `s`, effort.frames and effort.min_errors alone.
[[nodiscard]] Tally run_point(const Scenario& s, const Effort& effort);

/// Frames a batch of this scenario has.
[[nodiscard]] std::size_t batch_frames(const Scenario& s) noexcept;

}  // namespace meshnet::lab
