// SPDX-License-Identifier: MIT
#include "net/flow_queue.hpp"

#include <algorithm>

namespace meshnet::net {

bool FlowQueue::push_control(Bytes message) {
    if (control_bytes_ + message.size() > kControlBytes) {
        return false;
    }
    control_bytes_ += message.size();
    control_.push_back(std::move(message));
    return true;
}

void FlowQueue::pop_control() {
    control_bytes_ -= control_.front().size();
    control_.pop_front();
}

bool FlowQueue::push(FlowClass flow_class, Packet packet) {
    Class& c = of(flow_class);
    const auto it = c.flows.find(packet.label);
    const std::size_t waiting = it == c.flows.end() ? 0 : it->second.bytes;
    const std::size_t size = packet.sealed.size();
    if (waiting + size > kFlowBytes || c.bytes + size > kClassBytes) {
        return false;
    }
    Flow& flow = c.flows[packet.label];
    if (flow.packets.empty()) {
        flow.deficit = 0;
        c.active.push_back(packet.label);
    }
    flow.bytes += size;
    c.bytes += size;
    flow.packets.push_back(std::move(packet));
    return true;
}

void FlowQueue::drop_old(Instant now, Class& c, Flow& flow) {
    while (!flow.packets.empty() && now - flow.packets.front().queued > kOldest) {
        flow.bytes -= flow.packets.front().sealed.size();
        c.bytes -= flow.packets.front().sealed.size();
        flow.packets.pop_front();
        ++dropped_old_;
    }
}

std::optional<FlowQueue::Packet> FlowQueue::pop(Instant now, FlowClass flow_class, const Gate& gate,
                                                const std::function<bool(std::size_t)>& fits) {
    Class& c = of(flow_class);
    // A packet is at most one quantum long or its flow gathers deficit over rounds; 64 rounds suffice for the longest
    // packet.
    for (std::size_t visited = 0; visited < 64 * (c.active.size() + 1) && !c.active.empty(); ++visited) {
        const std::uint32_t label = c.active.front();
        Flow& flow = c.flows[label];
        drop_old(now, c, flow);
        if (flow.packets.empty()) {
            c.active.pop_front();
            c.flows.erase(label);
            continue;
        }
        const std::size_t size = flow.packets.front().sealed.size();
        if (!gate(label)) {
            c.active.pop_front();
            c.active.push_back(label);
            if (visited >= c.active.size() && !ready(flow_class, gate)) {
                return std::nullopt;
            }
            continue;
        }
        if (flow.deficit < size) {
            flow.deficit += kQuantum;
            if (flow.deficit < size || c.active.size() > 1) {
                c.active.pop_front();
                c.active.push_back(label);
                continue;
            }
        }
        if (!fits(size)) {
            return std::nullopt;
        }
        flow.deficit -= size;
        flow.bytes -= size;
        c.bytes -= size;
        Packet packet = std::move(flow.packets.front());
        flow.packets.pop_front();
        if (flow.packets.empty()) {
            c.active.pop_front();
            c.flows.erase(label);
        }
        return packet;
    }
    return std::nullopt;
}

bool FlowQueue::ready(FlowClass flow_class, const Gate& gate) const {
    const Class& c = classes_[static_cast<std::size_t>(flow_class)];
    return std::any_of(c.active.begin(), c.active.end(), [&](std::uint32_t label) { return gate(label); });
}

std::size_t FlowQueue::drop_flow(std::uint32_t label) {
    std::size_t dropped = 0;
    for (Class& c : classes_) {
        const auto it = c.flows.find(label);
        if (it != c.flows.end()) {
            dropped += it->second.packets.size();
            c.bytes -= it->second.bytes;
            c.flows.erase(it);
            std::erase(c.active, label);
        }
    }
    return dropped;
}

void FlowQueue::renew(Instant now) {
    for (Class& c : classes_) {
        for (auto& [label, flow] : c.flows) {
            for (Packet& packet : flow.packets) {
                packet.queued = now;
            }
        }
    }
}

std::size_t FlowQueue::waiting(FlowClass flow_class, std::uint32_t label) const {
    const Class& c = classes_[static_cast<std::size_t>(flow_class)];
    const auto it = c.flows.find(label);
    return it == c.flows.end() ? 0 : it->second.bytes;
}

void FlowQueue::clear_control() {
    control_.clear();
    control_bytes_ = 0;
}

}  // namespace meshnet::net
