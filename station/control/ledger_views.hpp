// SPDX-License-Identifier: GPL-3.0-or-later
// The ledger as JSON, from its file: the daemon and the command line show the same.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"

namespace meshnet::station {

/// {"totals": {...}, "neighbours": [...], "entries": [...]}, the newest `limit` entries first. Money as exact `_nsat`
/// integers and as `_msat` for people. Error: one line naming the file.
[[nodiscard]] Result<std::string> ledger_view(const std::string& path, std::uint32_t limit);

}  // namespace meshnet::station
