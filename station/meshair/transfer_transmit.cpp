// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/transfer_transmit.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::meshair {

namespace {

constexpr double kMarginSeconds = 0.01;
constexpr double kLongestMarginSeconds = 0.2;

}  // namespace

TransferTransmit::TransferTransmit(const DeviceModel& model, const AirFacts& air, std::size_t in_flight)
    : model_(model),
      air_(air),
      in_flight_(in_flight),
      chain_(model, air),
      margin_(static_cast<std::uint64_t>(kMarginSeconds * air.rate_hz)) {}

void TransferTransmit::start(std::uint64_t ready_index) {
    running_ = true;
    ready_ = ready_index;
    bus_.clear();
    given_ = 0;
    tick_ = chain_.first_tick_from(std::max(ready_index, free_index_));
    while (bus_.size() < in_flight_) {
        take_for_bus();
    }
}

std::size_t TransferTransmit::room() const {
    // A transfer that is begun can be filled; a new one needs a free place in the ring.
    return filling_.empty() && transfers_.size() >= model_.transmit_transfers ? 0 : model_.mtu - filling_.size();
}

std::size_t TransferTransmit::write(std::span<const phy::Sample> samples, std::optional<std::uint64_t>, bool) {
    std::size_t taken = 0;
    while (taken < samples.size() && room() > 0) {
        const auto part = samples.subspan(taken, std::min(samples.size() - taken, room()));
        filling_.insert(filling_.end(), part.begin(), part.end());
        taken += part.size();
        if (filling_.size() == model_.mtu) {
            transfers_.push_back(std::exchange(filling_, {}));
        }
    }
    hand_over_transfers();
    return taken;
}

void TransferTransmit::stop() {
    // Transfers that wait go out when the device transmits again.
    running_ = sending_ = false;
    bus_.clear();
    given_ = 0;
}

void TransferTransmit::on_air(std::uint64_t newest_index) {
    newest_ = newest_index;
    hand_over_transfers();
}

void TransferTransmit::take_for_bus() {
    if (!transfers_.empty()) {
        bus_.push_back(std::move(transfers_.front()));
        transfers_.pop_front();
        return;
    }
    bus_.emplace_back();
    if (!has_status()) {  // a flag, not a count
        report(Event::kUnderflow, std::nullopt);
    }
}

// The device has emptied a transfer: its place on the bus is filled again.
void TransferTransmit::complete_transfers() {
    const auto begin = [this] { return tick_ - given_ * model_.mtu; };  // of the first in flight
    while (given_ > 0 && chain_.settings().ratio.tick_at(newest_) >= begin() + model_.mtu) {
        bus_.pop_front();
        --given_;
        take_for_bus();
    }
}

// This machine was too slow for its own simulation: the device's clock waits for it.
void TransferTransmit::follow_air() {
    if (sending_) {
        end_signal();
    }
    tick_ = chain_.first_tick_from(std::max(soonest() + margin_, free_index_));
}

void TransferTransmit::hand_over_transfers() {
    if (!running_) {
        return;
    }
    if (in_flight_ == 0) {
        return hand_over_directly();
    }
    complete_transfers();
    while (given_ < bus_.size()) {
        if (next_index() < soonest()) {
            follow_air();
        }
        if (next_index() >= soonest() + 2 * margin_) {
            return;  // what the air has is still long enough
        }
        give_to_air(bus_[given_++]);
        tick_ += model_.mtu;
    }
}

void TransferTransmit::hand_over_directly() {
    while (!transfers_.empty()) {
        if (sending_ && next_index() >= soonest() + 2 * margin_) {
            return;  // the one before it is still long enough
        }
        if (!sending_ || next_index() < soonest()) {
            sending_ = false;
            tick_ = chain_.first_tick_from(std::max({soonest() + margin_, ready_, free_index_}));
        }
        give_to_air(transfers_.front());
        transfers_.pop_front();
    }
    if (sending_ && next_index() < soonest() + margin_ / 2) {
        end_signal();
        report(Event::kUnderflow, std::nullopt);
    }
}

void TransferTransmit::give_to_air(const std::vector<phy::Sample>& transfer) {
    if (transfer.empty()) {
        if (sending_) {
            end_signal();
        }
        return;
    }
    if (!sending_) {
        chain_.begin(tick_);
        sending_ = true;
    }
    made_at_ = chain_.next_index();
    chain_.process(transfer, made_);
    send_made();
}

void TransferTransmit::end_signal() {
    made_at_ = chain_.next_index();
    chain_.end(made_);
    send_made();
    sending_ = false;
}

void TransferTransmit::send_made() {
    if (!made_.empty()) {
        free_index_ = made_at_ + made_.size();
        send({next_id_++, made_at_, std::exchange(made_, {})});
    }
}

void TransferTransmit::on_report(const sim::AirTxReport& about) {
    if (about.late) {  // lost without a word; more time from now on
        margin_ = std::min(2 * margin_, static_cast<std::uint64_t>(kLongestMarginSeconds * air_.rate_hz));
    }
}

}  // namespace meshnet::meshair
