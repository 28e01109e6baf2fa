// SPDX-License-Identifier: MIT
#include "mac/queue.hpp"

#include <utility>

namespace meshnet::mac {

void SduQueue::push(Instant now, Sdu sdu) {
    bytes_ += sdu.bytes.size();
    ++size_;
    auto& queue = classes_[static_cast<std::size_t>(sdu.priority)];
    queue.push_back({std::move(sdu), now});
}

void SduQueue::push_front(Instant since, Sdu sdu) {
    bytes_ += sdu.bytes.size();
    ++size_;
    auto& queue = classes_[static_cast<std::size_t>(sdu.priority)];
    queue.push_front({std::move(sdu), since});
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
    Entry entry = std::move(classes_[chosen].front());
    classes_[chosen].pop_front();
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
