// SPDX-License-Identifier: GPL-3.0-or-later
// A device with a front end as a Radio: threads, sample times, bursts whole and padded, counters.
//
//     class A (device time):     read thread -> ReceiveStream -> queue -> receive()
//                                transmit() -> queue -> write thread -> BurstShaper -> device, events -> reports
//     class B (no time stamps):  one thread does both in turn; while it transmits it hears nothing, and the host's
//     clock
//                                says how many samples that cost
//
// A burst of class A that the host hands over too late is reported late at once; one the device calls late, by the
// device. A device that says nothing of a burst sent it, unless it ever confirmed one: then silence is a loss.
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
