// SPDX-License-Identifier: GPL-3.0-or-later
// Every radio that has a SoapySDR module: `soapy:driver=hackrf`, `soapy:driver=lime,serial=...`.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// REST is SoapySDR's device arguments, KEY=VALUE separated by commas; `driver` must be among them.
[[nodiscard]] Status check_soapy_radio(const std::string& rest);
[[nodiscard]] Result<std::unique_ptr<Radio>> open_soapy_radio(const std::string& rest, const phy::Profile& profile,
                                                              const RadioSettings& settings);

inline constexpr RadioDriver kSoapyDriver{
    "soapy", "soapy:driver=NAME", "a radio through SoapySDR (HackRF, LimeSDR, Pluto, RTL-SDR receive-only ...)",
    true,    check_soapy_radio,   open_soapy_radio};

}  // namespace meshnet::station
