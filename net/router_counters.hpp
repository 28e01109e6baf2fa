// SPDX-License-Identifier: MIT
// What a router counts. Its parts share one instance and each adds what it sees.
#pragma once

#include <cstdint>

#include "core/counters.hpp"

namespace meshnet::net {

struct RouterCounters {
    std::uint64_t packets_from_host = 0, packets_to_host = 0, packets_forwarded = 0;
    std::uint64_t dropped_no_route = 0, dropped_queue_full = 0, dropped_hop_limit = 0, dropped_malformed = 0;
    std::uint64_t dropped_too_big = 0;    ///< from our host: longer than the MTU
    std::uint64_t dropped_source = 0;     ///< from our host: the source is not our address
    std::uint64_t dropped_multicast = 0;  ///< from our host: there is no multicast here
    std::uint64_t unreachable_route_lost = 0, unreachable_price = 0, unreachable_refused = 0;  ///< given up, by reason
    std::uint64_t unreachable_no_answer = 0;
    std::uint64_t dropped_auth = 0, dropped_replay = 0, dropped_window = 0;
    std::uint64_t handshakes = 0, paywords_sent = 0, paywords_accepted = 0, paywords_refused = 0;
    std::uint64_t handshakes_refused = 0;  ///< genuine, but not of the closed fleet, or not the station it came from
    std::uint64_t handshakes_limited = 0;  ///< over the limit of unauthenticated messages
    std::uint64_t dropped_old = 0;         ///< waited longer than 1.5 s for the link
    std::uint64_t flows_opened = 0, flows_refused = 0, flow_errors = 0;
    std::uint64_t flows_refused_alarm = 0;  ///< of those refused: the key that would pay is used twice
    std::uint64_t statements_accepted = 0, statements_refused = 0;
    std::uint64_t balances_accepted = 0, balances_refused = 0;
    std::uint64_t probes_sent = 0;
    std::uint64_t control_bytes_sent = 0, data_bytes_sent = 0;  ///< sealed, by kind of frame
    std::uint64_t padding_bytes_sent = 0;                       ///< of those, what fills frames up to their class
    std::uint64_t dropped_budget = 0;                           ///< for our host, beyond what we pay for
    std::uint64_t flows_refused_credit = 0;  ///< of those refused: the neighbour that would pay has no credit left
    std::uint64_t flows_refused_quota = 0;   ///< of those refused: the neighbour holds its share of a table
    std::uint64_t flows_refused_total = 0;   ///< of those refused: the destination signed another sum than the relays'
    std::uint64_t flows_moved = 0;           ///< broken because their next hop went and there is another way
    std::uint64_t flows_left = 0;            ///< of our own: nothing arrived over that neighbour
    std::uint64_t balances_restored = 0;     ///< a neighbour held newer signatures of ours than we remembered
    std::uint64_t payments_confirmed = 0, payments_refused = 0;  ///< receipts of ours; messages that were not signed by
                                                                 ///< their sender
};
template <class Visit>
constexpr void visit_counters(const RouterCounters& c, Visit&& visit) {
    visit("packets_from_host", c.packets_from_host);
    visit("packets_to_host", c.packets_to_host);
    visit("packets_forwarded", c.packets_forwarded);
    visit("dropped_no_route", c.dropped_no_route);
    visit("dropped_queue_full", c.dropped_queue_full);
    visit("dropped_hop_limit", c.dropped_hop_limit);
    visit("dropped_malformed", c.dropped_malformed);
    visit("dropped_too_big", c.dropped_too_big);
    visit("dropped_source", c.dropped_source);
    visit("dropped_multicast", c.dropped_multicast);
    visit("unreachable_route_lost", c.unreachable_route_lost);
    visit("unreachable_price", c.unreachable_price);
    visit("unreachable_refused", c.unreachable_refused);
    visit("unreachable_no_answer", c.unreachable_no_answer);
    visit("dropped_auth", c.dropped_auth);
    visit("dropped_replay", c.dropped_replay);
    visit("dropped_window", c.dropped_window);
    visit("handshakes", c.handshakes);
    visit("paywords_sent", c.paywords_sent);
    visit("paywords_accepted", c.paywords_accepted);
    visit("paywords_refused", c.paywords_refused);
    visit("handshakes_refused", c.handshakes_refused);
    visit("handshakes_limited", c.handshakes_limited);
    visit("dropped_old", c.dropped_old);
    visit("flows_opened", c.flows_opened);
    visit("flows_refused", c.flows_refused);
    visit("flow_errors", c.flow_errors);
    visit("flows_refused_alarm", c.flows_refused_alarm);
    visit("statements_accepted", c.statements_accepted);
    visit("statements_refused", c.statements_refused);
    visit("balances_accepted", c.balances_accepted);
    visit("balances_refused", c.balances_refused);
    visit("probes_sent", c.probes_sent);
    visit("control_bytes_sent", c.control_bytes_sent);
    visit("padding_bytes_sent", c.padding_bytes_sent);
    visit("data_bytes_sent", c.data_bytes_sent);
    visit("dropped_budget", c.dropped_budget);
    visit("flows_refused_credit", c.flows_refused_credit);
    visit("flows_refused_quota", c.flows_refused_quota);
    visit("flows_refused_total", c.flows_refused_total);
    visit("flows_moved", c.flows_moved);
    visit("flows_left", c.flows_left);
    visit("balances_restored", c.balances_restored);
    visit("payments_confirmed", c.payments_confirmed);
    visit("payments_refused", c.payments_refused);
}
static_assert(visits_every_counter<RouterCounters>());

/// What the routing protocol counts.
struct RouteCounters {
    std::uint64_t updates = 0;         ///< received
    std::uint64_t refused = 0;         ///< of those: not signed by the destination
    std::uint64_t verified = 0;        ///< signatures and certificates checked
    std::uint64_t seqno_requests = 0;  ///< sent for routes that are not feasible
    std::uint64_t overflow = 0;        ///< destinations and messages that found a table full
    std::uint64_t key_evidence = 0;    ///< proofs that two stations use one key, ours or another
    std::uint64_t key_alarms = 0;      ///< alarms that such proofs raised
    std::uint64_t key_notices = 0;     ///< signatures of one instance of a key sent towards another
    std::uint64_t bytes_sent = 0;      ///< of messages handed to the links; a broadcast counts once
    std::uint64_t limited = 0;         ///< updates put off: their neighbour has used up its share of our work or table
    std::uint64_t evicted = 0;         ///< destinations that made room for those of a neighbour that had brought fewer
};
template <class Visit>
constexpr void visit_counters(const RouteCounters& c, Visit&& visit) {
    visit("updates", c.updates);
    visit("refused", c.refused);
    visit("verified", c.verified);
    visit("seqno_requests", c.seqno_requests);
    visit("overflow", c.overflow);
    visit("key_evidence", c.key_evidence);
    visit("key_alarms", c.key_alarms);
    visit("key_notices", c.key_notices);
    visit("bytes_sent", c.bytes_sent);
    visit("limited", c.limited);
    visit("evicted", c.evicted);
}
static_assert(visits_every_counter<RouteCounters>());

}  // namespace meshnet::net
