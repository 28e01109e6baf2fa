// SPDX-License-Identifier: MIT
// Which estimates of the receiver are replaced by their ideal values in a measurement.
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace meshnet::lab {

/// What the genie gives, or spares. All false: the receiver's own estimates.
struct GenieAid {
    bool start = false;     ///< detection, time and carrier offset: as found without noise
    bool header = false;    ///< the header, where decoding it failed
    bool phase = false;     ///< common phase and slope along frequency of each symbol
    bool channel = false;   ///< the rest of the response
    bool noise = false;     ///< noise power per carrier
    bool demapper = false;  ///< LLRs without the max-log approximation
    bool peaks = false;     ///< frames are sent without peak limiting
};

/// Phase, channel and noise: ideal channel state information.
inline constexpr GenieAid kIdealCsi{.phase = true, .channel = true, .noise = true};

/// "start", "header", "phase", "channel", "noise", "demapper", "peaks", "csi" (phase, channel and noise), "all",
/// "none", several joined by '+'. Error: kInvalidArgument, names what there is.
[[nodiscard]] Result<GenieAid> parse_genie_aid(std::string_view names);

}  // namespace meshnet::lab
