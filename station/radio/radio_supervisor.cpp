// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_supervisor.hpp"

#include <utility>

#include <spdlog/spdlog.h>

namespace meshnet::station {

namespace {

constexpr auto kSilence = std::chrono::seconds(2);  // without samples: the radio is lost
constexpr auto kReopenInterval = std::chrono::seconds(1);

}  // namespace

RadioSupervisor::RadioSupervisor(const RadioLink::Config& config, std::string device, std::unique_ptr<Radio> radio)
    : profile_(*config.profile), device_(std::move(device)), link_(config, std::move(radio)) {}

bool RadioSupervisor::receive(RadioEvents& events) {
    const auto before = link_.counters();
    const auto got = link_.receive(events);
    last_samples_ = WallClock::now();
    if (const auto& after = link_.counters(); after.gaps != before.gaps) {
        spdlog::debug("gap of {} samples", after.samples_lost - before.samples_lost);
    }
    if (!got) {
        lost(got.error().message);
    } else if (transmit_error_) {
        lost(*transmit_error_);
    }
    return !link_.ended();
}

void RadioSupervisor::transmit(const mac::TxRequest& request) {
    if (auto sent = link_.transmit(request); !sent && !transmit_error_) {
        transmit_error_ = sent.error().message;
    }
}

void RadioSupervisor::on_tick(WallClock::time_point wall, RadioEvents& events) {
    if (up_ && wall - last_samples_ > kSilence) {
        lost("no samples for 2 s");
    }
    if (!up_ && wall >= next_reopen_) {
        reopen(wall, events);
    }
}

void RadioSupervisor::lost(const std::string& why) {
    if (up_) {
        spdlog::error("radio lost: {}; trying to open it again", why);
        up_ = false;
        lost_at_ = WallClock::now();
        next_reopen_ = lost_at_ + kReopenInterval;
    }
    transmit_error_.reset();
}

void RadioSupervisor::reopen(WallClock::time_point wall, RadioEvents& events) {
    next_reopen_ = wall + kReopenInterval;
    auto radio = open_radio(device_, profile_);
    if (!radio) {
        spdlog::debug("radio still not there: {}", radio.error().message);
        return;
    }
    link_.replace(std::move(radio).value(), wall - lost_at_, events);
    up_ = true;
    last_samples_ = wall;
    spdlog::info("radio is back: {}", device_);
}

}  // namespace meshnet::station
