// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/transmit_path.hpp"

#include <utility>

namespace meshnet::meshair {

namespace {

constexpr std::size_t kMaxStatuses = 1000;  // a reader that never asks: the oldest are lost

}  // namespace

std::optional<TransmitPath::Burst> TransmitPath::poll_burst() {
    if (bursts_.empty()) {
        return std::nullopt;
    }
    Burst burst = std::move(bursts_.front());
    bursts_.pop_front();
    return burst;
}

std::optional<TransmitPath::Status> TransmitPath::poll_status() {
    if (statuses_.empty()) {
        return std::nullopt;
    }
    const Status status = statuses_.front();
    statuses_.pop_front();
    return status;
}

void TransmitPath::report(Event event, std::optional<std::uint64_t> tick) {
    if (statuses_.size() >= kMaxStatuses) {
        statuses_.pop_front();
    }
    statuses_.push_back({event, tick});
}

}  // namespace meshnet::meshair
