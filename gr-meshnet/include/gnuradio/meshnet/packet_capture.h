// SPDX-License-Identifier: GPL-3.0-or-later
// Frames -> a pcap file that Wireshark reads with tools/wireshark/meshnet.lua.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Writes each PDU with bytes on `received` (`pdus` or `events` of an OFDM Receiver) and `sent` (PDUs for an OFDM
/// Transmitter) as one packet of a capture file with link type DLT_USER0 (147): a header of 56 bytes with how it was
/// received, then the frame's payload. The header is in docs/notes/gnuradio.md, "Packet capture". A packet is on its
/// way to the disk when the next message is handled. Packets have the radio's time.
class MESHNET_API packet_capture : virtual public gr::block {
public:
    using sptr = std::shared_ptr<packet_capture>;

    /// `file` is made anew or, with `append`, continued if it is a capture of this kind. Throws std::invalid_argument
    /// with the reason if it cannot be.
    static sptr make(const std::string& file, bool append = false);

    /// Packets written since construction.
    [[nodiscard]] virtual std::uint64_t packets() const = 0;
    /// What could not be written: a full disk.
    [[nodiscard]] virtual std::uint64_t failures() const = 0;
};

}  // namespace gr::meshnet
