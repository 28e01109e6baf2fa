// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/on_air.hpp"

#include <poll.h>

#include <chrono>
#include <csignal>
#include <map>

#include "apps/cli/command.hpp"

namespace meshnet::apps {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kReopen = std::chrono::seconds(1);
constexpr auto kSilence = std::chrono::seconds(2);
constexpr int kWaitMs = 100;

volatile std::sig_atomic_t stop_signal = 0;
extern "C" void on_stop(int) {
    stop_signal = 1;
}

/// "[radio]\nfrequency_hz = 868.3e6\n" of {"radio.frequency_hz=868.3e6"}. Error: one is not SECTION.KEY=VALUE.
Result<std::string> toml_of(const std::vector<std::string>& keys) {
    std::map<std::string, std::string> sections;
    for (const std::string& key : keys) {
        const std::size_t dot = key.find('.');
        const std::size_t equals = key.find('=');
        if (dot == std::string::npos || equals == std::string::npos || dot > equals) {
            return Error{ErrorCode::kInvalidArgument,
                         "--set takes SECTION.KEY=VALUE, as radio.frequency_hz=868.3e6, not '" + key + "'"};
        }
        sections[key.substr(0, dot)] += key.substr(dot + 1, equals - dot - 1) + " = " + key.substr(equals + 1) + "\n";
    }
    std::string out;
    for (const auto& [section, lines] : sections) {
        out += "[" + section + "]\n" + lines;
    }
    return out;
}

}  // namespace

bool stop_requested() {
    static const bool once = [] {
        struct sigaction action {};
        action.sa_handler = on_stop;
        ::sigaction(SIGTERM, &action, nullptr);
        ::sigaction(SIGINT, &action, nullptr);
        return true;
    }();
    return once && stop_signal != 0;
}

void add_radio(CLI::App& command, RadioOptions& options) {
    command.add_option("--device", options.device,
                       "A radio instead of samples, as soapy:driver=hackrf or uhd:type=b200 (meshnetd "
                       "--print-config lists the kinds)");
    command.add_option("--config", options.config, "Radio as in this configuration of a station: [radio], [transmit]");
    command.add_option("--set", options.keys,
                       "A key of that configuration, as --set radio.frequency_hz=868.3e6; as often as needed");
}

Result<station::Config> radio_config(const RadioOptions& options, const phy::Profile& profile) {
    if (!options.config.empty() && !options.keys.empty()) {
        return Error{ErrorCode::kInvalidArgument, "give --config or --set, not both"};
    }
    auto text = toml_of(options.keys);
    if (!text) {
        return text.error();
    }
    auto config = options.config.empty() ? station::parse_config(*text, "--set") : station::load_config(options.config);
    if (!config) {
        return config.error();
    }
    if (options.config.empty()) {
        config->profile = std::string(profile.name);
    }
    if (!options.device.empty()) {
        if (auto right = station::check_device(options.device); !right) {
            return right.error();
        }
        config->device = options.device;
    }
    return config;
}

Result<OnAir> OnAir::open(station::Config config) {
    OnAir out(std::move(config));
    if (station::reaches_antenna(out.config_.device)) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        auto guard = station::open_guard(out.config_.transmit, out.profile().sample_rate_hz,
                                         Instant{std::chrono::duration_cast<Duration>(now)});
        if (!guard) {
            return Error{guard.error().code, "[transmit] " + guard.error().message};
        }
        out.guard_ = std::move(guard).value();
    }
    auto radio = station::open_radio(out.config_.device, out.profile(), out.config_.radio, out.guard_);
    if (!radio) {
        return radio.error();
    }
    out.radio_ = std::move(radio).value();
    out.opened_at_ns_ = out.newest_at_ns_ = Clock::now().time_since_epoch().count();
    return out;
}

void OnAir::lose(const std::string& why) {
    complain("the radio is lost: " + why + "; trying to open it again", 0);
    earlier_ = counters();
    radio_.reset();
    reopen_at_ns_ = (Clock::now() + kReopen).time_since_epoch().count();
}

std::optional<station::Radio::Reception> OnAir::receive() {
    if (!radio_) {
        ::poll(nullptr, 0, kWaitMs);
        if (Clock::now().time_since_epoch().count() < reopen_at_ns_) {
            return std::nullopt;
        }
        reopen_at_ns_ = (Clock::now() + kReopen).time_since_epoch().count();
        auto radio = station::open_radio(config_.device, profile(), config_.radio, guard_);
        if (!radio) {
            return std::nullopt;
        }
        radio_ = std::move(radio).value();
        newest_at_ns_ = Clock::now().time_since_epoch().count();
        complain("the radio is back", 0);
    }
    pollfd wait{radio_->fd(), POLLIN, 0};
    ::poll(&wait, 1, kWaitMs);
    auto got = radio_->receive();
    const auto now = Clock::now();
    if (!got) {
        lose(got.error().message);
        return std::nullopt;
    }
    if (!got->samples.empty()) {
        newest_at_ns_ = now.time_since_epoch().count();
    } else if (now.time_since_epoch() > std::chrono::nanoseconds(newest_at_ns_) + kSilence) {
        lose("no samples for 2 s");
        return std::nullopt;
    }
    return std::move(got).value();
}

bool OnAir::transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) {
    if (!radio_) {
        return false;
    }
    if (auto sent = radio_->transmit(id, at, burst); !sent) {
        lose(sent.error().message);
        return false;
    }
    return true;
}

void OnAir::sign_off() {
    const auto until = Clock::now() + std::chrono::seconds(15);
    if (radio_) {
        radio_->sign_off();
    }
    do {
        (void)receive();
    } while (radio_ && radio_->signing_off() && Clock::now() < until);
}

double OnAir::seconds_open() const {
    return static_cast<double>(Clock::now().time_since_epoch().count() - opened_at_ns_) * 1e-9;
}

station::RadioCounters OnAir::counters() const {
    station::RadioCounters out = earlier_;
    if (radio_) {
        add_to(out, radio_->counters());
    }
    return out;
}

}  // namespace meshnet::apps
