// SPDX-License-Identifier: GPL-3.0-or-later
// Medium access alone: frames <-> packets for neighbours on one shared channel.
//
//     radio_in (events of an OFDM Receiver) -> [contention_mac] -> radio_out (PDUs and clock for an OFDM Transmitter)
//     sdus_in (packets for neighbours)      ->                  -> sdus_out (packets of neighbours), events
//
// Message formats: docs/notes/gnuradio.md. Protocol: docs/spec/mac.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gr::meshnet {

/// How a Contention MAC is to behave. Durations in seconds, ranges as of station_settings.
struct MESHNET_API mac_settings {
    std::string profile = "1M";
    std::uint32_t station = 0;  ///< this station's number; 0: that of a Router with the same seed
    std::uint64_t seed = 1;     ///< of all random choices
    double lead_s = 0.005, turnaround_s = 0.005, max_propagation_s = 0.001, hello_interval_s = 1.0;
    std::string longest_preamble = "medium";
    std::string mode;         ///< empty: adapted to the link; else the only mode used
    double duty_cycle = 1.0;  ///< share of any 10 minutes that may be sent, above 0 to 1
};

/// A PDU on `sdus_in` is a packet of 1 to 8192 bytes for the neighbour `peer` (uint64; 4294967295: everybody in range,
/// without acknowledgement), with `priority` (0 control, 1 interactive, 2 bulk) and `tag` (uint64, comes back).
/// `sdus_out` has those of neighbours in the same form.
///
/// `events` has everything in the order in which it happened, each a PDU with `event`: "up", "changed" and "down" of a
/// link to `peer` with its quality, "received" (a packet), "done" (`tag`, `delivered`), and after every step "clock"
/// with `clock` (time) and `room` (u32vector: station, bytes that fit, ...). A Router is driven by it.
class MESHNET_API contention_mac : virtual public gr::block {
public:
    using sptr = std::shared_ptr<contention_mac>;

    /// Throws std::invalid_argument that names the field and what would be right.
    static sptr make(const mac_settings& settings);

    /// This station's number.
    [[nodiscard]] virtual std::uint32_t station() const = 0;
    /// Seconds of samples heard, or the radio's time.
    [[nodiscard]] virtual double time() const = 0;
    /// Numbers of the stations to which there is a link.
    [[nodiscard]] virtual std::vector<std::uint32_t> neighbors() const = 0;
    /// Since start: those of mac::MacCounters, messages_refused, time_lines.
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace gr::meshnet
