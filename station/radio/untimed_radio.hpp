// SPDX-License-Identifier: GPL-3.0-or-later
// A device without time stamps (timing class B) as a Radio: one thread receives and transmits in turn.
//
//     receiving:    samples come in transfers; within a stretch their count is exact, after a pause the host's clock
//                   says where it is
//     transmitting: the switch takes between shortest_switch and switch_time, and nothing says how long; so a burst
//                   begins up to their difference after its time (jitter), and the radio is blind until it has both
//                   sent for certain and switched back (recovery)
//
// Bursts that follow one another within a switch are sent in one piece. Zeros behind them fill it to whole transfers:
// in front they would add to the lead, which is the longer one (docs/decisions/0015).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include "station/radio/sdr_radio_base.hpp"

namespace meshnet::station {

/// What the MAC must know of such a device.
[[nodiscard]] mac::RadioTiming untimed_timing(const SdrTraits& traits);

class UntimedRadio final : public SdrRadio {
public:
    explicit UntimedRadio(SdrParts parts);
    ~UntimedRadio() override;
    void run() override;

private:
    /// Bursts that follow one another without a switch.
    struct Turn {
        std::vector<Burst> bursts;
        std::optional<BurstShaper::Shaped> first;  // of the first burst, if it must be shaped before the switch
        std::int64_t first_ticks = 0;              // of what is sent: the bursts, then zeros
        std::int64_t samples = 0;                  // of that: a whole number of transfers
        [[nodiscard]] std::uint64_t end() const { return bursts.back().at + bursts.back().samples.size(); }
    };
    void loop();
    void take(std::span<phy::Sample> samples, bool overrun);
    /// Takes the bursts that begin the next turn or belong to it.
    void prepare();
    /// How long the turn is, and when it begins.
    void measure(Turn& turn) const;
    [[nodiscard]] std::int64_t first_ticks(const Burst& burst) const;
    /// Hands all samples of the turn to the device, and of bursts that join it meanwhile. `begun_at`: of the switch.
    [[nodiscard]] Status write(Turn& turn, std::int64_t begun_at);
    /// Waits until `until` (host ticks) for a burst that follows the turn without a pause, and adds it.
    [[nodiscard]] bool extend(Turn& turn, std::int64_t until);
    /// Takes the next burst if it follows the turn, or if there is no turn. Holds the lock.
    [[nodiscard]] std::optional<Burst> next_burst(const Turn* turn);
    /// When the switch for the next turn must begin.
    [[nodiscard]] std::int64_t switch_ticks() const;
    /// How long until then, at most `most`.
    [[nodiscard]] Duration until_switch(Duration most) const;
    /// A busy host needs more time: the lead follows what is seen.
    void adapt_lead(bool late);
    /// It is too late for the next turn.
    [[nodiscard]] bool missed() const;
    [[nodiscard]] Status send();
    /// No part of it went out.
    void lose(const Turn& turn, std::uint64_t RadioCounters::*why);
    [[nodiscard]] std::int64_t host_ticks(std::chrono::steady_clock::time_point at) const;

    std::thread thread_;
    std::chrono::steady_clock::time_point start_;
    std::optional<Turn> next_;
    std::int64_t overhead_ticks_ = 0;  // what shaping adds to a burst
    Duration extra_lead_{};
    std::int64_t next_ticks_ = 0;
    bool fresh_ = true;  // the next samples are the first after a pause
};

}  // namespace meshnet::station
