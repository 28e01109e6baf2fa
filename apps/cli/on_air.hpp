// SPDX-License-Identifier: GPL-3.0-or-later
// One-way work with a radio and without a station: what `modulate --device` and `demodulate --device` share.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"
#include "station/config.hpp"
#include "station/guard/transmit_guard.hpp"
#include "station/radio/radio.hpp"

namespace meshnet::apps {

/// Which radio, and how: --device, --config and --set.
struct RadioOptions {
    std::string device;             ///< empty: the configuration's
    std::string config;             ///< a station's configuration file; empty: none
    std::vector<std::string> keys;  ///< "radio.frequency_hz=868.3e6"

    [[nodiscard]] bool given() const noexcept { return !device.empty() || !config.empty(); }
};
void add_radio(CLI::App& command, RadioOptions& options);

/// The configuration that the options make, for `profile` unless a file names another. Error: one line.
[[nodiscard]] Result<station::Config> radio_config(const RadioOptions& options, const phy::Profile& profile);

/// A radio that is opened again when it is lost, every second.
class OnAir {
public:
    [[nodiscard]] static Result<OnAir> open(station::Config config);

    [[nodiscard]] const phy::Profile& profile() const noexcept { return *phy::find_profile(config_.profile); }
    /// Waits up to 100 ms for something. Samples lost meanwhile are a jump of the index. Unset: the radio is away, or
    /// nothing came.
    [[nodiscard]] std::optional<station::Radio::Reception> receive();
    /// False: the radio is away.
    bool transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst);
    /// Sends what the law wants sent last (a call sign), for 15 s at most.
    void sign_off();
    [[nodiscard]] station::RadioCounters counters() const;
    /// Since open(), by the host's clock: while the radio is away no sample counts the time.
    [[nodiscard]] double seconds_open() const;
    [[nodiscard]] const std::shared_ptr<station::TransmitGuard>& guard() const noexcept { return guard_; }

private:
    explicit OnAir(station::Config config) : config_(std::move(config)) {}
    void lose(const std::string& why);

    station::Config config_;
    std::shared_ptr<station::TransmitGuard> guard_;
    std::unique_ptr<station::Radio> radio_;
    station::RadioCounters earlier_;
    std::int64_t opened_at_ns_ = 0, reopen_at_ns_ = 0, newest_at_ns_ = 0;
};

/// True once SIGINT or SIGTERM came; the first call takes the signals over.
[[nodiscard]] bool stop_requested();

}  // namespace meshnet::apps
