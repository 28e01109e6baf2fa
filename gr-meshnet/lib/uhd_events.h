// SPDX-License-Identifier: GPL-3.0-or-later
// What gr-uhd's USRP Sink publishes on `async_msgs`: (uhd_async_msg . dict), the dict with `event_code` (one symbol or
// a list, vector or tuple of them), `time_spec` (a pair) and `channel`. Documentation: GNU Radio 3.10, gr-uhd,
// usrp_sink.
#pragma once

#include <pmt/pmt.h>

#include <optional>

#include "core/time.hpp"

namespace gr::meshnet {

struct uhd_event {
    bool acknowledged = false;  ///< burst_ack: a burst has left to its end
    bool late = false;          ///< time_error: a burst came after its time and was dropped
    bool broken = false;        ///< underflow or lost packets: a burst left with a hole in it
    std::optional<::meshnet::Instant> time;
};

/// Any value may be given. Nothing: it is no such message.
[[nodiscard]] std::optional<uhd_event> read_uhd_event(const pmt::pmt_t& message);

}  // namespace gr::meshnet
