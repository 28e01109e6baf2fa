// SPDX-License-Identifier: GPL-3.0-or-later
// What an operator's settings become on a front end with given ranges. Shared by the drivers; each error is one line
// that names the setting and what the radio has.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/radio_settings.hpp"
#include "station/radio/sdr_radio.hpp"
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

/// Those of the radio's sensors that tell whether a reference it uses is locked: "ref_locked" of a clock that is not
/// its own, "gps_locked" of a GPSDO. `clock`, `time`: the sources chosen; empty for the default.
[[nodiscard]] std::vector<std::string> lock_sensors(const std::vector<std::string>& sensors, const std::string& clock,
                                                    const std::string& time);

/// "ref_locked is false, gps_locked cannot be read"; empty if `locked` is true of all. What `locked` throws is "cannot
/// be read".
[[nodiscard]] std::string lock_trouble(const std::vector<std::string>& sensors,
                                       const std::function<bool(const std::string&)>& locked);

/// Of what a library says; it may have many.
[[nodiscard]] std::string first_line(std::string_view text);

/// Makes a device by `make`, sets it up by its configure() and starts it; whatever the library throws is one line.
/// `device`: as the operator wrote it; `finder`: the program that lists such radios.
template <class Device>
[[nodiscard]] Result<std::unique_ptr<Radio>> open_front_end(const std::string& device, std::string_view finder,
                                                            const std::function<std::unique_ptr<Device>()>& make,
                                                            const phy::Profile& profile, const RadioSettings& settings);

/// One line for what a radio library threw when it opened `device`: not found, in use, no permission.
[[nodiscard]] Error front_end_open_error(const std::string& device, const std::string& thrown, std::string_view finder);

template <class Device>
Result<std::unique_ptr<Radio>> open_front_end(const std::string& device, std::string_view finder,
                                              const std::function<std::unique_ptr<Device>()>& make,
                                              const phy::Profile& profile, const RadioSettings& settings) {
    std::unique_ptr<Device> made;
    try {
        made = make();
    } catch (const std::exception& e) {
        return front_end_open_error(device, e.what(), finder);
    }
    try {
        if (auto configured = made->configure(profile, settings); !configured) {
            return Error{configured.error().code, device + ": " + configured.error().message};
        }
    } catch (const std::exception& e) {
        return Error{ErrorCode::kUnavailable, device + " refused its settings: " + first_line(e.what())};
    }
    return run_device(std::move(made), profile, settings);
}

}  // namespace meshnet::station
