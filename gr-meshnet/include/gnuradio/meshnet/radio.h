// SPDX-License-Identifier: GPL-3.0-or-later
// A radio as the daemon drives it, or a station of a running simulated air, as a source of samples that sends bursts.
//
//     bursts (PDUs of samples) -> [radio] -> samples with rx_time;  reports
//
// Devices and settings: docs/operating.md. Bursts pass the transmit guard: docs/notes/transmit-guard.md.
#pragma once

#include <gnuradio/meshnet/api.h>
#include <gnuradio/sync_block.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Half-duplex radios (HackRF) are switched over, bursts leave at their sample on radios without time stamps too, as
/// far as the driver can, and what an antenna radiates passes the transmit guard of the configuration.
///
/// `bursts`: PDUs (dict . c32vector) at the profile's sample rate. The dict: `tx_time` or `at` (the radio's time, as
/// the samples have it; without it as soon as can be), `burst_id` or `id`: what an OFDM Transmitter of idle "message"
/// publishes. `reports`: a dict for each as the OFDM Transmitter has them,
/// outcome "sent" or "late" (also what the guard refuses), `id`, `end`.
///
/// Samples carry rx_time and rx_rate at the start and rx_time after each gap. The flowgraph ends when the radio is lost
/// or a recording is over.
class MESHNET_API radio : virtual public gr::sync_block {
public:
    using sptr = std::shared_ptr<radio>;

    /// `device`: as meshnetd has it: "air:SOCKET#STATION" for a station of a running meshnet-air, "uhd:type=b200",
    /// "soapy:driver=hackrf", "file:NAME" to replay a recording. `config`: the tables [radio] and [transmit] of
    /// meshnetd's configuration (TOML), for frequency, gains, bands. Throws std::invalid_argument or std::runtime_error
    /// with the reason.
    static sptr make(const std::string& profile, const std::string& device, const std::string& config = "");

    /// Samples per second of the profile.
    [[nodiscard]] virtual double sample_rate() const = 0;
    /// Since construction: samples, gaps, bursts_sent, bursts_late, bursts_refused (no PDU of samples), and those of
    /// the driver: overruns, underruns, late, unconfirmed, lock_losses.
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
    /// The drivers there are, a line each.
    static std::string devices();
};

}  // namespace gr::meshnet
