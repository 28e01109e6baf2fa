// SPDX-License-Identifier: MIT
// Which parts of the receiver are told the truth in a measurement.
#pragma once

#include <string_view>

#include "core/result.hpp"

namespace meshnet::lab {

/// What is told, or spared.
struct Truths {
    bool start = false;     ///< detection, time and carrier offset: as found without noise
    bool header = false;    ///< the header, where decoding it failed
    bool phase = false;     ///< common phase and slope along frequency of each symbol
    bool channel = false;   ///< the rest of the response
    bool noise = false;     ///< noise power per carrier
    bool demapper = false;  ///< LLRs without the max-log approximation
    bool peaks = false;     ///< frames are sent without peak limiting
};

/// "start", "header", "phase", "channel", "noise", "demapper", "peaks", "csi" (phase, channel and noise), "all",
/// "none", several joined by '+'.
[[nodiscard]] Result<Truths> truths_named(std::string_view names);

}  // namespace meshnet::lab
