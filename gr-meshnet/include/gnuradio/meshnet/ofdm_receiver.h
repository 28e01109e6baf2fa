// SPDX-License-Identifier: GPL-3.0-or-later
// Complex baseband samples -> PDUs.
//
//     samples -> [ofdm_receiver] -> pdus (frames);  events (frames and the passing of time);  constellation
//
// Message formats: docs/notes/gnuradio.md.
#pragma once

#include <gnuradio/block.h>
#include <gnuradio/meshnet/api.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Finds and decodes frames of every mode in one stream; each becomes a PDU (dict . u8vector) on `pdus`.
///
/// The dict: `sample_index` (uint64, first preamble sample), `sample_fraction`, `time` (tuple of whole seconds and
/// fraction), `length_samples`, `mode`, `snr_db`, `cfo_hz`, `sfo_ppm`, `power_dbfs`, `crc_ok`, `blocks`, `blocks_ok`,
/// `segments` (u32vector: offset, length, 1 or 0 for each code block), `clock` (time up to which samples had come).
/// Time counts from sample 0 or, once the stream carries the tag `rx_time`, is the radio's.
///
/// `events` carries all frames, also those with block errors, and once a millisecond of samples a PDU without bytes
/// that says how far time is, whether the channel is busy and how strong the samples were (`power_dbfs`), in the order
/// in which things happened: what a Station Node is driven by.
///
/// At the end of the input all frames leave before the block says that it is done. What comes out when somebody stops
/// the flowgraph is published, too, but GNU Radio ends all threads at once: subscribers may be gone.
///
/// Optional ports, each with the frame's dict: `constellation` (c32vector, equalised points), `channel` (c32vector, one
/// value a carrier), `soft_bits` (f32vector, LLRs in sending order), `bursts` (c32vector, the frame's samples as
/// received, of frames up to 2^20 samples).
class MESHNET_API ofdm_receiver : virtual public gr::block {
public:
    using sptr = std::shared_ptr<ofdm_receiver>;

    /// `profile`: "125k" to "20M". `pass_block_errors`: frames with bad blocks go to `pdus` too. `constellation`:
    /// publish the equalised points of each frame. `max_iterations`: LDPC iterations per block, 1..100.
    /// `longest_preamble`: "short", "medium" or "long"; frames with a longer one are not searched for, which saves
    /// time. `decode_threads`: threads that decode code blocks beside the block's own, 0..16. `channel`, `soft_bits`,
    /// `bursts`: publish on the port of that name. Throws std::invalid_argument that names the parameter and what would
    /// be right.
    static sptr make(const std::string& profile, bool pass_block_errors = false, bool constellation = false,
                     unsigned max_iterations = 25, const std::string& longest_preamble = "long",
                     unsigned decode_threads = 0, bool channel = false, bool soft_bits = false, bool bursts = false);

    /// Samples per second of the profile.
    [[nodiscard]] virtual double sample_rate() const = 0;
    /// Since start: samples, preambles, headers_ok, frames_ok, frames_partial, blocks_ok, blocks_bad,
    /// detections_dropped, samples_not_finite, samples_clipped; since construction rates_wrong: tags rx_rate of another
    /// rate than the profile's.
    [[nodiscard]] virtual std::map<std::string, std::uint64_t> counters() const = 0;
    /// Of the last frame, dB in the occupied band; NaN before the first.
    [[nodiscard]] virtual double last_snr_db() const = 0;
    /// Of the last frame, Hz, sender minus receiver; NaN before the first.
    [[nodiscard]] virtual double last_cfo_hz() const = 0;
    /// The counters and the last frame in a line for a display.
    [[nodiscard]] virtual std::string summary() const = 0;
};

}  // namespace gr::meshnet
