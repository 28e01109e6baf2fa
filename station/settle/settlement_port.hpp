// SPDX-License-Identifier: GPL-3.0-or-later
// The way money takes outside the mesh. An adapter runs outside the daemon: what speaks to a wallet or a node never
// parses bytes of the radio.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "net/payment/payment.hpp"

namespace meshnet::station {

/// One transfer to a neighbour.
struct SettlementProposal {
    net::PaymentId id{};  ///< of peer and balance epoch: the same proposal always has the same id
    net::NodeId peer{};
    std::int64_t msat = 0;
    std::string memo;  ///< the reference under which the payee confirms it
};

enum class SettlementStatus : std::uint8_t { kPending, kPaid, kFailed, kUnknown };
[[nodiscard]] constexpr const char* to_string(SettlementStatus status) noexcept {
    switch (status) {
        case SettlementStatus::kPending:
            return "pending";
        case SettlementStatus::kPaid:
            return "paid";
        case SettlementStatus::kFailed:
            return "failed";
        case SettlementStatus::kUnknown:
            break;
    }
    return "unknown";
}

class SettlementPort {
public:
    virtual ~SettlementPort() = default;
    /// Pays, once: the adapter knows proposals by their id. An error with code kUnavailable leaves open whether it
    /// will be paid; with any other code it is certain that it will not.
    [[nodiscard]] virtual Status propose(const SettlementProposal& proposal) = 0;
    /// What became of a proposal. kUnknown: the adapter cannot tell, or does not know it.
    [[nodiscard]] virtual SettlementStatus status(const net::PaymentId& id) = 0;

protected:
    SettlementPort() = default;
    SettlementPort(const SettlementPort&) = default;
    SettlementPort& operator=(const SettlementPort&) = default;
};

/// People pay, by what way they like, with the memo; the payee confirms it with `ledger record --received`. Nothing is
/// done here, so nothing can be in doubt.
class StatementPort final : public SettlementPort {
public:
    [[nodiscard]] Status propose(const SettlementProposal& /*proposal*/) override { return Ok{}; }
    [[nodiscard]] SettlementStatus status(const net::PaymentId& /*id*/) override { return SettlementStatus::kPending; }
};

}  // namespace meshnet::station
