// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sdr_radio_base.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <spdlog/spdlog.h>

namespace meshnet::station {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double kQueueSeconds = 0.5;  // received and not taken: more is lost, and counted
constexpr auto kLockInterval = std::chrono::seconds(1);

}  // namespace

SdrRadio::SdrRadio(SdrParts parts)
    : device_(std::move(parts.device)),
      settings_(std::move(parts.settings)),
      rate_(parts.rate),
      stream_(std::move(parts.stream)),
      shaper_(std::move(parts.shaper)),
      wake_(std::move(parts.wake)) {}

Result<Radio::Reception> SdrRadio::receive() {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
    const std::lock_guard lock(mutex_);
    Reception out;
    out.reports = std::exchange(reports_, {});
    if (!received_.empty()) {
        out.first_index = received_.front().first_index;
        out.samples = std::move(received_.front().samples);
        received_.pop_front();
        queued_ -= out.samples.size();
    } else if (error_ && out.reports.empty()) {
        return *error_;
    }
    if (!received_.empty() || error_) {
        signal();
    }
    return out;
}

Status SdrRadio::transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) {
    const std::lock_guard lock(mutex_);
    if (error_) {
        return *error_;
    }
    if (!device_->traits().transmits) {
        return Error{ErrorCode::kUnsupported, device_->traits().name + " cannot transmit"};
    }
    const auto place =
        std::upper_bound(bursts_.begin(), bursts_.end(), at, [](std::uint64_t a, const Burst& b) { return a < b.at; });
    bursts_.insert(place, Burst{id, at, {burst.begin(), burst.end()}});
    changed_.notify_all();
    return Ok{};
}

RadioCounters SdrRadio::counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
}

void SdrRadio::signal() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void SdrRadio::fail(Error error) {
    const std::lock_guard lock(mutex_);
    error_ = error_ ? error_ : std::optional<Error>(std::move(error));
    stopping_ = true;
    changed_.notify_all();
    signal();
}

void SdrRadio::deliver(ReceiveStream::Stretch&& stretch) {
    if (stretch.samples.empty()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (static_cast<double>(queued_) > kQueueSeconds * rate_.hz()) {
        ++counters_.overruns;
        return;  // the next samples begin at a later index, which the caller sees
    }
    queued_ += stretch.samples.size();
    received_.push_back(std::move(stretch));
    signal();
}

void SdrRadio::report_sent(std::uint64_t id, std::uint64_t end_index) {
    const std::lock_guard lock(mutex_);
    reports_.push_back({id, true, end_index});
    signal();
}

void SdrRadio::report_lost(std::uint64_t id, std::uint64_t RadioCounters::*why) {
    const std::lock_guard lock(mutex_);
    reports_.push_back({id, false, 0});
    if (why != nullptr) {
        ++(counters_.*why);
    }
    signal();
}

void SdrRadio::count(std::uint64_t RadioCounters::*counter) {
    const std::lock_guard lock(mutex_);
    ++(counters_.*counter);
}

void SdrRadio::watch_locks() {
    const auto now = Clock::now();
    if (now < next_lock_check_) {
        return;
    }
    next_lock_check_ = now + kLockInterval;
    const std::string trouble = device_->trouble();
    if (trouble == trouble_) {
        return;
    }
    if (trouble.empty()) {
        spdlog::info("{}: references locked again", device_->traits().name);
    } else {
        spdlog::warn("{}: {}", device_->traits().name, trouble);
        count(&RadioCounters::lock_losses);
    }
    trouble_ = trouble;
}

void SdrRadio::run_ptt(bool transmit) const {
    if (settings_.ptt_command.empty()) {
        return;
    }
    const std::string command = settings_.ptt_command + (transmit ? " tx" : " rx");
    if (!(settings_.ptt ? settings_.ptt(transmit) : std::system(command.c_str()) == 0)) {
        spdlog::error("ptt_command \"{}\" failed", command);
    }
}

mac::RadioTiming SdrRadio::timing() const {
    const std::lock_guard lock(mutex_);
    return timing_;
}

void SdrRadio::set_timing(const mac::RadioTiming& timing) {
    const std::lock_guard lock(mutex_);
    timing_ = timing;
}

Duration SdrRadio::spacing() {
    const std::vector<phy::Sample> shortest(1);
    const auto samples = static_cast<double>(shaper_.shape(shortest).samples.size());
    return Duration{std::llround(1e9 * samples / device_->traits().sample_rate_hz)};
}

std::int64_t SdrRadio::ticks_in(Duration d) const {
    return std::llround(to_seconds(d) * device_->traits().sample_rate_hz);
}

}  // namespace meshnet::station
