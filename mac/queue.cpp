// SPDX-License-Identifier: MIT
#include "mac/queue.hpp"

#include <utility>

namespace meshnet::mac {

void SduQueue::Class::push(Entry entry, bool to_front) {
    const std::uint32_t flow = entry.sdu.flow;
    auto& queue = flows[flow];
    if (queue.empty() && to_front) {
        turns.push_front(flow);
    } else if (queue.empty()) {
        turns.push_back(flow);
    }
    if (to_front) {
        queue.push_front(std::move(entry));
    } else {
        queue.push_back(std::move(entry));
    }
}

SduQueue::Entry SduQueue::Class::pop() {
    const std::uint32_t flow = turns.front();
    turns.pop_front();
    const auto queue = flows.find(flow);
    Entry entry = std::move(queue->second.front());
    queue->second.pop_front();
    if (queue->second.empty()) {
        flows.erase(queue);
    } else {
        turns.push_back(flow);
    }
    return entry;
}

void SduQueue::push(Instant now, Sdu sdu) {
    bytes_ += sdu.bytes.size();
    ++size_;
    auto& queue = classes_[static_cast<std::size_t>(sdu.priority)];
    queue.push({std::move(sdu), now}, false);
}

void SduQueue::push_front(Instant since, Sdu sdu) {
    bytes_ += sdu.bytes.size();
    ++size_;
    auto& queue = classes_[static_cast<std::size_t>(sdu.priority)];
    queue.push({std::move(sdu), since}, true);
}

std::optional<SduQueue::Entry> SduQueue::pop(Instant now, bool control_only) {
    std::size_t chosen = classes_.size();
    for (std::size_t c = 0; c < classes_.size() && chosen == classes_.size(); ++c) {
        if (!classes_[c].empty()) {
            chosen = c;
        }
    }
    if (chosen == classes_.size() || (control_only && chosen != 0)) {
        return std::nullopt;
    }
    if (!control_only && ++pops_ % 4 == 0) {
        for (std::size_t c = chosen + 1; c < classes_.size(); ++c) {
            if (!classes_[c].empty() && now - classes_[c].front().since >= kPatience) {
                chosen = c;
                break;
            }
        }
    }
    Entry entry = classes_[chosen].pop();
    bytes_ -= entry.sdu.bytes.size();
    --size_;
    return entry;
}

Priority SduQueue::urgency() const noexcept {
    for (std::size_t c = 0; c < classes_.size(); ++c) {
        if (!classes_[c].empty()) {
            return static_cast<Priority>(c);
        }
    }
    return Priority::kBulk;
}

}  // namespace meshnet::mac
