// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "station/config.hpp"

namespace meshnet::station {

/// The keys of section [settlement].
[[nodiscard]] std::vector<ConfigKey> settlement_keys();

}  // namespace meshnet::station
