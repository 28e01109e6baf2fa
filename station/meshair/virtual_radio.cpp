// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/virtual_radio.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "station/meshair/timed_transmit.hpp"
#include "station/meshair/transfer_transmit.hpp"

namespace meshnet::meshair {

namespace {

constexpr long double kNs = 1e9L;

std::unique_ptr<TransmitPath> make_transmit_path(const DeviceArguments& arguments, const AirFacts& air) {
    if (arguments.model->has_time) {
        return std::make_unique<TimedTransmit>(*arguments.model, air);
    }
    return std::make_unique<TransferTransmit>(*arguments.model, air, arguments.in_flight);
}

std::size_t place(Direction direction) {
    return direction == Direction::kReceive ? 0 : 1;
}

}  // namespace

Result<std::unique_ptr<VirtualRadio>> VirtualRadio::open(const DeviceArguments& arguments) {
    auto client = sim::AirClient::connect(arguments.air, arguments.station);
    if (!client) {
        return Error{client.error().code, "meshair: " + client.error().message};
    }
    std::unique_ptr<VirtualRadio> radio(new VirtualRadio(arguments, std::move(client).value()));
    radio->wake_ = host::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!radio->wake_) {
        return Error{ErrorCode::kSystem, "meshair: no descriptor to wake the device's thread with"};
    }
    radio->thread_ = std::thread([it = radio.get()] { it->run(); });
    return radio;
}

VirtualRadio::VirtualRadio(const DeviceArguments& arguments, sim::AirClient client)
    : arguments_(arguments),
      air_{client.sample_rate_hz(), client.carrier_hz(), client.noise_power(), client.shortest_lead()},
      client_(std::move(client)),
      receive_(*arguments.model, air_, arguments.seed),
      transmit_(make_transmit_path(arguments_, air_)),
      rng_(arguments.seed) {
    const DeviceModel& model = *arguments_.model;
    for (const Direction direction : {Direction::kReceive, Direction::kTransmit}) {
        ChannelSettings start;
        const double rate = std::clamp(air_.rate_hz, model.rates_hz.low, model.rates_hz.high);
        start.ratio = RateRatio::nearest(rate, air_.rate_hz);
        start.frequency_hz = std::clamp(air_.carrier_hz, model.tuning_hz.low, model.tuning_hz.high);
        const double bound = model.bandwidth_of_rate(rate);
        start.bandwidth_hz = bound > 0.0 ? bound : model.bandwidths_hz.high;
        for (const GainElement& element : model.of(direction).gains) {
            start.gain_db += element.start_db;
        }
        set(direction, start);
    }
    newest_ = client_->first_index();
    transmit_->on_air(newest_);
    receive_.on_air(newest_, {});
    set_time_ns(0);
}

VirtualRadio::~VirtualRadio() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void VirtualRadio::wake() {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
}

void VirtualRadio::run() {
    std::unique_lock lock(mutex_);
    while (!stop_ && gone_.empty()) {
        lock.unlock();
        std::array<pollfd, 2> ready{pollfd{client_->fd(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0}};
        (void)::poll(ready.data(), ready.size(), -1);
        lock.lock();
        if (stop_ || !gone_.empty()) {
            break;
        }
        auto got = client_->receive();
        if (!got) {
            gone_ = got.error().message;
        } else {
            take(std::move(got).value());
        }
        changed_.notify_all();
    }
    client_.reset();  // the station is free for whoever opens it again
    changed_.notify_all();
}

void VirtualRadio::take(sim::AirClient::Reception&& got) {
    if (!got.samples.empty()) {
        receive_.on_air(got.first_index, got.samples);
        newest_ = got.first_index + got.samples.size();
        if (next_offset_ && newest_ >= next_offset_->first) {
            offset_ns_ = next_offset_->second;
            next_offset_.reset();
        }
        transmit_->on_air(newest_);
    }
    for (const sim::AirTxReport& report : got.reports) {
        transmit_->on_report(report);
    }
    hand_over();
}

void VirtualRadio::hand_over() {
    while (auto burst = transmit_->poll_burst()) {
        if (!client_ || !gone_.empty()) {
            return;
        }
        if (auto sent = client_->transmit(burst->id, burst->at, burst->samples); !sent) {
            gone_ = sent.error().message;
            return;
        }
    }
}

Error VirtualRadio::failure() const {
    return {ErrorCode::kUnavailable, "meshair: " + gone_};
}

std::string VirtualRadio::gone() const {
    const std::lock_guard lock(mutex_);
    return gone_;
}

ChannelSettings VirtualRadio::settings(Direction direction) const {
    const std::lock_guard lock(mutex_);
    return settings_[place(direction)];
}

void VirtualRadio::set(Direction direction, const ChannelSettings& settings) {
    const std::lock_guard lock(mutex_);
    settings_[place(direction)] = settings;
    if (direction == Direction::kReceive) {
        receive_.set(settings);
    } else {
        transmit_->set(settings);
    }
}

std::int64_t VirtualRadio::ns_of_index(std::uint64_t index) const {
    return std::llround(static_cast<long double>(index) * kNs / static_cast<long double>(air_.rate_hz)) + offset_ns_;
}

std::int64_t VirtualRadio::ns_of_tick(Direction direction, std::uint64_t tick) const {
    const double rate = settings_[place(direction)].ratio.rate_hz(air_.rate_hz);
    return std::llround(static_cast<long double>(tick) * kNs / static_cast<long double>(rate)) + offset_ns_;
}

std::uint64_t VirtualRadio::tick_of_ns(Direction direction, std::int64_t ns) const {
    const double rate = settings_[place(direction)].ratio.rate_hz(air_.rate_hz);
    const long double ticks =
        (static_cast<long double>(ns) - static_cast<long double>(offset_ns_)) * static_cast<long double>(rate) / kNs;
    return ticks <= 0.0L      ? 0
           : ticks >= 1.8e19L ? ~std::uint64_t{0} >> 16U
                              : static_cast<std::uint64_t>(std::llround(ticks));
}

std::uint64_t VirtualRadio::newest_index() const {
    const std::lock_guard lock(mutex_);
    return newest_;
}

std::int64_t VirtualRadio::time_ns() const {
    const std::lock_guard lock(mutex_);
    return ns_of_index(newest_);
}

void VirtualRadio::set_time_ns(std::int64_t now) {
    const std::lock_guard lock(mutex_);
    next_offset_.reset();
    offset_ns_ += now - ns_of_index(newest_);
}

void VirtualRadio::set_time_at_pps_ns(std::int64_t then) {
    const std::lock_guard lock(mutex_);
    const auto second = static_cast<std::uint64_t>(std::llround(air_.rate_hz));
    const std::uint64_t edge = (newest_ / second + 1) * second;
    next_offset_ = {edge, offset_ns_ + then - ns_of_index(edge)};
}

std::int64_t VirtualRadio::time_of_last_pps_ns() const {
    const std::lock_guard lock(mutex_);
    const auto second = static_cast<std::uint64_t>(std::llround(air_.rate_hz));
    return ns_of_index(newest_ / second * second);
}

void VirtualRadio::switch_to(Mode mode) {
    if (model().has_time || mode == mode_) {
        return;
    }
    const Duration longest = model().longest_switch - model().shortest_switch;
    const Duration drawn{static_cast<std::int64_t>(rng_.uniform() * static_cast<double>(longest.count()))};
    const double switch_s =
        last_mode_ == Mode::kOff || last_mode_ == mode ? 0.0 : to_seconds(model().shortest_switch + drawn);
    const std::uint64_t ready = newest_ + static_cast<std::uint64_t>(switch_s * air_.rate_hz);
    mode_ = last_mode_ = mode;
    if (mode == Mode::kTransmitting) {
        receive_.stop();
        transmit_->start(ready);
    } else {
        transmit_->stop();
        receive_.start(std::nullopt, 0);
        receive_.mute_until(ready);
    }
    hand_over();
}

void VirtualRadio::start_receiving(std::optional<std::int64_t> at_ns, std::uint64_t count) {
    const std::lock_guard lock(mutex_);
    std::optional<std::uint64_t> tick;
    if (at_ns) {
        tick = tick_of_ns(Direction::kReceive, *at_ns);
    }
    if (model().has_time) {
        receive_.start(tick, count);
    } else {
        switch_to(Mode::kReceiving);
    }
    changed_.notify_all();
}

void VirtualRadio::stop_receiving() {
    const std::lock_guard lock(mutex_);
    receive_.stop();
    if (mode_ == Mode::kReceiving) {
        mode_ = Mode::kOff;
    }
}

Result<VirtualRadio::Received> VirtualRadio::read(std::span<phy::Sample> out, Timeout timeout) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + timeout;
    if (!model().has_time && mode_ != Mode::kReceiving) {
        // SoapyHackRF: who reads while the device transmits switches it over once all transfers are out.
        const auto may_switch = [this] { return mode_ == Mode::kReceiving || transmit_->idle() || !gone_.empty(); };
        if (!changed_.wait_until(lock, until, may_switch)) {
            return Received{};
        }
        switch_to(Mode::kReceiving);
    }
    (void)changed_.wait_until(lock, until, [this] { return receive_.has_something() || !gone_.empty(); });
    if (!gone_.empty()) {
        return failure();
    }
    Received result;
    result.read = receive_.read(out);
    result.time_ns = ns_of_tick(Direction::kReceive, result.read.tick);
    return result;
}

void VirtualRadio::start_transmitting() {
    const std::lock_guard lock(mutex_);
    switch_to(Mode::kTransmitting);
}

void VirtualRadio::stop_transmitting() {
    const std::lock_guard lock(mutex_);
    transmit_->stop();
    hand_over();
    if (mode_ == Mode::kTransmitting) {
        mode_ = Mode::kOff;
    }
}

Result<std::size_t> VirtualRadio::write(std::span<const phy::Sample> samples, std::optional<std::int64_t> at_ns,
                                        bool end, Timeout timeout) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return !gone_.empty() || (!stalled() && (samples.empty() || transmit_->room() > 0)); };
    if (!changed_.wait_for(lock, timeout, ready)) {
        return std::size_t{0};
    }
    if (!gone_.empty()) {
        return failure();
    }
    std::optional<std::uint64_t> tick;
    if (at_ns) {
        tick = tick_of_ns(Direction::kTransmit, *at_ns);
    }
    switch_to(Mode::kTransmitting);  // SoapyHackRF: who writes while the device receives switches it over
    const std::size_t taken = transmit_->write(samples, tick, end);
    hand_over();
    changed_.notify_all();
    return taken;
}

Result<std::optional<VirtualRadio::Reported>> VirtualRadio::status(Timeout timeout) {
    std::unique_lock lock(mutex_);
    (void)changed_.wait_for(lock, timeout, [this] { return transmit_->has_status() || !gone_.empty(); });
    if (!gone_.empty()) {
        return failure();
    }
    const auto status = transmit_->poll_status();
    if (!status) {
        return std::optional<Reported>{};
    }
    Reported out{status->event, std::nullopt};
    if (status->tick) {
        out.time_ns = ns_of_tick(Direction::kTransmit, *status->tick);
    }
    return std::optional<Reported>{out};
}

void VirtualRadio::unplug() {
    {
        const std::lock_guard lock(mutex_);
        gone_ = "the device was unplugged: LIBUSB_ERROR_NO_DEVICE";
        changed_.notify_all();
    }
    wake();
}

void VirtualRadio::stall(Duration duration) {
    const std::lock_guard lock(mutex_);
    stalled_until_ = newest_ + static_cast<std::uint64_t>(to_seconds(duration) * air_.rate_hz);
    receive_.lose_until(stalled_until_);
}

}  // namespace meshnet::meshair
