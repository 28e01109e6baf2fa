// SPDX-License-Identifier: GPL-3.0-or-later
// What the control socket shows, as JSON text. The schema is stable: fields are added, never renamed. Units are in the
// names.
#pragma once

#include <string>

#include "core/time.hpp"
#include "node/node.hpp"
#include "station/config.hpp"
#include "station/radio/radio_link.hpp"

namespace meshnet::station {

/// What the views need besides the node.
struct ViewContext {
    const Config& config;
    const RadioLink& link;
    Duration uptime{};
    std::uint64_t price_msat_per_mib = 0;
    bool tun_up = false;
    bool host_attached = false;
};

[[nodiscard]] std::string status_view(node::Node& node, const ViewContext& context);
[[nodiscard]] std::string neighbours_view(node::Node& node, const RadioLink& link);
[[nodiscard]] std::string routes_view(node::Node& node);
[[nodiscard]] std::string flows_view(node::Node& node);

/// The first 8 hexadecimal digits of a link's id, as neighbours are called in logs.
[[nodiscard]] std::string link_name(std::uint32_t link);

}  // namespace meshnet::station
