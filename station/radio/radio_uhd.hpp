// SPDX-License-Identifier: GPL-3.0-or-later
// USRPs, through Ettus' own library: `uhd:type=b200`, `uhd:addr=192.168.10.2`.
#pragma once

#include <memory>
#include <string>

#include "station/radio/radio.hpp"

namespace meshnet::station {

/// REST is UHD's device arguments, KEY=VALUE separated by commas; empty: the first USRP found.
[[nodiscard]] Status check_uhd_radio(const std::string& rest);
[[nodiscard]] Result<std::unique_ptr<Radio>> open_uhd_radio(const std::string& rest, const phy::Profile& profile,
                                                            const RadioSettings& settings);

inline constexpr RadioDriver kUhdDriver{"uhd", "uhd:type=b200", "a USRP (empty behind the colon: the first one found)",
                                        true,  check_uhd_radio, open_uhd_radio};

}  // namespace meshnet::station
