// SPDX-License-Identifier: GPL-3.0-or-later
// The bytes of a capture file. pcap: draft-ietf-opsawg-pcap, nanosecond time stamps, link type 147 (DLT_USER0).
// Our header before each payload: docs/notes/gnuradio.md, "Packet capture".
#pragma once

#include <pmt/pmt.h>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace gr::meshnet {

inline constexpr std::size_t kPcapFileHeader = 24;
inline constexpr std::size_t kCaptureHeader = 56;

/// First bytes of a file.
[[nodiscard]] ::meshnet::Bytes pcap_file_header();
/// One packet: its pcap record, our header from `meta` as far as it has it, the payload. `when` >= 0.
[[nodiscard]] ::meshnet::Bytes pcap_packet(::meshnet::Instant when, bool sent, const pmt::pmt_t& meta,
                                           const ::meshnet::Bytes& payload);

}  // namespace gr::meshnet
