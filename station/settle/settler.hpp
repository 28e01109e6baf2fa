// SPDX-License-Identifier: GPL-3.0-or-later
// One settlement, safe against being killed anywhere: its proposal is in the ledger before the adapter hears of it, and
// an adapter is told to pay only by the run that put it there.
//
//     reserve() -> on disk: proposed -> adapter: propose() -> note() -> on disk: pending | failed | unknown
//
// A run that finds a proposal of an earlier one only asks the adapter for its status. What the adapter cannot tell
// stays unknown, and nothing more is paid to that neighbour until a person, or the payee's signature, decides it.
#pragma once

#include <string>

#include "core/result.hpp"
#include "net/payment/payment.hpp"
#include "station/settle/settlement_port.hpp"

namespace meshnet::station {

/// The ledger's side of a settlement: the daemon, over its control socket.
class SettlementLedger {
public:
    struct Reserved {
        SettlementProposal proposal;
        net::PaymentState state{};
        bool fresh = false;  ///< this call made it
    };
    virtual ~SettlementLedger() = default;
    /// The open settlement with the neighbour, or a new one; on disk when it returns. `msat` 0: all that is owed and
    /// allowed.
    [[nodiscard]] virtual Result<Reserved> reserve(const net::NodeId& peer, std::int64_t msat) = 0;
    /// On disk when it returns: the state that stands then (the payee may have confirmed it meanwhile).
    [[nodiscard]] virtual Result<net::PaymentState> note(const net::PaymentId& id, net::PaymentState state) = 0;

protected:
    SettlementLedger() = default;
    SettlementLedger(const SettlementLedger&) = default;
    SettlementLedger& operator=(const SettlementLedger&) = default;
};

struct SettlementResult {
    SettlementProposal proposal;
    net::PaymentState state{};
    bool fresh = false;
    std::string why;  ///< of a failure or doubt: the adapter's reason, one line
};

/// Settles with `peer`, or says where the settlement that is open stands. Error: the ledger cannot be asked or written,
/// or refuses.
[[nodiscard]] Result<SettlementResult> settle(SettlementLedger& ledger, SettlementPort& port, const net::NodeId& peer,
                                              std::int64_t msat);

}  // namespace meshnet::station
