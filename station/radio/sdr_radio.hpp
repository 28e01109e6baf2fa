// SPDX-License-Identifier: GPL-3.0-or-later
// A device with a front end as a Radio: threads, sample times, bursts whole and padded, counters.
// Class A (device time) is timed_radio.hpp, class B (no time stamps) untimed_radio.hpp: found out by itself.
#pragma once

#include <memory>

#include "station/radio/radio.hpp"
#include "station/radio/radio_settings.hpp"
#include "station/radio/sdr_device.hpp"

namespace meshnet::station {

/// Starts the device and its threads. Error: one line.
[[nodiscard]] Result<std::unique_ptr<Radio>> run_device(std::unique_ptr<SdrDevice> device, const phy::Profile& profile,
                                                        const RadioSettings& settings);

/// The line for the log that says what a device became: class, rates, offsets.
[[nodiscard]] std::string describe_device(const SdrTraits& traits, const phy::Profile& profile);

}  // namespace meshnet::station
