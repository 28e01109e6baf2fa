// SPDX-License-Identifier: GPL-3.0-or-later
// What becomes of samples written to a device, until the air has them. A state machine without clock or thread; the two
// kinds of radio differ in what they do with times, ends of bursts and short writes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "sim/air.hpp"
#include "station/meshair/channel_settings.hpp"

namespace meshnet::meshair {

class TransmitPath {
public:
    /// For the air, which has it whole.
    struct Burst {
        std::uint64_t id = 0, at = 0;
        std::vector<phy::Sample> samples;
    };
    enum class Event : std::uint8_t {
        kBurstEnd,   ///< the last sample of a burst has left
        kUnderflow,  ///< the device ran out of samples
        kLate,       ///< a burst's time had passed when it came: all of it was dropped
    };
    struct Status {
        Event event = Event::kUnderflow;
        std::optional<std::uint64_t> tick;  ///< when, if the device knows
    };

    TransmitPath() = default;
    virtual ~TransmitPath() = default;
    TransmitPath(const TransmitPath&) = delete;
    TransmitPath& operator=(const TransmitPath&) = delete;

    virtual void set(const ChannelSettings& settings) = 0;
    /// The stream is started; nothing leaves before the air's sample `ready_index` (a switch to be thrown).
    virtual void start(std::uint64_t ready_index) = 0;
    /// Nothing waits or is under way.
    [[nodiscard]] virtual bool idle() const = 0;
    /// Samples that write() would take now.
    [[nodiscard]] virtual std::size_t room() const = 0;
    /// Takes at most room() of `samples`. `tick`: of the first, if this begins a burst. `end`: of the burst, if all of
    /// `samples` are taken. Returns how many were.
    virtual std::size_t write(std::span<const phy::Sample> samples, std::optional<std::uint64_t> tick, bool end) = 0;
    /// The stream is stopped: a burst ends with what was written of it.
    virtual void stop() = 0;
    /// The newest sample of the air that is known.
    virtual void on_air(std::uint64_t newest_index) = 0;
    virtual void on_report(const sim::AirTxReport& report) = 0;
    /// For the air, in order; poll until empty after every call above.
    [[nodiscard]] std::optional<Burst> poll_burst();
    [[nodiscard]] std::optional<Status> poll_status();
    [[nodiscard]] bool has_status() const noexcept { return !statuses_.empty(); }

protected:
    void send(Burst&& burst) { bursts_.push_back(std::move(burst)); }
    void report(Event event, std::optional<std::uint64_t> tick);

private:
    std::deque<Burst> bursts_;
    std::deque<Status> statuses_;
};

}  // namespace meshnet::meshair
