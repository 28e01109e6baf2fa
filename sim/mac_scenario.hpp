// SPDX-License-Identifier: MIT
// Stations with the real MAC on one channel in virtual time: what a saturated circle, a chain of hidden stations or a
// satellite pass delivers, and where the air goes.
//
//     MacScenario -> [run_mac_scenario] -> MacReport          same scenario, same seed: same report, same hash
//
// mac::Mac is driven through its public calls only. Invariants are checked after every event (sim/mac_checks.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace meshnet::sim {

struct MacScenario {
    enum class Orbit : std::uint8_t { kNone, kLeo, kGeo };
    enum class Regime : std::uint8_t { kAuto, kInvite, kReserve, kPaired };

    std::size_t stations = 5;       ///< 2..64 (with `chain`: chain + 1)
    double distance_km = 1.0;       ///< diameter of the circle, or length of one hop, 0.001..60 000
    double turnaround_ms = 2.0;     ///< L: frames and carrier are known so long after the antenna, 0..200
    double lead_ms = 4.0;           ///< from a decision to its first sample, 0..300
    double rate_mbps = 3.17;        ///< the fastest mode of profile 1M within this is the fastest that stations use
    double seconds = 60.0;          ///< measured, 1..36 000
    double warmup_s = 10.0;         ///< before that, 1..600; traffic begins after half of it
    std::uint64_t seed = 1;         ///< of all clocks, losses and drawn numbers
    std::size_t class_b = 0;        ///< the last so many stations have no time stamps and switch slowly
    double switch_ms = 60.0;        ///< their time between receiving and transmitting, 1..300
    double loss = 0.0;              ///< share of arrivals that are missed whatever their SINR, [0, 1)
    double late = 0.0;              ///< share of transmissions that the radio cannot send in time, [0, 1)
    std::size_t chain = 0;          ///< hops; 0: circle, everybody hears everybody. Packets go from end to end
    Orbit orbit = Orbit::kNone;     ///< delay and Doppler of a pass; distance_km: diameter on the ground
    std::size_t payload = 1'500;    ///< bytes of a packet, 32..8192
    std::size_t queue = 32'768;     ///< Mac::Config::queue_bytes
    Regime regime = Regime::kAuto;  ///< Mac::Config::regime
    double snr_db = 6.0;            ///< of all paths, over what the fastest mode requires
    double max_burst_ms = 200.0;    ///< Mac::Config::max_burst
    double duty_cycle = 1.0;        ///< Mac::Config::duty_cycle
    double clock_error_ppm = 10.0;  ///< each station's clock is wrong by up to this

    int bulk = -1;          ///< saturated (or paced) flows; -1: one a station, in a chain one, with tcp none
    double load = 0.0;      ///< bulk flows offer this share of the rate together, as Poisson processes; 0: saturated
    bool together = false;  ///< all flows begin at the same instant, not within a second
    std::size_t outstanding = 0;   ///< a saturated flow has at most so many packets unacknowledged; 0: its queue's room
    std::size_t voice = 0;         ///< flows of 50 packets of 60 bytes a second, interactive
    std::size_t tcp = 0;           ///< flows with a congestion window and acknowledgements that travel back
    double carrier_late_ms = 0.0;  ///< carrier changes are reported so much later than frames, 0..100
};

struct Percentiles {
    double p50 = 0.0, p95 = 0.0, p99 = 0.0;
};

/// Shares of time, of the union of all transmissions, in the order of their start; they add up to 1.
struct AirShares {
    double data = 0.0;       ///< payload of packets that their receiver got
    double header = 0.0;     ///< preambles, headers of frames, bursts and fragments
    double control = 0.0;    ///< acknowledgements, hellos, beacons, bids, requests
    double lost = 0.0;       ///< what its receiver missed without interference
    double collision = 0.0;  ///< what its receiver missed because something else was on the air, or it was itself
    double gap = 0.0;        ///< silence within a turn: before the answer to a grant, or shorter than a propagation
    double idle = 0.0;       ///< all other silence: contention, or nothing to send
    double reuse = 0.0;      ///< not a part of the sum: transmissions over their union, 1 without any at once
};

struct MacReport {
    double rate_bps = 0.0;    ///< of the fastest mode
    double fraction = 0.0;    ///< packet bits delivered end to end over seconds x rate_bps, all flows
    double jain = 1.0;        ///< of the bulk flows
    double worst_flow = 1.0;  ///< the least delivered by a bulk flow over the mean of all
    Percentiles delay_ms;     ///< of all packets but voice, from their making to their delivery
    Percentiles voice_ms;
    std::uint64_t delivered = 0;  ///< packets, while measured
    std::uint64_t offered = 0;    ///< packets made, while measured
    double delivery = 0.0;        ///< delivered over (delivered + given up or dropped), while measured
    double voice_delivery = 0.0;
    std::vector<std::pair<std::string, double>> regimes;  ///< share of time, mean of the stations
    AirShares air;
    double class_b_share = 0.0;  ///< what stations of class B deliver over rate_bps x class_b / stations
    double others_share = 0.0;   ///< what the others deliver over what class B leaves of rate_bps
    Percentiles ranging_us;      ///< error of the propagation delays that stations know
    std::uint64_t link_ups = 0, link_downs = 0;  ///< while measured
    std::uint64_t bursts = 0, empty_bursts = 0, late_bursts = 0, grants = 0;
    double mean_burst_ms = 0.0;
    std::uint64_t events = 0;  ///< steps of the simulation
    std::uint64_t hash = 0;
    std::uint64_t violations = 0;       ///< of invariants
    std::vector<std::string> examples;  ///< the first of them
};

/// Throws std::invalid_argument, one line that names the field, if the scenario is impossible.
[[nodiscard]] MacReport run_mac_scenario(const MacScenario& scenario);

}  // namespace meshnet::sim
