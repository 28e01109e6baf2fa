// SPDX-License-Identifier: GPL-3.0-or-later
// What the control socket shows, as JSON text. The schema is stable: fields are added, never renamed. Units are in the
// names.
#pragma once

#include <string>

#include "core/time.hpp"
#include "station/config.hpp"
#include "station/node.hpp"
#include "station/radio_link.hpp"

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

[[nodiscard]] std::string status_view(Node& node, const ViewContext& context);
[[nodiscard]] std::string neighbours_view(Node& node, const RadioLink& link);
[[nodiscard]] std::string routes_view(Node& node);
[[nodiscard]] std::string flows_view(Node& node);

/// The first 8 hexadecimal digits of a link's id, as neighbours are called in logs.
[[nodiscard]] std::string link_name(std::uint32_t link);

}  // namespace meshnet::station
