// SPDX-License-Identifier: GPL-3.0-or-later
// A ChannelView as lines of text, for a screen or for a pipe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "apps/cli/channel_view.hpp"
#include "apps/cli/terminal.hpp"
#include "station/radio/radio.hpp"

namespace meshnet::apps {

/// What the screen shows beside the view.
struct MonitorStatus {
    std::string source;      ///< "soapy:driver=hackrf, 868.3 MHz, profile 1M"
    double centre_hz = 0.0;  ///< 0: not known
    std::uint64_t samples_lost = 0;
    station::RadioCounters radio;
    double range_db = 40.0;  ///< from the noise to the strongest colour
    bool paused = false;
    std::string message;
};

/// No more lines than the look has rows, none wider than its columns, at any size from 1 x 1.
[[nodiscard]] std::vector<std::string> monitor_screen(const ChannelView& view, const MonitorStatus& status,
                                                      const TerminalLook& look);

/// "[  .:=#=:.  ]": a spectrum in `columns` characters, from the noise upwards.
[[nodiscard]] std::string spectrum_text(const SpectrumRow& row, std::size_t columns, double lowest_db, double range_db);
/// Where the colours begin: the noise in one bin.
[[nodiscard]] double lowest_db(const ChannelView& view, std::size_t bins);

/// The frame with its sender and receivers, one line.
[[nodiscard]] std::string heard_text(const HeardFrame& frame);
/// A table of stations, a line each, with its head; empty if none was heard.
[[nodiscard]] std::vector<std::string> station_lines(const ChannelView& view, std::size_t most);

}  // namespace meshnet::apps
