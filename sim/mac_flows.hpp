// SPDX-License-Identifier: MIT
// The traffic of a MacScenario, from end to end, above MACs that only know their neighbours: sources, relays, sinks,
// and the checks on what comes out.
//
//     fill(station) -> Ports::submit -> ... mac ... -> receive(station, packet) -> relayed, or counted and checked
//
// A host in front of each MAC holds up to 100 packets towards each neighbour, interactive ones first; what does not fit
// is dropped. Saturated sources make a packet when the MAC has room for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/link.hpp"
#include "core/random.hpp"
#include "core/time.hpp"
#include "sim/mac_scenario.hpp"
#include "sim/mac_tcp.hpp"

namespace meshnet::sim {

/// Of values in any order; zeros if there are none.
[[nodiscard]] Percentiles percentiles_of(std::vector<double> values);

class MacFlows {
public:
    struct Ports {
        std::function<std::size_t(std::size_t station, std::size_t next)> room;
        /// Leaves the packet as it is if the MAC refuses it.
        std::function<bool(std::size_t station, std::size_t next, TrafficClass, std::uint32_t flow, std::uint64_t tag,
                           Bytes& packet)>
            submit;
        std::function<void(Instant, std::size_t flow)> call_at;  ///< on_timer(flow) is due then
        std::function<void(std::string)> violation;
    };
    enum class Kind : std::uint8_t { kSaturated, kPaced, kVoice, kTcp };

    MacFlows(const MacScenario& scenario, double rate_bps, std::uint64_t seed, Ports ports);

    /// Traffic begins.
    void start(Instant now);
    /// From now on is counted.
    void measure(Instant now);
    void on_timer(Instant now, std::size_t flow);
    /// Gives the MAC of `station` what it has room for.
    void fill(Instant now, std::size_t station);
    /// A packet that a MAC delivered. Returns the station with more to send than before.
    std::optional<std::size_t> receive(Instant now, std::size_t station, ByteView packet);
    /// The MAC of `station` reports what became of a packet.
    void on_done(std::size_t station, std::uint64_t tag, bool delivered);
    /// Looks for flows that get nothing.
    void check_starvation(Instant now);
    /// Fills what the report says of packets.
    void report(Instant now, MacReport& report) const;

    [[nodiscard]] std::uint64_t delivered() const noexcept { return all_delivered_; }

private:
    struct Flow {
        Kind kind = Kind::kSaturated;
        std::size_t from = 0, to = 0;
        TrafficClass traffic = TrafficClass::kBulk;
        std::size_t bytes = 0;
        Duration interval{};
        std::uint64_t made = 0, done = 0;
        std::uint64_t next_forward = 0, next_backward = 0;  ///< the lowest number that may be delivered
        std::uint64_t made_back = 0;
        std::uint64_t measured_bytes = 0, measured_packets = 0, measured_lost = 0, measured_made = 0;
        Instant served{};
        bool started = false, starved = false;
        TcpSender sender;
        TcpReceiver receiver;
        std::optional<Instant> ack_at, timer_at;
    };
    struct Waiting {
        std::uint32_t flow = 0;
        std::uint64_t tag = 0;
        Bytes bytes;
    };
    /// Towards one neighbour.
    struct Host {
        std::size_t next = 0;
        std::deque<Waiting> interactive, bulk;
    };

    void add_flows(double rate_bps);
    [[nodiscard]] std::size_t next_hop(std::size_t station, std::size_t to) const;
    [[nodiscard]] Host& host(std::size_t station, std::size_t next);
    void queue(std::size_t station, std::size_t towards, Waiting packet, TrafficClass traffic);
    void make(Instant now, std::size_t flow, bool back, std::uint32_t number);
    [[nodiscard]] Bytes packet(Instant now, const Flow& f, std::size_t index, bool back, std::uint64_t count,
                               std::uint32_t number) const;
    void drain(std::size_t station, Host& h);
    void run_tcp(Instant now, std::size_t flow);
    void on_tcp(Instant now, std::size_t flow, bool back, std::uint32_t number);
    void count_delivery(Flow& f, std::size_t size, Duration delay);
    [[nodiscard]] bool lost_counts(const Flow& f) const { return measuring_ && f.kind != Kind::kTcp; }

    MacScenario scenario_;
    std::size_t stations_;
    Ports ports_;
    Rng random_;
    std::vector<Flow> flows_;
    std::vector<std::vector<Host>> hosts_;           ///< by station
    std::vector<std::vector<std::size_t>> sources_;  ///< saturated flows, by station
    std::vector<double> delays_ms_, voice_ms_;
    bool running_ = false;
    bool measuring_ = false;
    Instant measured_from_{};
    std::uint64_t all_delivered_ = 0;
};

}  // namespace meshnet::sim
