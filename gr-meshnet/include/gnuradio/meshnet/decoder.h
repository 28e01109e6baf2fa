// SPDX-License-Identifier: GPL-3.0-or-later
// The receiver's last stage alone: from soft bits to bytes.
//
//     soft_bits (PDUs of LLRs) -> [decoder] -> pdus
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Decodes what a Demodulator, or an OFDM Receiver with soft bits, publishes: LDPC and CRC of each block. `pdus`: PDUs
/// (dict . u8vector) with the dict that came and `crc_ok`, `blocks`, `blocks_ok`, `segments`. The keys it needs:
/// `mode`, `payload_bytes`, `redundancy_version`; soft bits of another number than these say are refused and counted.
class MESHNET_API decoder : virtual public gr::block {
public:
    using sptr = std::shared_ptr<decoder>;

    /// `max_iterations`: of LDPC per block, 1..100. `pass_block_errors`: frames with bad blocks leave, too. Throws
    /// std::invalid_argument that names the parameter and what would be right.
    static sptr make(const std::string& profile, unsigned max_iterations = 25, bool pass_block_errors = false);

    /// Frames error-free, frames with block errors, and messages refused since construction.
    [[nodiscard]] virtual std::uint64_t frames_ok() const = 0;
    [[nodiscard]] virtual std::uint64_t frames_bad() const = 0;
    [[nodiscard]] virtual std::uint64_t refused() const = 0;
};

}  // namespace gr::meshnet
