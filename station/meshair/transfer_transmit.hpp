// SPDX-License-Identifier: GPL-3.0-or-later
// Transmission of a radio that knows no time (model=hackrf): samples fill USB transfers, a transfer is handed over only
// when it is full, and goes out as soon as it can. Times and ends of bursts mean nothing; a short burst waits until the
// caller's padding, or the next burst, fills its transfer. When no transfer is there the device sends zeros and reports
// an underflow: once after every burst.
//
// Source: SoapyHackRF, HackRF_Streaming.cpp (acquireWriteBuffer, releaseWriteBuffer, the transmit callback).
#pragma once

#include <deque>
#include <vector>

#include "station/meshair/transmit_chain.hpp"
#include "station/meshair/transmit_path.hpp"

namespace meshnet::meshair {

class TransferTransmit final : public TransmitPath {
public:
    TransferTransmit(const DeviceModel& model, const AirFacts& air);

    void set(const ChannelSettings& settings) override { chain_.set(settings); }
    void start(std::uint64_t ready_index) override;
    [[nodiscard]] std::size_t room() const override;
    [[nodiscard]] bool idle() const override { return transfers_.empty() && newest_ >= free_index_; }
    std::size_t write(std::span<const phy::Sample> samples, std::optional<std::uint64_t> tick, bool end) override;
    void stop() override;
    void on_air(std::uint64_t newest_index) override;
    void on_report(const sim::AirTxReport& report) override;

private:
    void hand_over_transfers();
    void end_signal();
    void send_made();
    [[nodiscard]] std::uint64_t soonest() const noexcept { return newest_ + air_.shortest_lead; }

    const DeviceModel& model_;
    AirFacts air_;
    TransmitChain chain_;
    bool running_ = false;
    bool sending_ = false;  // a signal is under way in the chain
    std::uint64_t newest_ = 0;
    std::uint64_t ready_ = 0;       // the switch has thrown
    std::uint64_t free_index_ = 0;  // first index of the air that nothing of ours occupies
    std::uint64_t margin_;          // samples ahead of soonest() at which a transfer leaves
    std::vector<phy::Sample> filling_;
    std::deque<std::vector<phy::Sample>> transfers_;  // full, waiting
    std::uint64_t made_at_ = 0;
    std::vector<phy::Sample> made_;  // the air's samples from made_at_ on
    std::uint64_t next_id_ = 1;
};

}  // namespace meshnet::meshair
