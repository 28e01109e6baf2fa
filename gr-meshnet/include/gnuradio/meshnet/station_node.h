// SPDX-License-Identifier: GPL-3.0-or-later
// A whole station but for its modem: medium access, routing, encryption, payment.
//
//     radio_in (events of an OFDM Receiver) -> [station_node] -> radio_out (PDUs and clock for an OFDM Transmitter)
//     ip_in (IPv6 packets of the host)      ->                -> ip_out (IPv6 packets for the host)
//
// Message formats: docs/notes/gnuradio.md. Protocol: docs/spec/mac.md, docs/spec/net.md, docs/spec/payment.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace gr::meshnet {

/// How a Station Node is to behave. Durations in seconds.
struct MESHNET_API station_settings {
    std::string profile = "1M";  ///< as the transmitter's and the receiver's
    /// For simulation, if state_dir is empty: keys and all random choices are made from it, so whoever knows the seed
    /// has the keys; the ledger is kept in memory and ends with the block.
    std::uint64_t seed = 1;
    /// For a station that lasts: an existing directory with `station.key` and `station.ledger`, both made if they are
    /// not there, locked against a second user. The seed is then not used.
    std::string state_dir;
    double lead_s = 0.005;        ///< a burst is requested at least so long before it is to leave, 0.002..0.06
    double turnaround_s = 0.005;  ///< from samples at the antenna to a decision, 0.001..0.05; with lead_s up to 0.063
    double max_propagation_s = 0.001;         ///< to the farthest neighbour to expect (300 km: 1 ms), 0..0.02
    double hello_interval_s = 1.0;            ///< beacons, 0.05..4
    std::uint64_t price_msat_per_mib = 1000;  ///< price for carrying a MiB one hop
    /// "short", "medium" or "long": modes with a longer one are not used. The same on all stations of a channel.
    std::string longest_preamble = "medium";
    std::string mode;  ///< empty: adapted to the link; else the only mode used
};

/// One neighbour, for displays.
struct MESHNET_API station_neighbor {
    std::string address;  ///< IPv6
    bool session_up = false;
    double snr_db = 0.0;            ///< of what we hear from it
    double propagation_s = 0.0;     ///< one way, 0 if unknown
    std::int64_t balance_msat = 0;  ///< > 0: it owes us
};

/// Wires `node::Node`, which keeps all protocol state, to message ports. No stream: its time is that of the
/// receiver's events, so it stops when no samples come and runs as fast as they do.
///
/// With an OFDM Transmitter of idle "clocked" two nodes over two Channels stay in step by themselves: each transmitter
/// may run ahead of its own node by `lead_s`, no further, so no burst is late, whatever the speed of the machine.
class MESHNET_API station_node : virtual public gr::block {
public:
    using sptr = std::shared_ptr<station_node>;

    /// Throws std::invalid_argument that names the field and what would be right; std::runtime_error if key or ledger
    /// cannot be used, with the reason.
    static sptr make(const station_settings& settings);

    /// The station's IPv6 address.
    [[nodiscard]] virtual std::string address() const = 0;
    /// Seconds of samples heard, or the radio's time.
    [[nodiscard]] virtual double time() const = 0;
    [[nodiscard]] virtual std::vector<station_neighbor> neighbors() const = 0;
    /// Addresses to which there is a route.
    [[nodiscard]] virtual std::vector<std::string> destinations() const = 0;
    /// Since start: those of mac::MacCounters (frames_sent, frames_received, frames_unreadable, frames_late, ...), of
    /// net::RouterCounters (packets_from_host, packets_to_host, packets_forwarded, dropped_no_route, ...) and of
    /// net::RouteCounters (route_updates, ...), messages_refused, time_lines, ledger_failed (1: nothing can be written
    /// any more, so nothing more is carried on credit).
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace gr::meshnet
