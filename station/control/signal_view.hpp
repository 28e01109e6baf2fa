// SPDX-License-Identifier: GPL-3.0-or-later
// The view `signal`: bursts, spectrum and constellation for displays.
#pragma once

#include <string>

#include "core/result.hpp"
#include "station/control/views.hpp"

namespace meshnet::station {

/// Who asks makes the station follow the spectrum for ten seconds: ask again within them.
[[nodiscard]] Result<std::string> signal_view(const ViewContext& context);

}  // namespace meshnet::station
