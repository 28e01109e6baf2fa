// SPDX-License-Identifier: MIT
// One flow as one node knows it, and its durable row.
//
// Packets run source -> destination, receipts the other way. `prev` and `next` are named along the packets; either may
// be the side that pays. Prices per link are fixed as long as the flow exists. Spec: docs/spec/payment.md, "Flows".
#pragma once

#include <deque>
#include <optional>

#include "core/time.hpp"
#include "net/link_peer.hpp"
#include "net/packet_format.hpp"
#include "net/payment/hash_chain.hpp"
#include "net/payment/ledger.hpp"
#include "net/replay_window.hpp"

namespace meshnet::net {

enum class FlowRole : std::uint8_t { kSource = 0, kRelay = 1, kDestination = 2 };

/// Proof by the destination that `bytes` arrived: a payword of its chain, or its signature.
struct Evidence {
    std::uint64_t bytes = 0;
    std::uint32_t sequence = 0;  ///< highest that arrived (or is known lost)
    bool is_statement = false;
    std::uint32_t index = 0;  ///< of `payword`
    Payword payword{};
    Signature signature{};
};

/// The destination's accept, by which others can check evidence of a flow: it signs the root of the paywords.
struct FlowProof {
    Payword root{};  ///< w_0
    Bytes noise;     ///< of FlowAccept: signed with the root
    Signature signature{};
    Certificate destination;  ///< of the device that signed
};

struct Flow {
    // Durable.
    FlowId id{};
    FlowRole role{};
    FlowClass flow_class{};
    bool payer_is_destination = false;
    NodeId source{}, destination{};
    NodeId prev_id{}, next_id{};                ///< zero where there is none
    std::uint32_t label_in = 0, label_out = 0;  ///< what prev writes to us; what we write to next
    std::uint32_t unit_bytes = 0, max_units = 0;
    std::uint32_t total_price = 0;   ///< msat per MiB of all relays; 0: nothing to pay, no receipts
    std::uint32_t claim_price = 0;   ///< from the side that pays, to us
    std::uint32_t pay_price = 0;     ///< from us, to the other side
    Key32 destination_key{};         ///< signs statements
    std::optional<FlowProof> proof;  ///< nothing at the destination, and in rows of version 2
    std::uint32_t payword_index = 0;
    Payword payword{};                 ///< newest verified payword, w_payword_index
    Evidence best;                     ///< newest booked
    std::uint64_t upstream_acked = 0;  ///< prev has booked and stored this much
    std::uint64_t limit_bytes = 0;     ///< never more can have been forwarded, even counting what a crash lost
    std::uint64_t certain_bytes = 0;   ///< forwarded when the row was written

    // Not durable.
    NeighborId prev = 0, next = 0;
    bool installing = false;            ///< accepted, not yet on disk: no packet may use it
    bool restored = false;              ///< from the ledger
    bool answer = false;                ///< source: the other end began, so we do not pay
    bool second = false;                ///< source: opened beside another of the same conversation
    bool wanted = false;                ///< source: opened for lack of one, perhaps by several ways at once
    bool broken = false;                ///< no longer for packets; receipts are still settled
    Evidence durable;                   ///< newest evidence that is on disk: may be shown to others
    std::uint64_t forwarded_bytes = 0;  ///< sent to the next hop (source: sealed) since start
    std::uint32_t highest_sequence = 0;
    struct Mark {
        std::uint32_t sequence = 0;
        std::uint64_t forwarded = 0;
    };
    std::deque<Mark> marks;  ///< forwarded and not resolved
    std::uint64_t resolved_bytes = 0;
    std::uint64_t accounted_bytes = 0;  ///< forwarded up to the newest sequence that a receipt named
    std::uint64_t resolved_at_start = 0, proven_at_start = 0;  ///< after a restart: what is proven counts from here
    std::uint64_t unproven_bytes = 0;                          ///< taken off the payer's allowance
    std::uint64_t earned_for = 0;                              ///< proven, and in the payer's allowance
    std::uint64_t counted_unresolved = 0;                      ///< our part in the paying neighbour's sum
    std::int64_t counted_nsat = 0;                             ///< the same in money, without what is proven
    std::uint64_t reserve_bytes = 65'536;                      ///< limit_bytes is so far ahead when it is raised
    std::uint64_t reserved_from = 0;                           ///< forwarded when it was raised last
    Instant reserved_at{};
    std::uint64_t uncertain_bytes = 0;  ///< after a restart: of forwarded_bytes, what may never have been forwarded
    std::optional<Evidence> claimed;    ///< after a restart: beyond what is certain; booked once upstream agrees
    bool probe_from_upstream = false;
    std::optional<Instant> probe_at;
    Duration probe_interval{};
    std::optional<Instant> receipt_at;  ///< repeat the newest receipt if not acknowledged
    Duration receipt_interval{};
    Instant last_used{};
    std::optional<Instant> timer;      ///< the deadline under which FlowTable keeps it
    std::optional<FlowAccept> accept;  ///< relay: to forward once durable; destination: to repeat

    // Ends only.
    std::optional<Key32> key;         ///< end to end
    std::uint32_t next_sequence = 0;  ///< source
    std::uint64_t sealed_bytes = 0;   ///< source
    // Source: how well its way delivers (FlowOpener::watch).
    std::uint64_t proven_when_watched = 0;
    std::uint64_t watched_from = 0;                     ///< forwarded when proof last came
    std::uint64_t watched_bytes = 0, judged_bytes = 0;  ///< accounted for and proven at the last report to routing
    Instant watched_at{};
    double arrived = 1.0;  ///< share of what was sent, at the last report to routing
    Instant arrived_at{};
    ReplayWindow replay;                    ///< destination
    HashChain chain;                        ///< destination
    std::uint64_t delivered_bytes = 0;      ///< destination
    std::optional<Instant> payword_at;      ///< destination: not before this, so that receipts are not too many
    std::optional<Instant> idle_at;         ///< destination: state the exact sum if no evidence is made until then
    std::optional<Instant> unproven_since;  ///< destination: some bytes that arrived are not proven

    /// The neighbour that pays us, or would; zero at the end that pays.
    [[nodiscard]] NeighborId claims_from() const noexcept { return payer_is_destination ? next : prev; }
    [[nodiscard]] const NodeId& claims_from_id() const noexcept { return payer_is_destination ? next_id : prev_id; }
    [[nodiscard]] const NodeId& pays_to_id() const noexcept { return payer_is_destination ? prev_id : next_id; }
    [[nodiscard]] bool paid() const noexcept { return total_price > 0; }
    /// How long it was not used; a flow restored from the ledger ages from the first call on.
    [[nodiscard]] Duration idle(Instant now) noexcept {
        if (last_used == Instant{}) {
            last_used = now;
        }
        return now - last_used;
    }
    /// The destination or a relay whose upstream has stored all that was proven; a source owes nobody a receipt.
    [[nodiscard]] bool receipts_acknowledged() const noexcept {
        return role == FlowRole::kSource || upstream_acked >= best.bytes;
    }
};

/// The durable part as a row of table kFlow.
[[nodiscard]] LedgerRow flow_row(const Flow& flow);
/// The flow of a row; nothing if it is not one of ours. `prev`, `next` are set from the ids.
[[nodiscard]] std::optional<Flow> flow_from_row(const LedgerRow& row);

}  // namespace meshnet::net
