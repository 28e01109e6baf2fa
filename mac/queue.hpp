// SPDX-License-Identifier: MIT
// SDUs waiting for one receiver: three priorities, strict, except that every fourth place goes to one that was long
// passed over. Within one the flows (Sdu::flow) take turns, packet by packet, so that a long one delays no short one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>

#include "core/time.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

class SduQueue {
public:
    struct Entry {
        Sdu sdu;
        Instant since{};
    };

    void push(Instant now, Sdu sdu);
    /// Back to the front of its priority, in its old place before all that wait.
    void push_front(Instant since, Sdu sdu);
    /// The next one: the most urgent, except that every fourth time one that waited kPatience goes first.
    [[nodiscard]] std::optional<Entry> pop(Instant now, bool control_only = false);
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool has_control() const noexcept { return !classes_[0].empty(); }
    /// Most urgent waiting; kBulk if none.
    [[nodiscard]] Priority urgency() const noexcept;
    [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }

    static constexpr Duration kPatience = 2s;

private:
    // The packets of one class, by flow; the flows take turns.
    struct Class {
        std::deque<std::uint32_t> turns;
        std::map<std::uint32_t, std::deque<Entry>> flows;

        [[nodiscard]] bool empty() const noexcept { return turns.empty(); }
        [[nodiscard]] const Entry& front() const { return flows.find(turns.front())->second.front(); }
        void push(Entry entry, bool to_front);
        Entry pop();
    };
    std::array<Class, 3> classes_;
    std::size_t bytes_ = 0;
    std::size_t size_ = 0;
    unsigned pops_ = 0;
};

}  // namespace meshnet::mac
