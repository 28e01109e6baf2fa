// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/settle/settler.hpp"

#include <utility>

namespace meshnet::station {

namespace {

using net::PaymentState;

PaymentState state_of(SettlementStatus status) {
    switch (status) {
        case SettlementStatus::kPending:
        case SettlementStatus::kPaid:  // paid is what the payee signs: until then it is pending here
            return PaymentState::kPending;
        case SettlementStatus::kFailed:
            return PaymentState::kFailed;
        case SettlementStatus::kUnknown:
            break;
    }
    return PaymentState::kUnknown;
}

}  // namespace

Result<SettlementResult> settle(SettlementLedger& ledger, SettlementPort& port, const net::NodeId& peer,
                                std::int64_t msat) {
    auto reserved = ledger.reserve(peer, msat);
    if (!reserved) {
        return reserved.error();
    }
    SettlementResult out{std::move(reserved->proposal), reserved->state, reserved->fresh, {}};
    if (out.state == PaymentState::kPaid || out.state == PaymentState::kFailed) {
        return out;
    }
    PaymentState next{};
    if (out.fresh) {
        const auto proposed = port.propose(out.proposal);
        next = PaymentState::kPending;
        if (!proposed) {
            next = proposed.error().code == ErrorCode::kUnavailable ? PaymentState::kUnknown : PaymentState::kFailed;
            out.why = proposed.error().message;
        }
    } else {
        next = state_of(port.status(out.proposal.id));
        if (next == PaymentState::kUnknown) {
            out.why = "the adapter does not know what became of it; it is not paid again";
        }
    }
    const auto stands = ledger.note(out.proposal.id, next);
    if (!stands) {
        return stands.error();
    }
    out.state = *stands;
    return out;
}

}  // namespace meshnet::station
