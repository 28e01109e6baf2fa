// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver's second stage alone: from a preamble to the soft bits of the payload.
//
//     samples with tags of a Synchronizer -> [demodulator] -> soft_bits (PDUs of LLRs), points
#pragma once

#include <gnuradio/meshnet/api.h>
#include <gnuradio/sync_block.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Estimates the channel, reads the header, equalises and demaps each frame. `soft_bits`: PDUs (dict . f32vector), the
/// dict as that of a frame of the OFDM Receiver but for what a decoder knows (crc_ok, blocks_ok, segments), the values
/// LLRs of the payload's coded bits in sending order. `channel`: PDUs (dict . c32vector), one value a carrier. Up to
/// four frames at once.
class MESHNET_API demodulator : virtual public gr::sync_block {
public:
    using sptr = std::shared_ptr<demodulator>;

    /// Throws std::invalid_argument if there is no such profile.
    static sptr make(const std::string& profile);

    /// Frames begun and headers read since the start.
    [[nodiscard]] virtual std::uint64_t frames() const = 0;
    [[nodiscard]] virtual std::uint64_t headers() const = 0;
};

}  // namespace gr::meshnet
