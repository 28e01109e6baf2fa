// SPDX-License-Identifier: MIT
// Whether what is sent by a flow arrives: judged by the destination's proofs, at the source and at every relay. A next
// hop whose packets are not proven is reported to routing as one that does not deliver.
// Spec: docs/spec/net.md, "Delivery".
#pragma once

#include "net/flow_table.hpp"
#include "net/link_table.hpp"
#include "net/route_table.hpp"

namespace meshnet::net {

class FlowWatch {
public:
    /// References must outlive it.
    FlowWatch(RouteTable& routes, const LinkTable& links) : routes_(routes), links_(links) {}

    enum class Verdict : std::uint8_t {
        kFine,     ///< proofs come, or nothing could have been proven
        kWaiting,  ///< what was sent should be proven soon: look again in kAgain
        kLeave,    ///< nothing arrives, and another way is known
    };
    static constexpr Duration kAgain = 250ms;

    /// Looks at a flow in use of which we are source or relay, and tells routing what it sees.
    [[nodiscard]] Verdict look(Instant now, Flow& f);

    /// Nothing of it was proven so far.
    [[nodiscard]] static bool fresh(const Flow& f);

private:
    [[nodiscard]] Duration patience(const Flow& f, std::uint64_t unproven) const;

    RouteTable& routes_;
    const LinkTable& links_;
};

}  // namespace meshnet::net
