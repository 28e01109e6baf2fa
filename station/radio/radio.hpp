// SPDX-License-Identifier: GPL-3.0-or-later
// What the daemon needs of a radio: samples with their index in, bursts at an index out, and a report of every burst.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/counters.hpp"
#include "core/result.hpp"
#include "mac/mac.hpp"
#include "node/sample_clock.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"
#include "station/radio/radio_settings.hpp"

namespace meshnet::station {

/// What became of a burst.
struct TxReport {
    std::uint64_t id = 0;
    bool sent = false;            ///< false: it came too late and nothing was sent
    std::uint64_t end_index = 0;  ///< one past its last sample, if sent
};

class TransmitGuard;

/// What a radio with a front end counts since it was opened.
struct RadioCounters {
    std::uint64_t overruns = 0;     ///< samples were lost: the device's buffers or ours were full
    std::uint64_t underruns = 0;    ///< the device ran out of samples inside a burst
    std::uint64_t late = 0;         ///< bursts that came too late
    std::uint64_t unconfirmed = 0;  ///< bursts of which the device said nothing, although it did of others
    std::uint64_t lock_losses = 0;  ///< a reference lost its lock
};
template <class Counters, class Visit>
requires std::same_as<std::remove_cvref_t<Counters>, RadioCounters>
constexpr void visit_counters(Counters&& c, Visit&& visit) {
    visit("overruns", c.overruns);
    visit("underruns", c.underruns);
    visit("late", c.late);
    visit("unconfirmed", c.unconfirmed);
    visit("lock_losses", c.lock_losses);
}
static_assert(visits_every_counter<RadioCounters>());

/// A radio, simulated or real. One thread.
class Radio {
public:
    struct Reception {
        std::uint64_t first_index = 0;  ///< of samples[0]; a jump past the last one handed out means samples were lost
        std::vector<phy::Sample> samples;  ///< may be empty
        std::vector<TxReport> reports;
        bool end = false;  ///< a recording is over
        bool more = true;  ///< another call may return something at once; false: only after fd() is readable again
    };

    Radio() = default;
    Radio(const Radio&) = delete;
    Radio& operator=(const Radio&) = delete;
    virtual ~Radio() = default;

    [[nodiscard]] virtual node::SampleRate sample_rate() const = 0;
    /// Readable when receive() will return something. Valid as long as the radio.
    [[nodiscard]] virtual int fd() const = 0;
    /// What arrived, without waiting. Error: the radio is gone.
    [[nodiscard]] virtual Result<Reception> receive() = 0;
    /// Hands over a burst whose first sample leaves the antenna at `at`; its report comes with a later receive().
    /// Error: the radio is gone.
    [[nodiscard]] virtual Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) = 0;
    /// The station ends: what the law wants sent last (a call sign) is sent now. Go on with receive() while
    /// signing_off().
    virtual void sign_off() {}
    [[nodiscard]] virtual bool signing_off() const { return false; }
    /// What the MAC must know of this radio's times, beyond its configuration; zero where that is enough. May change
    /// while the radio learns of itself.
    [[nodiscard]] virtual mac::RadioTiming timing() const { return {}; }
    /// The radio may switch its transmitter on to measure its own lead; it sends no signal. At most once, and only
    /// where the transmit guard has a band and is not inhibited.
    virtual void calibrate() {}
    /// Zero for a radio without a front end.
    [[nodiscard]] virtual RadioCounters counters() const { return {}; }
};

/// A kind of radio: one row. Its file makes it; radio.cpp lists them.
struct RadioDriver {
    std::string_view scheme;  ///< "air": devices are written SCHEME:REST
    std::string_view form;    ///< "air:SOCKET#STATION"
    std::string_view help;    ///< one line for the configuration's example
    bool on_air;              ///< has an antenna: needs a frequency, and a transmit guard
    /// Judges REST without opening anything. Error: one clause that says what is wrong.
    Status (*check)(const std::string& rest);
    /// `rest` has passed check().
    Result<std::unique_ptr<Radio>> (*open)(const std::string& rest, const phy::Profile& profile,
                                           const RadioSettings& settings);
};

/// All drivers of this build.
[[nodiscard]] std::span<const RadioDriver> radio_drivers();
/// A line for each driver: how a device is written and what it is.
[[nodiscard]] std::string radio_help();

/// Error: one clause that says what is wrong with `device` and which devices there are.
[[nodiscard]] Status check_device(const std::string& device);

/// It has an antenna: what it is given to send passes a transmit guard. Precondition: check_device(device).
[[nodiscard]] bool reaches_antenna(const std::string& device);

/// Opens the device. `guard`: of a device that reaches an antenna; without one nothing is sent. Error: one line, also
/// if its sample rate is not the profile's.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile,
                                                        const RadioSettings& settings = {},
                                                        std::shared_ptr<TransmitGuard> guard = nullptr);

}  // namespace meshnet::station
