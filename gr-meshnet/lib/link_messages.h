// SPDX-License-Identifier: GPL-3.0-or-later
// What a Contention MAC says to a Router. docs/notes/gnuradio.md, "Messages".
#pragma once

#include <pmt/pmt.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "mac/mac.hpp"
#include "pdu.h"

namespace gr::meshnet {

[[nodiscard]] pmt::pmt_t link_event(const ::meshnet::mac::Event& event);
/// `room`: station, bytes that fit, station, ...
[[nodiscard]] pmt::pmt_t link_clock(::meshnet::Instant now, const std::vector<std::uint32_t>& room);

/// The event of a PDU, or nothing: it is none, or a clock.
[[nodiscard]] std::optional<::meshnet::mac::Event> read_link_event(const pdu& in);

}  // namespace gr::meshnet
