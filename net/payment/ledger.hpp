// SPDX-License-Identifier: MIT
// The interface between the router and what keeps its ledger: the daemon's SQLite file, memory in simulations.
//
// The router emits numbered batches; the adapter commits them in order, durably, and reports it with
// Router::on_persisted(). At start the adapter passes the state that all committed batches add up to. Spec:
// docs/spec/payment.md, "Ledger".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/bytes.hpp"

namespace meshnet::net {

/// One durable row: `key` names it within its `table`, a newer row of the same key replaces the older, empty `value`
/// deletes it. `peer`/`amount_nsat`/`kind` are repeated in clear for accounts and displays; the router itself only
/// reads key and value.
struct LedgerRow {
    enum class Table : std::uint8_t {
        kNonce = 1,    ///< reserved counters and epochs: never reused after a crash
        kFlow = 2,     ///< newest payword and prices of a flow
        kBalance = 3,  ///< balance with a neighbour
        kEntry = 4,    ///< credits or debits of one flow or time, see Book; a newer row of a key has more in it
        kCertificate = 5,
        kCredit = 6,   ///< what a neighbour has cost us, and what we have spent ourselves
        kPayment = 7,  ///< a payment made outside the mesh
        kSigner = 8,   ///< certificate of the device that signed a neighbour's newest balance
    };
    Table table{};
    Bytes key;
    Bytes value;
    // kEntry and kBalance only:
    std::array<std::uint8_t, 32> peer{};  ///< node id of the neighbour
    std::int64_t amount_nsat = 0;         ///< nano-satoshi, see docs/spec/payment.md; > 0: the peer owes us
    std::uint64_t bytes_delivered = 0;    ///< payload bytes this entry is for
    std::string kind;  ///< "relay" (we earned), "own" (we owe for our own flow), "pay" (we owe the next hop), ...
};

/// What must reach the disk together.
struct LedgerBatch {
    std::uint64_t number = 0;  ///< 1, 2, 3, ... since construction of the Router
    std::vector<LedgerRow> rows;
};

/// All live rows (kEntry rows excepted), as the router needs them at start.
struct LedgerState {
    std::vector<LedgerRow> rows;
};

}  // namespace meshnet::net
