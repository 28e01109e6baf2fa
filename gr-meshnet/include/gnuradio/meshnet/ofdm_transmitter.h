// SPDX-License-Identifier: GPL-3.0-or-later
// PDUs -> bursts of complex baseband samples.
//
//     pdus -> [ofdm_transmitter] -> samples with tx_sob, tx_eob, tx_time;  reports
//
// Spec of the waveform: docs/spec/phy.md. Message formats: docs/notes/gnuradio.md.
#pragma once

#include <gnuradio/meshnet/api.h>
#include <gnuradio/sync_block.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Renders every PDU (dict . u8vector) it is given into one whole burst.
///
/// Keys read from the dict: `mode` (symbol or string, e.g. "16qam-1/2"; without it the default mode), `at` (time of the
/// first sample; a pair or tuple of whole seconds and fraction, or a number of seconds), `id` (uint64, comes back in
/// the report). One report for each PDU leaves by `reports`: a dict with `outcome` ("sent", "late" or "refused"), `id`
/// if there was one, `start` (sample index) and `end` (time one past the last sample) if sent, `reason` if refused.
///
/// Never blocks and never throws for what arrives by message: a PDU that cannot be sent is reported as refused.
class MESHNET_API ofdm_transmitter : virtual public gr::sync_block {
public:
    using sptr = std::shared_ptr<ofdm_transmitter>;

    /// `profile`: "125k" to "20M". `mode`: for PDUs that name none.
    /// `idle`: what fills the time between bursts.
    ///   "none"     nothing: only bursts leave, as a radio wants them. `at` becomes the tag tx_time.
    ///   "zeros"    zeros without end: a stream for a channel model or a file. `at` counts from sample 0.
    ///   "clocked"  zeros as far as the messages of a Station Node allow: two simulated stations stay in step, on any
    ///              machine and as fast as it can. `at` counts from sample 0.
    /// `gap`: zeros before the first burst and after each, 0..1e9 samples, outside the tags. A receiver at the end of
    /// the stream needs some 100 of them to finish the last frame. `length_tag`: if not empty, each burst is a tagged
    /// stream with this length tag, in place of tx_sob and tx_eob. Throws std::invalid_argument that names the
    /// parameter and what would be right.
    static sptr make(const std::string& profile, const std::string& mode = "qpsk-1/2", const std::string& idle = "none",
                     std::uint64_t gap = 0, const std::string& length_tag = "");

    /// Mode for PDUs that name none, from the next PDU on. Throws std::invalid_argument if there is no such mode.
    virtual void set_mode(const std::string& mode) = 0;
    [[nodiscard]] virtual std::string mode() const = 0;
    /// Samples per second of the profile.
    [[nodiscard]] virtual double sample_rate() const = 0;
    /// Since start: bursts_sent, bursts_late, pdus_refused, samples_sent (of bursts, gaps not counted).
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace gr::meshnet
