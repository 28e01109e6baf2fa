// SPDX-License-Identifier: MIT
// What must hold in a world of routers after every event, and once it is quiet.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "sim/router_world.hpp"

namespace meshnet::sim {

class NetInvariants {
public:
    /// `hostile`: nodes of which nothing is expected. The world must outlive it.
    NetInvariants(RouterWorld& world, std::vector<bool> hostile) : w_(world), hostile_(std::move(hostile)) {}

    /// Looks at what the last event touched.
    void after_event();
    /// A numbered packet came out at `node`: never twice.
    void delivered(std::size_t node, std::uint64_t number);
    /// Nothing is under way any more: both books of a link are equal to the nanosatoshi, on disk as well.
    void at_rest();
    [[nodiscard]] const std::vector<std::string>& violations() const noexcept { return violations_; }

private:
    void fail(const std::string& what);
    void check_money(std::size_t node);
    void check_caps(std::size_t node);

    RouterWorld& w_;
    std::vector<bool> hostile_;
    std::set<std::pair<std::size_t, std::uint64_t>> seen_;
    std::vector<std::string> violations_;
};

}  // namespace meshnet::sim
