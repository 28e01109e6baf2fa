// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps a radio working: a radio that fails, or gives no samples for 2 s, is closed and opened again every second until
// it is back. Protocol time goes on by the wall time that passed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "station/radio/radio_link.hpp"

namespace meshnet::station {

/// A RadioLink and its device. One thread.
class RadioSupervisor {
public:
    using WallClock = std::chrono::steady_clock;

    /// `device`: as open_radio() takes it, to open it again.
    RadioSupervisor(const RadioLink::Config& config, std::string device, std::unique_ptr<Radio> radio);

    /// To poll for reading; -1 while the radio is away.
    [[nodiscard]] int fd() const { return up_ ? link_.fd() : -1; }
    [[nodiscard]] const RadioLink& link() const noexcept { return link_; }
    [[nodiscard]] Instant now() const noexcept { return link_.now(); }

    /// Takes the samples that are there. False: a recording has ended.
    [[nodiscard]] bool receive(RadioEvents& events);
    /// A failure is kept and handled at the next receive().
    void transmit(const mac::TxRequest& request);
    /// Watches for silence and opens a lost radio again. Call every 100 ms or so.
    void on_tick(WallClock::time_point wall, RadioEvents& events);

private:
    void lost(const std::string& why);
    void reopen(WallClock::time_point wall, RadioEvents& events);

    const phy::Profile& profile_;
    std::string device_;
    RadioLink link_;
    bool up_ = true;
    std::optional<std::string> transmit_error_;
    WallClock::time_point last_samples_ = WallClock::now(), lost_at_, next_reopen_;
};

}  // namespace meshnet::station
