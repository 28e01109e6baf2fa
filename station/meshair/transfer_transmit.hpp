// SPDX-License-Identifier: GPL-3.0-or-later
// Transmission of a radio that knows no time (model=hackrf): samples fill USB transfers, a transfer is handed over only
// when it is full, and goes out as soon as it can. Times and ends of bursts mean nothing; a short burst waits until the
// caller's padding, or the next burst, fills its transfer.
//
//     write() -> filling -> transfers that wait -> some in flight on the bus -> the air
//
// With transfers in flight, whenever the bus takes one and none waits, it takes zeros, and the device has an underflow
// to report. The stream begins before anything can be written: the first transfers in flight are zeros. When it stops,
// those in flight are lost. Without, a transfer goes out when it is there, and an underflow ends every burst.
//
// Source: SoapyHackRF, HackRF_Streaming.cpp (acquireWriteBuffer, releaseWriteBuffer, hackrf_tx_callback,
// readStreamStatus, activateStream); libhackrf, hackrf.c (TRANSFER_COUNT, prepare_transfers, hackrf_stop_tx).
#pragma once

#include <deque>
#include <vector>

#include "station/meshair/transmit_chain.hpp"
#include "station/meshair/transmit_path.hpp"

namespace meshnet::meshair {

class TransferTransmit final : public TransmitPath {
public:
    TransferTransmit(const DeviceModel& model, const AirFacts& air, std::size_t in_flight);

    void set(const ChannelSettings& settings) override { chain_.set(settings); }
    void start(std::uint64_t ready_index) override;
    [[nodiscard]] std::size_t room() const override;
    /// As SoapyHackRF sees it: those in flight do not count.
    [[nodiscard]] bool idle() const override {
        return transfers_.empty() && (in_flight_ > 0 || newest_ >= free_index_);
    }
    std::size_t write(std::span<const phy::Sample> samples, std::optional<std::uint64_t> tick, bool end) override;
    void stop() override;
    void on_air(std::uint64_t newest_index) override;
    void on_report(const sim::AirTxReport& report) override;

private:
    void take_for_bus();
    void complete_transfers();
    void follow_air();
    void hand_over_directly();
    [[nodiscard]] std::uint64_t next_index() { return sending_ ? chain_.next_index() : chain_.first_index_of(tick_); }
    void give_to_air(const std::vector<phy::Sample>& transfer);
    void hand_over_transfers();
    void end_signal();
    void send_made();
    [[nodiscard]] std::uint64_t soonest() const noexcept { return newest_ + air_.shortest_lead; }

    const DeviceModel& model_;
    AirFacts air_;
    std::size_t in_flight_;  // transfers
    TransmitChain chain_;
    bool running_ = false;
    bool sending_ = false;  // a signal is under way in the chain
    std::uint64_t newest_ = 0;
    std::uint64_t ready_ = 0;       // the switch has thrown
    std::uint64_t tick_ = 0;        // of the device, at which the next transfer that the air gets begins
    std::uint64_t free_index_ = 0;  // first index of the air that nothing of ours occupies
    std::uint64_t margin_;          // samples ahead of soonest() at which a transfer leaves
    std::vector<phy::Sample> filling_;
    std::deque<std::vector<phy::Sample>> transfers_;  // full, waiting
    std::deque<std::vector<phy::Sample>> bus_;        // in flight; empty: zeros
    std::size_t given_ = 0;                           // of those, how many the air has already
    std::uint64_t made_at_ = 0;
    std::vector<phy::Sample> made_;  // the air's samples from made_at_ on
    std::uint64_t next_id_ = 1;
};

}  // namespace meshnet::meshair
