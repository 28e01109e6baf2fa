// SPDX-License-Identifier: GPL-3.0-or-later
// The dict of a received frame's PDU. docs/notes/gnuradio.md, "Messages".
#pragma once

#include <pmt/pmt.h>

#include "node/sample_clock.hpp"
#include "phy/frame.hpp"

namespace gr::meshnet {

/// `clock`: of the frame's sample indexes.
[[nodiscard]] pmt::pmt_t describe_frame(const ::meshnet::phy::Frame& frame, const ::meshnet::node::SampleClock& clock);

}  // namespace gr::meshnet
