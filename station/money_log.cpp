// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/money_log.hpp"

#include <spdlog/spdlog.h>

#include <utility>

namespace meshnet::station {

void MoneyLog::update(const net::Router& router, Instant now) {
    std::map<net::NodeId, std::string> held;
    for (const net::NeighborView& n : router.neighbors()) {
        if (n.hold.empty() || n.hold == "window") {
            continue;  // a full window is everyday flow control
        }
        const auto before = held_.find(n.id);
        if (before == held_.end() || before->second != n.hold) {
            const char* why = n.hold == "credit"     ? "it owes as much as it may ([credit] stranger_msat or trusted)"
                              : n.hold == "unsigned" ? "it has not signed for what it owes"
                                                     : "all strangers together owe as much as they may ([credit] "
                                                       "strangers_msat)";
            spdlog::warn("neighbour {} is carried no further: {}; exposure {} of {} msat", net::to_string(n.address),
                         why, n.exposure_msat, n.credit_msat);
        }
        held[n.id] = n.hold;
    }
    for (const auto& [id, hold] : held_) {
        if (!held.contains(id)) {
            spdlog::info("neighbour {} has credit again", net::to_string(net::address_of(id)));
        }
    }
    held_ = std::move(held);
    const net::MoneyView money = router.money(now);
    const bool spent = money.spent_msat >= money.spend_limit_msat;
    if (spent && !spent_) {
        spdlog::warn("own traffic has used up its budget of {} msat a day ([credit] spend_day_msat)",
                     money.spend_limit_msat);
    }
    spent_ = spent;
}

}  // namespace meshnet::station
