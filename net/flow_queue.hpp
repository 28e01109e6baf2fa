// SPDX-License-Identifier: MIT
// What waits for one neighbour: control first, then interactive flows, then bulk; deficit round robin among the flows
// of a class.
//
// Source: M. Shreedhar, G. Varghese, "Efficient fair queuing using deficit round robin", SIGCOMM 1995. A flow holds at
// most kFlowBytes; what is older than kOldest is dropped from the front, so a full queue never becomes a long one.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <optional>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

class FlowQueue {
public:
    static constexpr std::size_t kFlowBytes = 65'536;    ///< per flow
    static constexpr std::size_t kClassBytes = 262'144;  ///< all flows of a class
    static constexpr std::size_t kControlBytes = 131'072;
    static constexpr Duration kOldest = 1'500ms;

    struct Packet {
        std::uint32_t label = 0;
        std::uint32_t sequence = 0;
        std::uint8_t hops_left = 0;
        Bytes sealed;
        Instant queued{};
    };

    /// May packets of this flow leave now?
    using Gate = std::function<bool(std::uint32_t label)>;

    /// False, and nothing taken, if it is full. `message` begins with its type.
    bool push_control(Bytes message);
    bool push(FlowClass flow_class, Packet packet);

    [[nodiscard]] const Bytes* front_control() const noexcept { return control_.empty() ? nullptr : &control_.front(); }
    void pop_control();
    void clear_control();
    /// Packets that waited for the link to come up are as new ones.
    void renew(Instant now);

    /// The next packet by deficit round robin among flows that `gate` lets pass; nothing if there is none, or if `fits`
    /// refuses it (by its sealed bytes). Packets too old are dropped on the way and counted.
    [[nodiscard]] std::optional<Packet> pop(Instant now, FlowClass flow_class, const Gate& gate,
                                            const std::function<bool(std::size_t)>& fits);
    /// True if pop() with a large enough frame would give something now (ages apart).
    [[nodiscard]] bool ready(FlowClass flow_class, const Gate& gate) const;

    /// Forgets what waits for a flow that is no more; returns how many packets.
    std::size_t drop_flow(std::uint32_t label);
    /// Bytes of a flow that wait.
    [[nodiscard]] std::size_t waiting(FlowClass flow_class, std::uint32_t label) const;
    [[nodiscard]] std::uint64_t dropped_old() const noexcept { return dropped_old_; }

private:
    static constexpr std::size_t kQuantum = 1'600;  // bytes a flow may send in a round: one full packet
    struct Flow {
        std::deque<Packet> packets;
        std::size_t bytes = 0;
        std::size_t deficit = 0;
    };
    struct Class {
        std::map<std::uint32_t, Flow> flows;
        std::deque<std::uint32_t> active;  // labels of flows with packets (the active list of the paper), next first
        std::size_t bytes = 0;
    };
    [[nodiscard]] Class& of(FlowClass c) noexcept { return classes_[static_cast<std::size_t>(c)]; }
    void drop_old(Instant now, Class& c, Flow& flow);

    std::deque<Bytes> control_;
    std::size_t control_bytes_ = 0;
    std::array<Class, 2> classes_;
    std::uint64_t dropped_old_ = 0;
};

}  // namespace meshnet::net
