// SPDX-License-Identifier: GPL-3.0-or-later
// What an OFDM Receiver says of its frames, made ready for displays.
//
//     events, constellation, channel -> [probe] -> streams of SNR, error rate, carrier offset;  points, response
#pragma once

#include <gnuradio/meshnet/api.h>
#include <gnuradio/sync_block.h>

#include <cstdint>
#include <memory>
#include <string>

namespace gr::meshnet {

/// Follows the ports `events`, `constellation` and `channel` of one OFDM Receiver.
///
/// Streams (any of them may stay unconnected), one float for every `interval_ms` of received samples: SNR of the last
/// frame in dB, error rate of the last `window` frames (0..1, frames whose header was readable), carrier offset of the
/// last frame in Hz. NaN before the first frame. `points`: the equalised points of each frame for a QT GUI
/// Constellation Sink of type Complex Message. `response`: the channel of each frame in dB over its mean, one value a
/// carrier, for a QT GUI Time Sink of type Float Message. `snr_history`, `error_history`, `cfo_history`: the last
/// `history` values of each stream for such a sink, oldest first, with every value; missing ones at the beginning are
/// NaN.
class MESHNET_API probe : virtual public gr::sync_block {
public:
    using sptr = std::shared_ptr<probe>;

    /// `window`: 1..100000 frames. `interval_ms`: 1..10000. `history`: 2..100000 values. Throws std::invalid_argument
    /// that names the parameter and what would be right.
    static sptr make(unsigned window = 100, unsigned interval_ms = 10, unsigned history = 500);

    /// Of the last frame, dB in the occupied band; NaN before the first.
    [[nodiscard]] virtual double snr_db() const = 0;
    /// Share of the last `window` frames that had block errors, 0..1; NaN before the first.
    [[nodiscard]] virtual double error_rate() const = 0;
    /// Of the last frame, Hz, sender minus receiver; NaN before the first.
    [[nodiscard]] virtual double cfo_hz() const = 0;
    /// Frames with a readable header since the start.
    [[nodiscard]] virtual std::uint64_t frames() const = 0;
    /// All of it in a line for a display.
    [[nodiscard]] virtual std::string summary() const = 0;
};

}  // namespace gr::meshnet
