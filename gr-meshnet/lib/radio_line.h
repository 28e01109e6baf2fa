// SPDX-License-Identifier: GPL-3.0-or-later
// Where a MAC's time meets a radio's: what an OFDM Receiver publishes becomes frames and time, what the MAC wants sent
// becomes a PDU for an OFDM Transmitter. Shared by the Station Node and the Contention MAC.
#pragma once

#include <pmt/pmt.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/time.hpp"
#include "mac/mac.hpp"
#include "node/phy_model.hpp"
#include "node/sample_clock.hpp"
#include "pdu.h"
#include "phy/profile.hpp"

namespace gr::meshnet {

/// Settings of a MAC that every block with one has, in seconds.
struct mac_timing {
    double lead_s, turnaround_s, max_propagation_s, hello_interval_s;
};
/// Throws std::invalid_argument that names the field and its range.
void check_timing(const std::string& block, const mac_timing& timing);

/// What a Radio block reports of its times, seconds, under the key `timing`: a dict with lead, turnaround, jitter,
/// recovery and spacing. Its outcome is `timing`, so that it is none of a burst.
[[nodiscard]] pmt::pmt_t timing_report(const ::meshnet::mac::RadioTiming& timing);
/// Back; nothing if `report` holds none. What is missing, negative or above a second counts as 0.
[[nodiscard]] std::optional<::meshnet::mac::RadioTiming> read_timing(const pmt::pmt_t& report);

class radio_line {
public:
    /// Throws std::invalid_argument if there is no such profile, preamble class or mode (empty: adapted to the link).
    radio_line(const std::string& block, const std::string& profile, const std::string& longest_preamble,
               const std::string& mode, const mac_timing& timing);

    /// Configuration of a MAC with these timings; `self` is 0.
    [[nodiscard]] ::meshnet::mac::Mac::Config mac_config() const;
    [[nodiscard]] const ::meshnet::node::PhyModel& model() const noexcept { return model_; }
    /// The MAC's time: it never goes back.
    [[nodiscard]] ::meshnet::Instant now() const noexcept { return now_; }
    /// How far a clocked transmitter may run: no burst requested from now on begins earlier.
    [[nodiscard]] pmt::pmt_t clock_message() const;

    void restart();
    /// Moves the time on to the radio's. True if that was set back (a USRP at a PPS): a new time line has begun.
    [[nodiscard]] bool follow(::meshnet::Instant radio_time);

    /// What kind of frame a PDU holds.
    enum class Reading { kFrame, kForeign, kNotAFrame };
    /// kForeign: of a station with other settings, no mode of this channel.
    [[nodiscard]] Reading read_frame(const pdu& in, ::meshnet::mac::RxFrame& frame);

    /// The PDU for the transmitter; the burst is then outstanding until its end.
    [[nodiscard]] pmt::pmt_t request(const ::meshnet::mac::TxRequest& request);
    /// Ids of bursts whose time is over.
    [[nodiscard]] std::vector<std::uint64_t> take_ended();
    [[nodiscard]] std::vector<std::uint64_t> take_all();
    /// True if it was outstanding.
    [[nodiscard]] bool take(std::uint64_t id);

private:
    struct Outstanding {
        std::uint64_t id = 0;
        ::meshnet::Instant end{};
    };

    const ::meshnet::phy::Profile& profile_;
    const mac_timing timing_;
    const ::meshnet::node::SampleClock clock_;
    const ::meshnet::phy::ModeIndex first_mode_;  // the MAC counts modes from here
    const std::optional<::meshnet::mac::ModeIndex> fixed_mode_;
    const ::meshnet::node::PhyModel model_;
    const ::meshnet::Duration lead_;
    ::meshnet::Instant now_{};
    ::meshnet::Duration shift_{};  // now_ less the radio's time
    std::vector<Outstanding> outstanding_;
};

}  // namespace gr::meshnet
