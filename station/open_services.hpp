// SPDX-License-Identifier: GPL-3.0-or-later
// Services of this machine that listen on every address, and so on the mesh too.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace meshnet::station {

/// TCP ports bound to [::], ascending, without repetition, of the text of /proc/net/tcp6. Lines that are not understood
/// are passed over.
[[nodiscard]] std::vector<std::uint16_t> open_services(std::string_view tcp6);

}  // namespace meshnet::station
