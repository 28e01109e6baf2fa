// SPDX-License-Identifier: GPL-3.0-or-later
// What an operator's settings become on a front end with given ranges. Shared by the drivers; each error is one line
// that names the setting and what the radio has.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "station/radio/radio_settings.hpp"
#include "station/radio/sdr_stream.hpp"

namespace meshnet::station {

/// Hz to tune to for the channel, the crystal's error taken off. Error: none was chosen, or it is in none of `ranges`.
[[nodiscard]] Result<double> front_end_frequency(std::span<const RateRange> ranges, const RadioSettings& settings);

/// The sample rate: the one chosen, or the best for the profile (choose_rate). Error: the radio has none that fits.
[[nodiscard]] Result<double> front_end_rate(std::span<const RateRange> ranges, const phy::Profile& profile,
                                            const RadioSettings& settings, double least_hz);

/// How far from the channel to tune the local oscillator, Hz: its line then lies outside the occupied band and the
/// channel inside what the radio samples. 0 where its rate leaves no room.
[[nodiscard]] double front_end_offset(const phy::Profile& profile, const RadioSettings& settings, double device_hz);

/// dB: the wanted gain, or `fallback` of the way from `min` to `max`. `key`: the setting's name for the error.
[[nodiscard]] Result<double> front_end_gain(double min, double max, const std::optional<double>& wanted,
                                            double fallback, std::string_view key);

/// `wanted`, or empty for the radio's default. Error: the radio does not have it.
[[nodiscard]] Result<std::string> front_end_choice(const std::vector<std::string>& known, const std::string& wanted,
                                                   std::string_view key);

/// One line for what a radio library threw when it opened `device`: not found, in use, no permission.
[[nodiscard]] Error front_end_open_error(const std::string& device, const std::string& thrown, std::string_view finder);

}  // namespace meshnet::station
