// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "station/config.hpp"

namespace meshnet::station {

/// The keys of section [credit].
[[nodiscard]] std::vector<ConfigKey> credit_keys();

}  // namespace meshnet::station
