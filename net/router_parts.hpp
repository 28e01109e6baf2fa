// SPDX-License-Identifier: MIT
// The parts of a Router, each of which uses only those before it. Only router.cpp and tests of net/ include this.
#pragma once

#include <optional>

#include "net/credit_control.hpp"
#include "net/flow_opener.hpp"
#include "net/flow_table.hpp"
#include "net/forwarder.hpp"
#include "net/link_table.hpp"
#include "net/outbox.hpp"
#include "net/payment_offers.hpp"
#include "net/payments.hpp"
#include "net/route_reservations.hpp"
#include "net/route_table.hpp"
#include "net/router.hpp"
#include "net/settlement.hpp"
#include "net/undeliverable.hpp"

namespace meshnet::net {

struct Router::Parts {
    Parts(Config config, RandomSource& random, const LedgerState& restored);

    /// A row of an earlier run; throws std::invalid_argument if it cannot be read.
    void restore(const LedgerRow& row);
    void take_spent(std::vector<LedgerRow>& rows);

    Config config;
    const Identity::Secrets& self;
    Address own_address{};
    RouterCounters counters;
    Outbox outbox;
    RouteTable routes;
    ContactBook contacts;
    UndeliverableQueue undeliverable;
    RouteReservations reservations;
    LinkTable links;
    FlowTable flows;
    Book book;
    SpendBudget spend;
    ReturnTraffic returns;
    CreditControl credit;
    Settlement settlement;
    Payments payments;
    PaymentOffers offers;
    Forwarder forwarder;
    FlowOpener opener;
    std::optional<Instant> sweep_at;
    std::int64_t stored_spent_nsat = 0;  // of the row on disk
    Instant seen{};                      // the newest time we were given
};

}  // namespace meshnet::net
