// SPDX-License-Identifier: GPL-3.0-or-later
// What the daemon needs of a radio: samples with their index in, bursts at an index out, and a report of every burst.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "node/sample_clock.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

/// What became of a burst.
struct TxReport {
    std::uint64_t id = 0;
    bool sent = false;            ///< false: it came too late and nothing was sent
    std::uint64_t end_index = 0;  ///< one past its last sample, if sent
};

/// A radio, simulated or real. One thread.
class Radio {
public:
    struct Reception {
        std::uint64_t first_index = 0;  ///< of samples[0]; a jump past the last one handed out means samples were lost
        std::vector<phy::Sample> samples;  ///< may be empty
        std::vector<TxReport> reports;
        bool end = false;  ///< a recording is over
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
};

/// A kind of radio: one row. Its file makes it; radio.cpp lists them.
struct RadioDriver {
    std::string_view scheme;  ///< "air": devices are written SCHEME:REST
    std::string_view form;    ///< "air:SOCKET#STATION"
    std::string_view help;    ///< one line for the configuration's example
    /// Judges REST without opening anything. Error: one clause that says what is wrong.
    Status (*check)(const std::string& rest);
    /// `rest` has passed check().
    Result<std::unique_ptr<Radio>> (*open)(const std::string& rest, const phy::Profile& profile);
};

/// All drivers of this build.
[[nodiscard]] std::span<const RadioDriver> radio_drivers();
/// A line for each driver: how a device is written and what it is.
[[nodiscard]] std::string radio_help();

/// Error: one clause that says what is wrong with `device` and which devices there are.
[[nodiscard]] Status check_device(const std::string& device);

/// Opens the device. `invert`: its spectrum is inverted, so received samples and bursts are taken as their complex
/// conjugates. Error: one line, also if its sample rate is not the profile's.
[[nodiscard]] Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile,
                                                        bool invert = false);

}  // namespace meshnet::station
