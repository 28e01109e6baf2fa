// SPDX-License-Identifier: MIT
#include "net/outbox.hpp"

#include <utility>

namespace meshnet::net {

std::optional<LedgerBatch> Outbox::poll() {
    LedgerBatch batch;
    for (const Source& source : sources_) {
        source(batch.rows);
    }
    if (batch.rows.empty()) {
        return std::nullopt;
    }
    batch.number = ++last_batch_;
    for (Action& action : entered_) {
        in_flight_.push_back({batch.number, std::move(action)});
    }
    entered_.clear();
    return batch;
}

void Outbox::persisted(Instant now, std::uint64_t batch) {
    while (!in_flight_.empty() && in_flight_.front().batch <= batch) {
        const Action action = std::move(in_flight_.front().action);
        in_flight_.pop_front();
        action(now);
    }
}

}  // namespace meshnet::net
