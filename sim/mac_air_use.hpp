// SPDX-License-Identifier: MIT
// Where the air goes: every burst of a MacScenario split by what its bytes are for and by what became of them at the
// stations it was for, and the silence between bursts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"
#include "sim/mac_scenario.hpp"

namespace meshnet::sim {

class MacAirUse {
public:
    /// What a burst is made of, read from its bytes without checking them: it is as its sender made it.
    struct Content {
        std::size_t data = 0, header = 0, control = 0;  ///< bytes
        mac::StationId grantee = 0;
        std::vector<mac::StationId> receivers;  ///< of data; without any, whoever is granted the answer
    };
    [[nodiscard]] static Content content_of(ByteView payload);

    /// `longest`: silence within a propagation delay belongs to the turn.
    explicit MacAirUse(Duration longest) noexcept : longest_(longest) {}

    /// A burst on the air. Bursts come in the order of their decision, nearly that of their start.
    void add(std::uint64_t number, mac::StationId sender, Instant start, Duration airtime, Duration before_payload,
             const Content& content);
    /// What one of its receivers got of it: the share of its payload, and whether something else was on the air.
    void on_outcome(std::uint64_t number, double intact, bool disturbed);
    /// Counts what began before `until`; what began before `from` is left out.
    void settle(Instant until);
    void measure(Instant from);

    [[nodiscard]] AirShares shares(Instant now) const;

private:
    struct Use {
        std::uint64_t number = 0;
        mac::StationId sender = 0, grantee = 0;
        Instant start{};
        Duration airtime{};
        double data = 0.0, header = 0.0, control = 0.0;  ///< shares of its air time
        unsigned outcomes = 0;
        double intact = 0.0;  ///< sum over outcomes
        unsigned disturbed = 0;
    };
    void count(const Use& use);

    Duration longest_;
    std::deque<Use> uses_;  ///< by start
    Instant covered_{};
    Instant measured_from_{};
    mac::StationId last_sender_ = 0, last_grantee_ = 0;
    AirShares seconds_;  ///< of each use; reuse: of all transmissions
};

}  // namespace meshnet::sim
