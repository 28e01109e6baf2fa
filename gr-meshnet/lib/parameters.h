// SPDX-License-Identifier: GPL-3.0-or-later
// Parameters that several blocks take, refused with a line that says what would be right.
#pragma once

#include <string>

#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace gr::meshnet {

/// Throws std::invalid_argument with all profile names if there is no such one.
[[nodiscard]] const ::meshnet::phy::Profile& profile_named(const std::string& block, const std::string& name);
/// Throws std::invalid_argument with all mode names if there is no such one.
[[nodiscard]] ::meshnet::phy::ModeIndex mode_named(const std::string& block, const std::string& name);

/// "short", "medium" or "long". Throws std::invalid_argument if it is none of them.
[[nodiscard]] ::meshnet::phy::PreambleClass preamble_named(const std::string& block, const std::string& name);

/// Throws std::invalid_argument with the range if `value` is outside of it, or not a number.
void require_between(const std::string& block, const char* field, double value, double lowest, double highest);

}  // namespace gr::meshnet
