// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_supervisor.hpp"

#include <utility>

#include <spdlog/spdlog.h>

namespace meshnet::station {

namespace {

constexpr auto kSilence = std::chrono::seconds(2);  // without samples: the radio is lost
constexpr auto kReopenInterval = std::chrono::seconds(1);

}  // namespace

RadioSupervisor::RadioSupervisor(const RadioLink::Config& config, std::unique_ptr<Radio> radio, Open open,
                                 std::string device, WallTime wall)
    : link_(config, std::move(radio)), open_(std::move(open)), device_(std::move(device)), last_samples_(wall) {}

bool RadioSupervisor::receive(WallTime wall, RadioEvents& events) {
    const auto before = link_.counters();
    const auto got = link_.receive(events);
    last_samples_ = wall;
    if (const auto& after = link_.counters(); after.gaps != before.gaps) {
        spdlog::debug("gap of {} samples", after.samples_lost - before.samples_lost);
    }
    if (!got) {
        lost(wall, got.error().message);
    } else if (transmit_error_) {
        lost(wall, *transmit_error_);
    }
    return !link_.ended();
}

void RadioSupervisor::transmit(const mac::TxRequest& request) {
    if (auto sent = link_.transmit(request); !sent && up_ && !transmit_error_) {
        transmit_error_ = sent.error().message;
    }
}

void RadioSupervisor::on_tick(WallTime wall, RadioEvents& events) {
    if (up_ && wall - last_samples_ > kSilence) {
        lost(wall, "no samples for 2 s");
    }
    if (!up_ && wall >= next_reopen_) {
        reopen(wall, events);
    }
}

void RadioSupervisor::lost(WallTime wall, const std::string& why) {
    if (up_) {
        spdlog::error("radio lost: {}; trying to open it again", why);
        up_ = false;
        lost_at_ = wall;
        next_reopen_ = lost_at_ + kReopenInterval;
        link_.close();
    }
    transmit_error_.reset();
}

void RadioSupervisor::reopen(WallTime wall, RadioEvents& events) {
    next_reopen_ = wall + kReopenInterval;
    auto radio = open_();
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
