// SPDX-License-Identifier: GPL-3.0-or-later
// modulate --device: payload on standard input -> frames out of a radio.
#pragma once

#include <cstddef>

#include "apps/cli/on_air.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::apps {

/// The exit code: 0 if every frame left the radio. A frame that came too late is sent again.
int send_bursts(const RadioOptions& radio, const phy::Profile& profile, phy::ModeIndex mode, std::size_t payload_size,
                double gap_s);

}  // namespace meshnet::apps
