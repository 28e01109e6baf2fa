// SPDX-License-Identifier: MIT
// What must hold in every MacScenario, checked after every event: nobody transmits twice at once, sooner than its radio
// can, over its cap, or into a carrier that it knows of without having been granted the air; granted bursts do not
// overlap at a receiver that knows the plan.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "core/time.hpp"

namespace meshnet::sim {

class MacChecks {
public:
    struct Limits {
        double duty_cycle = 1.0;
        Duration answer{};  ///< from the end of a burst heard to the start of an answer, at most
    };
    /// A decision to transmit.
    struct Decision {
        std::size_t station = 0;
        Instant decided{}, start{}, end{};
        bool scheduled = false;  ///< by a plan of a superframe or a pair: not by sensing
    };

    MacChecks(std::size_t stations, const Limits& limits);

    /// The carrier that a station was told of changed.
    void on_carrier(Instant now, std::size_t station, bool busy);
    /// A station read a burst that grants it the answer.
    void on_granted(Instant now, std::size_t station);
    void on_transmit(const Decision& decision);
    void violation(std::string what);

    [[nodiscard]] std::uint64_t violations() const noexcept { return count_; }
    [[nodiscard]] const std::vector<std::string>& examples() const noexcept { return examples_; }

private:
    struct Station {
        bool busy = false;
        Instant busy_since{}, granted{}, last_end{};
        std::deque<Instant> starts, ends;  ///< of the last ten minutes
        Duration on_air{};                 ///< their sum
    };
    void check_cap(Instant now, std::size_t station, Station& s);

    Limits limits_;
    std::vector<Station> stations_;
    std::uint64_t count_ = 0;
    std::vector<std::string> examples_;
};

}  // namespace meshnet::sim
