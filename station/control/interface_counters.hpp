// SPDX-License-Identifier: GPL-3.0-or-later
// What the station's network interface counts.
#pragma once

#include <cstdint>

#include "core/counters.hpp"

namespace meshnet::station {

struct InterfaceCounters {
    std::uint64_t read_errors = 0, write_errors = 0;
    std::uint64_t repairs = 0;         ///< put back after others changed it
    std::uint64_t repairs_failed = 0;  ///< tried, and to be tried again
};
template <class Visit>
constexpr void visit_counters(const InterfaceCounters& c, Visit&& visit) {
    visit("read_errors", c.read_errors);
    visit("write_errors", c.write_errors);
    visit("repairs", c.repairs);
    visit("repairs_failed", c.repairs_failed);
}
static_assert(visits_every_counter<InterfaceCounters>());

}  // namespace meshnet::station
