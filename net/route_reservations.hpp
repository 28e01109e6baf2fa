// SPDX-License-Identifier: MIT
// The sequence numbers of routes that survive a crash: our own, reserved ahead, and the ceilings up to which we may
// advertise those of others. Spec: docs/spec/net.md, "Routing".
#pragma once

#include <vector>

#include "net/outbox.hpp"
#include "net/route_table.hpp"

namespace meshnet::net {

class RouteReservations {
public:
    /// The sequence number from which on we never used one.
    [[nodiscard]] static std::uint32_t restored_seqno(const LedgerState& restored);
    /// The epoch of the run that wrote the ledger, 0 for none.
    [[nodiscard]] static std::uint32_t restored_epoch(const LedgerState& restored);
    [[nodiscard]] static RouteTable::Ceilings restored_ceilings(const LedgerState& restored);
    /// Revocations, and certificates that replaced others.
    [[nodiscard]] static std::vector<Certificate> restored_certificates(const LedgerState& restored);

    /// References must outlive it.
    RouteReservations(RouteTable& routes, Outbox& outbox);

    /// Our own sequence number may have risen: reserves more if few are left.
    void advance();
    void take_rows(std::vector<LedgerRow>& rows);

private:
    RouteTable& routes_;
    Outbox& outbox_;
    std::uint32_t reserved_ = 0;
    std::uint32_t epoch_ = 0;
    bool changed_ = true;
};

}  // namespace meshnet::net
