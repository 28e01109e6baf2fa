// SPDX-License-Identifier: MIT
// Keys that two stations use at the same time, as far as it is proven. While an alarm stands, nothing that such a key
// promises to pay is accepted. Spec: docs/spec/net.md, "The same key twice".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "core/time.hpp"
#include "net/node_id.hpp"

namespace meshnet::net {

class KeyAlarms {
public:
    static constexpr Duration kQuiet = 600s;  ///< without evidence, until an alarm is over
    static constexpr std::size_t kMost = 256;
    struct Alarm {
        Instant since{};
        Instant newest{};  ///< evidence
        std::uint64_t evidence = 0;
    };

    explicit KeyAlarms(const NodeId& own) : own_(own) {}

    /// Proof that two stations run with this key. True if the alarm is new.
    bool evidence(Instant now, const NodeId& key) {
        const auto it = alarms_.find(key);
        if (it == alarms_.end() && key != own_ && alarms_.size() >= kMost) {
            return false;
        }
        Alarm& alarm = alarms_[key];
        alarm.since = alarm.evidence == 0 ? now : alarm.since;
        alarm.newest = now;
        return ++alarm.evidence == 1;
    }
    [[nodiscard]] bool standing(const NodeId& key) const { return alarms_.count(key) != 0; }
    [[nodiscard]] bool own_standing() const { return standing(own_); }
    /// Once a second.
    void sweep(Instant now) {
        std::erase_if(alarms_, [&](const auto& item) { return now - item.second.newest >= kQuiet; });
    }
    [[nodiscard]] const std::map<NodeId, Alarm>& alarms() const noexcept { return alarms_; }

private:
    NodeId own_;
    std::map<NodeId, Alarm> alarms_;
};

}  // namespace meshnet::net
