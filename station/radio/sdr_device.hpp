// SPDX-License-Identifier: GPL-3.0-or-later
// What SdrRadio needs of a radio's own library: samples in and out, time stamps, asynchronous reports.
//
// Two threads call it: read() from one, write() and poll_event() from another; a half-duplex device is called from one.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/result.hpp"
#include "core/time.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// What a device is like, known once it is open.
struct SdrTraits {
    std::string name;                ///< for logs
    double sample_rate_hz = 0.0;     ///< as the device really runs, above 0
    bool transmits = true;           ///< false: a receiver
    bool full_duplex = true;         ///< false: it receives nothing from begin_burst() to end_burst()
    bool timed = true;               ///< class A: received samples and bursts have device time. false: class B
    std::size_t write_multiple = 1;  ///< samples: only whole multiples leave the device
    std::size_t read_multiple = 1;   ///< samples: the device hands on received samples so many at a time
    Duration switch_time{};          ///< class B: longest time from begin_burst() to the first sample on the air
    Duration shortest_switch{};      ///< the same, shortest
    Duration return_time{};          ///< class B: longest time from the last sample's end to receiving, in end_burst()
    std::size_t write_ahead = 0;     ///< class B: a sample is too late if written later than so many before it leaves
    double rx_shift_hz = 0.0;        ///< channel minus the frequency the receiver is tuned to
    double tx_shift_hz = 0.0;        ///< the same for the transmitter
};

class SdrDevice {
public:
    struct Block {
        std::size_t samples = 0;            ///< 0: none came in time
        std::optional<std::int64_t> ticks;  ///< device time of the first, samples of the device's rate
        bool overrun = false;               ///< the device lost samples before these
    };
    struct Event {
        enum class Kind { kSent, kLate, kUnderrun };
        Kind kind;
        std::optional<std::int64_t> ticks;  ///< device time it speaks of
    };

    SdrDevice() = default;
    SdrDevice(const SdrDevice&) = delete;
    SdrDevice& operator=(const SdrDevice&) = delete;
    virtual ~SdrDevice() = default;

    [[nodiscard]] virtual const SdrTraits& traits() const = 0;
    /// Begins to receive. Error: the device is gone.
    [[nodiscard]] virtual Status start() = 0;
    /// Waits up to `timeout` for samples. Error: the device is gone.
    [[nodiscard]] virtual Result<Block> read(std::span<phy::Sample> into, Duration timeout) = 0;
    /// Class B: from receiving to transmitting. Error: the device is gone.
    [[nodiscard]] virtual Status begin_burst() { return Ok{}; }
    /// Sends samples of a burst: `ticks` is the device time of the first sample of a burst, unset otherwise and in
    /// class B. `last`: the burst ends with these. Waits while the device has no room. Error: the device is gone.
    [[nodiscard]] virtual Status write(std::span<const phy::Sample> samples, std::optional<std::int64_t> ticks,
                                       bool last) = 0;
    /// Class B: back to receiving, once what was written has left.
    [[nodiscard]] virtual Status end_burst() { return Ok{}; }
    /// What the device reported of bursts, waiting up to `timeout`.
    [[nodiscard]] virtual std::optional<Event> poll_event(Duration timeout) = 0;
    /// Class A: device time now, ticks; unset if it cannot be asked.
    [[nodiscard]] virtual std::optional<std::int64_t> now_ticks() = 0;
    /// One clause for each reference that is not locked ("reference clock not locked"); empty: all is well.
    [[nodiscard]] virtual std::string trouble() { return {}; }
};

}  // namespace meshnet::station
