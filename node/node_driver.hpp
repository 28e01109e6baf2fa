// SPDX-License-Identifier: MIT
// The pump around a Node that daemon, simulator and GNU Radio block share.
//
//     after every event:  drive(node, now, sinks)   ->   sinks.transmit | sinks.deliver | sinks.persist
//     as time passes:     wake(node, now)
#pragma once

#include <utility>

#include "core/time.hpp"
#include "node/node.hpp"

namespace meshnet::node {

/// Carries out everything the node wants done at `now`, until it wants nothing more. `Sinks` has
///     void transmit(mac::TxRequest&&)        a burst for the radio
///     void deliver(Bytes&&)                  an IP packet for the host
///     void persist(net::LedgerBatch&&)       a batch for the ledger; may call Node::on_persisted() at once
/// and, if it answers its host,
///     void undeliverable(net::UndeliverablePacket&&)   a packet of the host that was given up
template <class Sinks>
void drive(Node& node, Instant now, Sinks& sinks) {
    for (bool progress = true; progress;) {
        progress = false;
        while (auto request = node.poll_transmit(now)) {
            sinks.transmit(std::move(*request));
            progress = true;
        }
        while (auto packet = node.poll_packet()) {
            sinks.deliver(std::move(*packet));
            progress = true;
        }
        if constexpr (requires(net::UndeliverablePacket p) { sinks.undeliverable(std::move(p)); }) {
            while (auto packet = node.poll_undeliverable()) {
                sinks.undeliverable(std::move(*packet));
                progress = true;
            }
        }
        while (auto batch = node.poll_persist(now)) {
            sinks.persist(std::move(*batch));
            progress = true;
        }
    }
}

/// Runs the node's timers that are due.
inline void wake(Node& node, Instant now) {
    if (const auto due = node.next_timeout(); due && *due <= now) {
        node.on_timeout(now);
    }
}

}  // namespace meshnet::node
