// SPDX-License-Identifier: GPL-3.0-or-later
// The groups of counters that `status` shows, in its order: the table from which metrics take their names too.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include "core/time.hpp"
#include "mac/mac.hpp"
#include "net/icmpv6.hpp"
#include "net/router_counters.hpp"
#include "phy/frame.hpp"
#include "station/control/interface_counters.hpp"
#include "station/guard/transmit_guard.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/radio_link.hpp"

namespace meshnet::station {

/// Calls visit(group, counters) with a value of each struct of counters; a group may have several.
template <class Visit>
void visit_counter_groups(Visit&& visit) {
    visit("radio", RadioLinkCounters{});
    visit("radio", RadioCounters{});
    visit("phy", phy::ReceiverCounters{});
    visit("mac", mac::MacCounters{});
    visit("net", net::RouterCounters{});
    visit("routing", net::RouteCounters{});
    visit("interface", InterfaceCounters{});
    visit("interface", net::IcmpCounters{});
    visit("transmit", GuardCounters{});  // of a radio that reaches an antenna only
}

/// The field of a counter in its group's JSON object: sums of times are seconds, "<name>_s".
template <class Value>
[[nodiscard]] std::string counter_key(const char* name, const Value& /*value*/) {
    return std::same_as<std::remove_cvref_t<Value>, Duration> ? std::string(name) + "_s" : std::string(name);
}

/// Calls visit(group, key, is_time) for each counter.
template <class Visit>
void visit_counter_keys(Visit&& visit) {
    visit_counter_groups([&visit](const char* group, const auto& counters) {
        visit_counters(counters, [&](const char* name, const auto& value) {
            visit(group, counter_key(name, value), std::same_as<std::remove_cvref_t<decltype(value)>, Duration>);
        });
    });
}

}  // namespace meshnet::station
