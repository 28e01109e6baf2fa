// SPDX-License-Identifier: MIT
// One mac and one net made into a node: pure, virtual time, nothing outside touched.
//
//     phy frames, IP packets, time -> [Node] -> TxRequest, IP packets, ledger batches
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/random.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"
#include "net/router.hpp"

namespace meshnet::node {

/// Hands MAC events to the router and fills the MAC's queues from it (pull: a packet is sealed only when the MAC has
/// room).
class Node {
public:
    struct Config {
        mac::Mac::Config mac;  ///< `self` 0: a link number is drawn, so that nobody can tell by it which node this is
        net::Router::Config router;
    };
    Node(Config config, const mac::PhyModel& phy, RandomSource& random, const net::LedgerState& restored);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void on_frame(Instant now, const mac::RxFrame& frame);
    void on_carrier(Instant now, bool busy);
    void on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome);
    void on_packet(Instant now, ByteView ip_packet);
    void on_persisted(Instant now, std::uint64_t batch);
    void on_timeout(Instant now);

    [[nodiscard]] std::optional<mac::TxRequest> poll_transmit(Instant now);
    [[nodiscard]] std::optional<Bytes> poll_packet();
    [[nodiscard]] std::optional<net::UndeliverablePacket> poll_undeliverable();
    [[nodiscard]] std::optional<net::LedgerBatch> poll_persist(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    [[nodiscard]] mac::Mac& mac() noexcept;
    [[nodiscard]] net::Router& router() noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::node
