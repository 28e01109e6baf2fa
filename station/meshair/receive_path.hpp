// SPDX-License-Identifier: GPL-3.0-or-later
// From the air's samples to what a reader of the device finds waiting.
//
//     air -> BandConverter -> NoiseFill -> gain -> mixer's faults -> converter -> queue -> read()
//
// A state machine without clock or thread: time is what the air's samples say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "sim/channel/impairments.hpp"
#include "station/meshair/channel_settings.hpp"
#include "station/meshair/noise_fill.hpp"

namespace meshnet::meshair {

class ReceivePath {
public:
    ReceivePath(const DeviceModel& model, const AirFacts& air, std::uint64_t seed);

    /// Applies from the next sample of the air on.
    void set(const ChannelSettings& settings);
    /// Begins a stream at `tick` or at once; `count` samples, 0: until stop(). A time that has passed: read() says
    /// late.
    void start(std::optional<std::uint64_t> tick, std::uint64_t count);
    void stop();
    [[nodiscard]] bool running() const noexcept { return running_; }
    /// Nothing is received before the air's sample `index` (a switch to be thrown); the reader is not told.
    void mute_until(std::uint64_t index);
    /// What arrives before the air's sample `index` never reaches the host (a bus that stalls).
    void lose_until(std::uint64_t index) { lose_until_ = index; }

    /// The air's next samples. Where some are missing, the device's are too.
    void on_air(std::uint64_t first_index, std::span<const phy::Sample> samples);

    enum class Outcome : std::uint8_t { kNothing, kSamples, kOverflow, kLate };
    struct Read {
        Outcome outcome = Outcome::kNothing;
        std::size_t count = 0;
        std::uint64_t tick = 0;  ///< of the first sample
        bool end = false;        ///< the last of those asked for by start()
    };
    /// Fills `out` with samples without a gap, as far as they are there.
    [[nodiscard]] Read read(std::span<phy::Sample> out);
    [[nodiscard]] bool has_something() const noexcept { return late_ || overflow_ || !queue_.empty(); }

private:
    struct Chunk {
        std::uint64_t tick = 0;
        std::vector<phy::Sample> samples;
        std::size_t used = 0;
        bool gap = false;  // samples before it were lost
        bool end = false;
    };
    void convert(std::uint64_t first_index, std::span<const phy::Sample> samples);
    void make_real(std::span<phy::Sample> samples, std::uint64_t tick);
    void keep(Chunk&& chunk);
    void keep_transfers(Chunk&& chunk);
    [[nodiscard]] std::size_t capacity() const noexcept;

    const DeviceModel& model_;
    AirFacts air_;
    std::uint64_t seed_;
    ChannelSettings settings_;
    BandConverter converter_;
    NoiseFill noise_;
    sim::IqImbalance imbalance_;
    sim::Quantizer quantizer_;
    std::uint64_t next_index_ = 0;  // of the air
    std::uint64_t mute_until_ = 0, lose_until_ = 0;
    bool running_ = false, late_ = false, overflow_ = false, gap_ = false;
    std::uint64_t left_ = 0;  // samples of a counted stream; 0: no count
    std::deque<Chunk> queue_;
    std::size_t queued_ = 0;  // samples
    Chunk transfer_;          // being filled
};

}  // namespace meshnet::meshair
