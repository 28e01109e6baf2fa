// SPDX-License-Identifier: GPL-3.0-or-later
// A call sign in Morse code (ITU-R M.1677-1) as marks of a keyed tone.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "core/time.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// 20 words of PARIS a minute: 47 CFR 97.119 (b)(1) allows no more to an automatic device.
inline constexpr Duration kMorseDot = 60ms;

/// One dot or dash.
struct MorseMark {
    Duration at{};      ///< from the beginning of the text
    Duration length{};  ///< kMorseDot or three
};

/// The marks of `text`: A to Z, 0 to 9, / and blanks; other characters are left out.
[[nodiscard]] std::vector<MorseMark> morse_marks(std::string_view text);

/// A tone of `amplitude` at `offset_hz` from the carrier, with raised-cosine edges of 5 ms, so that it stays narrow.
void render_tone(std::size_t samples, double sample_rate_hz, double offset_hz, float amplitude,
                 std::vector<phy::Sample>& out);

}  // namespace meshnet::station
