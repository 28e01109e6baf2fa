// SPDX-License-Identifier: MIT
// The world of a MacScenario: its stations, what they want and what happens to them. Private to sim/mac_scenario.
//
//     mac_scenario.cpp  what a scenario may be, its course, the report
//     mac_world.cpp     events, transmissions, receptions
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/random.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"
#include "sim/mac_air_use.hpp"
#include "sim/mac_checks.hpp"
#include "sim/mac_flows.hpp"
#include "sim/mac_geometry.hpp"
#include "sim/mac_scenario.hpp"
#include "sim/node_time.hpp"
#include "sim/run_hash.hpp"
#include "sim/table_medium.hpp"

namespace meshnet::sim {

class MacWorld {
public:
    /// `phy`: the modes that stations use. Throws std::invalid_argument if the MAC refuses its configuration.
    MacWorld(const MacScenario& s, const TablePhy& phy);
    MacReport run();

private:
    enum class Kind : std::uint8_t { kWake, kBusy, kIdle, kArrived, kHeard, kSent, kLate, kFlow, kMove, kCheck, kKill };

    struct Event {
        Instant at{};
        std::uint64_t sequence = 0;  // first in, first out among equals
        Kind kind{};
        std::size_t station = 0;  // kFlow: the flow
        std::uint64_t number = 0;
        std::shared_ptr<TableMedium::Arrival> arrival{};
        std::shared_ptr<TableMedium::Reception> reception{};
    };
    struct Later {
        bool operator()(const Event& a, const Event& b) const {
            return a.at != b.at ? a.at > b.at : a.sequence > b.sequence;
        }
    };

    struct Station {
        Station(NodeTime t, std::uint64_t seed) : time(t), random(seed) {}
        NodeTime time;
        Rng random;
        mac::RadioTiming timing;  // zeros for class A
        std::unique_ptr<mac::Mac> mac;
        std::optional<Instant> wake;
        int sensed = 0;
        bool room_changed = true;
        bool dead = false;
        Duration shift{};       // class B: how late the present turn began
        Instant planned_end{};  // class B: of the last burst, without shift
        mac::MacCounters before{};
    };

    void begin();
    void schedule(Event event);
    void add_stations();
    [[nodiscard]] mac::Mac::Config config_of(std::size_t station) const;
    void pump(std::size_t station);
    bool take_events(std::size_t station);
    void transmit(std::size_t station, mac::TxRequest&& request);
    void put_on_air(std::size_t station, Instant decided, Instant start, mac::TxRequest&& request);
    void handle(Event& event);
    void handle_at_station(Event& event);
    void on_arrived(Event& event);
    void on_heard(Event& event);
    void connect_all();
    void check_now();
    void begin_measuring();
    void report(MacReport& out) const;
    void report_stations(MacReport& out) const;

    MacScenario scenario_;
    Rng random_;
    MacGeometry geometry_;
    TableMedium medium_;
    MacFlows flows_;
    MacAirUse air_;
    MacChecks checks_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::vector<Event> queue_;  // a heap
    Instant now_{};
    std::uint64_t sequence_ = 0;
    std::uint64_t events_ = 0;
    std::uint64_t at_once_ = 0;  // events at this very instant
    Instant last_event_{};
    std::uint64_t bursts_ = 0;
    std::vector<std::size_t> submitted_;  // stations whose MAC was given packets by the present event
    RunHash hash_;
    bool measuring_ = false;
    std::uint64_t link_ups_ = 0, link_downs_ = 0;
    std::vector<double> ranging_us_, link_death_ms_;
    std::optional<Instant> killed_at_;
    struct Watched {
        std::vector<mac::StationId> receivers;
        mac::StationId grantee = 0;
    };
    std::deque<Watched> watched_;  // the last bursts, by their number
    std::uint64_t first_watched_ = 1;
};

}  // namespace meshnet::sim
