// SPDX-License-Identifier: GPL-3.0-or-later
// Reliable file transfer over packets that may be lost, duplicated or late, for stations without TUN.
//
// Two pure state machines; the caller sends their messages in UDP/IPv6 packets (transfer_packet.hpp).
// Sender: window by additive increase and halving on loss (Chiu and Jain 1989), time-out after RFC 6298, loss by three
// later arrivals. Receiver: cumulative and selective acknowledgement, one for every second chunk or after 50 ms.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "apps/transfer/transfer_packet.hpp"
#include "core/time.hpp"

namespace meshnet::apps {

[[nodiscard]] Sha256 sha256(ByteView bytes);

/// Sends one file.
class TransferSender {
public:
    /// `transfer`: any number not used before with this receiver. `file`: at most kMaxTransferBytes.
    TransferSender(std::uint64_t transfer, std::string name, Bytes file);

    void on_message(Instant now, const TransferMessage& message);
    [[nodiscard]] std::optional<TransferMessage> poll_transmit(Instant now);
    /// When poll_transmit() must be called again if nothing happens; none when finished.
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    enum class State { kRunning, kDone, kDamaged, kRefused };
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] std::uint64_t bytes_acknowledged() const noexcept;
    [[nodiscard]] std::uint64_t retransmissions() const noexcept { return retransmissions_; }
    /// Smoothed round trip, 0 if not yet known.
    [[nodiscard]] Duration round_trip() const noexcept { return srtt_; }

private:
    struct Chunk {
        bool acknowledged = false;
        bool in_flight = false;
        std::uint64_t sent_order = 0;  // of its newest transmission; 0: never sent
    };
    void on_ack(Instant now, const TransferAck& ack);
    void measure(Duration sample);
    void detect_losses();
    [[nodiscard]] std::optional<std::uint32_t> next_chunk() const;

    std::uint64_t transfer_;
    std::string name_;
    Bytes file_;
    Sha256 digest_;
    std::vector<Chunk> chunks_;
    std::uint32_t first_open_ = 0;  // first chunk not acknowledged
    std::uint32_t next_new_ = 0;    // first chunk never sent
    std::size_t in_flight_ = 0;
    std::uint64_t sent_ = 0;  // transmissions so far
    std::uint64_t newest_acknowledged_ = 0, recovery_until_ = 0;
    std::uint64_t retransmissions_ = 0;
    double window_ = 4.0, threshold_ = 64.0;
    Duration srtt_{}, rttvar_{}, rto_ = 2s;
    std::optional<Instant> timer_;
    bool accepted_ = false;
    State state_ = State::kRunning;
};

/// Receives one file.
class TransferReceiver {
public:
    TransferReceiver(std::uint64_t transfer, const TransferOpen& open);

    void on_message(Instant now, const TransferMessage& message);
    [[nodiscard]] std::optional<TransferMessage> poll_transmit(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const { return acknowledge_at_; }

    [[nodiscard]] bool complete() const noexcept { return missing_ == 0; }
    /// After complete(): the digest is the one announced.
    [[nodiscard]] bool intact() const noexcept { return intact_; }
    [[nodiscard]] const Bytes& file() const noexcept { return file_; }
    [[nodiscard]] const TransferOpen& open() const noexcept { return open_; }
    [[nodiscard]] std::uint64_t transfer() const noexcept { return transfer_; }
    [[nodiscard]] std::uint64_t bytes_received() const noexcept { return received_; }

private:
    void finish();

    std::uint64_t transfer_;
    TransferOpen open_;
    Bytes file_;
    std::vector<bool> have_;
    std::size_t missing_;
    std::uint32_t next_ = 0;
    std::uint64_t received_ = 0, newest_stamp_ = 0;
    unsigned unacknowledged_ = 0;
    bool intact_ = false;
    std::optional<Instant> acknowledge_at_;
};

}  // namespace meshnet::apps
