// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps a radio working: a radio that fails, or gives no samples for 2 s, is closed and opened again every second until
// it is back. Protocol time goes on by the wall time that passed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "station/radio/radio_link.hpp"

namespace meshnet::station {

/// A RadioLink and its device. One thread. Wall time is an argument.
class RadioSupervisor {
public:
    using WallTime = std::chrono::steady_clock::time_point;
    using Open = std::function<Result<std::unique_ptr<Radio>>()>;

    /// `open`: opens the device once more; `device`: its name in logs.
    RadioSupervisor(const RadioLink::Config& config, std::unique_ptr<Radio> radio, Open open, std::string device,
                    WallTime wall);

    /// To poll for reading; -1 while the radio is away.
    [[nodiscard]] int fd() const { return up_ ? link_.fd() : -1; }
    /// False: the radio was lost and is being opened again.
    [[nodiscard]] bool up() const noexcept { return up_; }
    /// When samples came last.
    [[nodiscard]] WallTime last_samples() const noexcept { return last_samples_; }
    [[nodiscard]] const RadioLink& link() const noexcept { return link_; }
    [[nodiscard]] Instant now() const noexcept { return link_.now(); }

    void sign_off() { link_.sign_off(); }
    [[nodiscard]] bool signing_off() const { return link_.signing_off(); }
    /// Takes the samples that are there. False: a recording has ended.
    [[nodiscard]] bool receive(WallTime wall, RadioEvents& events);
    /// A failure is kept and handled at the next receive().
    /// While the radio is away every burst is late.
    void transmit(const mac::TxRequest& request);
    void set_doppler_hint(phy::DopplerShift hint) { link_.set_doppler_hint(hint); }
    /// Watches for silence and opens a lost radio again. Call every 100 ms or so.
    void on_tick(WallTime wall, RadioEvents& events);

private:
    void lost(WallTime wall, const std::string& why);
    void reopen(WallTime wall, RadioEvents& events);

    RadioLink link_;
    Open open_;
    std::string device_;
    bool up_ = true;
    std::optional<std::string> transmit_error_;
    WallTime last_samples_, lost_at_, next_reopen_;
};

}  // namespace meshnet::station
