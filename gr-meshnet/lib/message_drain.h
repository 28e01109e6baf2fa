// SPDX-License-Identifier: GPL-3.0-or-later
// What waits in a block's message queue when somebody stops the flowgraph. GNU Radio then ends each thread before its
// next message; a block that wants them takes them itself, in its stop().
#pragma once

#include <gnuradio/basic_block.h>
#include <pmt/pmt.h>

namespace gr::meshnet {

/// Gives `handle` the messages that wait at `port`, in their order. For a block's stop() only.
template <class Handler>
void drain_messages(gr::basic_block& block, const pmt::pmt_t& port, Handler&& handle) {
    for (auto left = block.nmsgs(port); left > 0; --left) {
        const pmt::pmt_t message = block.delete_head_nowait(port);
        if (!message) {
            return;
        }
        handle(message);
    }
}

}  // namespace gr::meshnet
