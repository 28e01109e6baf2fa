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
/// Keys read from the dict: `mode` (symbol or string, e.g. "16qam-1/2"; without it the default mode), `at` or `tx_time`
/// (time of the first sample of the frame; a pair or tuple of whole seconds and fraction, or a number of seconds),
/// `tx_freq` (Hz, or a pair of channel and Hz) and `tx_gain` (dB), which become tags at the burst's first sample, `id`
/// (uint64, comes back in the report, and is the tag `burst_id`). One report for each PDU leaves by `reports`: a dict
/// with `outcome` ("sent", "late", "refused" or, when the flowgraph stops, "flushed"), `id` if there was one, `start`
/// (sample index) and `end` (time one past the last sample) of the frame if sent, `reason` if refused.
///
/// `async_msgs` takes what gr-uhd's USRP Sink publishes on its port of that name: a burst that the radio dropped as
/// late, or sent with a hole, is reported once more, as late.
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
    ///   "message"  no stream at all: each burst leaves on the port `bursts` as a PDU (dict . c32vector) with tx_time,
    ///              tx_freq, tx_gain and burst_id, for a Radio. Nothing waits, so no queue limit.
    /// `gap`: zeros before the first burst and after each, 0..1e9 samples, outside the tags. A receiver at the end of
    /// the stream needs some 100 of them to finish the last frame. `length_tag`: if not empty, each burst is a tagged
    /// stream with this length tag, in place of tx_sob and tx_eob.
    /// `pad_front`, `pad_tail`: zeros within the tags before and after the frame, 0..1e7 samples: a power amplifier or
    /// a switch settles in them; the frame itself begins at `at`. `pad_multiple`: the burst's length is filled up to a
    /// multiple of this, 1..1e6 samples, as drivers with transfers of one size want it. `queue_pdus` (1..1e6) and
    /// `queue_seconds` (of air time, 0.001..86400): what may wait; beyond, PDUs are refused; one always may. Throws
    /// std::invalid_argument that names the parameter and what would be right.
    static sptr make(const std::string& profile, const std::string& mode = "qpsk-1/2", const std::string& idle = "none",
                     std::uint64_t gap = 0, const std::string& length_tag = "", std::uint64_t pad_front = 0,
                     std::uint64_t pad_tail = 0, std::uint64_t pad_multiple = 1, std::uint64_t queue_pdus = 1024,
                     double queue_seconds = 60.0);

    /// Mode for PDUs that name none, from the next PDU on. Throws std::invalid_argument if there is no such mode.
    virtual void set_mode(const std::string& mode) = 0;
    [[nodiscard]] virtual std::string mode() const = 0;
    /// Samples per second of the profile.
    [[nodiscard]] virtual double sample_rate() const = 0;
    /// Since construction: bursts_sent (given to what follows), bursts_late, pdus_refused, pdus_flushed, underflows (as
    /// the radio reported them), samples_sent (of bursts with their padding, gaps not counted).
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
};

}  // namespace gr::meshnet
