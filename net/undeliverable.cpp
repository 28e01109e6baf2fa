// SPDX-License-Identifier: MIT
#include "net/undeliverable.hpp"

#include <algorithm>
#include <utility>

#include "net/ip_header.hpp"

namespace meshnet::net {

void UndeliverableQueue::add(Undeliverable reason, ByteView packet) {
    if (packets_.size() >= kPackets) {
        packets_.pop_front();
    }
    const ByteView head = packet.first(std::min(packet.size(), kUndeliverableBytes));
    packets_.push_back({reason, Bytes(head.begin(), head.end())});
}

void UndeliverableQueue::add_compressed(Undeliverable reason, ByteView compressed, const NodeId& destination) {
    if (const auto packet = restore_ip(compressed, own_address_, address_of(destination))) {
        add(reason, *packet);
    }
}

std::optional<UndeliverablePacket> UndeliverableQueue::poll() {
    if (packets_.empty()) {
        return std::nullopt;
    }
    UndeliverablePacket out = std::move(packets_.front());
    packets_.pop_front();
    return out;
}

}  // namespace meshnet::net
