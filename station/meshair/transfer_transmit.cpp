// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/transfer_transmit.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::meshair {

namespace {

constexpr double kMarginSeconds = 0.01;
constexpr double kLongestMarginSeconds = 0.2;

}  // namespace

TransferTransmit::TransferTransmit(const DeviceModel& model, const AirFacts& air)
    : model_(model), air_(air), chain_(model, air), margin_(static_cast<std::uint64_t>(kMarginSeconds * air.rate_hz)) {}

void TransferTransmit::start(std::uint64_t ready_index) {
    running_ = true;
    ready_ = ready_index;
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
    running_ = sending_ = false;  // transfers that wait go out when the device transmits again
}

void TransferTransmit::on_air(std::uint64_t newest_index) {
    newest_ = newest_index;
    hand_over_transfers();
}

void TransferTransmit::hand_over_transfers() {
    while (running_ && !transfers_.empty()) {
        if (sending_ && chain_.next_index() >= soonest() + 2 * margin_) {
            return;  // the one before it is still long enough
        }
        if (sending_ && chain_.next_index() < soonest()) {
            sending_ = false;
        }
        if (!sending_) {
            chain_.begin(chain_.first_tick_from(std::max({soonest() + margin_, ready_, free_index_})));
            sending_ = true;
        }
        made_at_ = chain_.next_index();
        chain_.process(transfers_.front(), made_);
        transfers_.pop_front();
        send_made();
    }
    if (running_ && sending_ && chain_.next_index() < soonest() + margin_ / 2) {
        end_signal();
    }
}

void TransferTransmit::end_signal() {
    made_at_ = chain_.next_index();
    chain_.end(made_);
    send_made();
    sending_ = false;
    report(Event::kUnderflow, std::nullopt);
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
