// SPDX-License-Identifier: MIT
#include "node/node.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace meshnet::node {

namespace {

// Below this much room a frame would be mostly header: wait until the MAC has sent something.
constexpr std::size_t kSmallestFrameBytes = 256;

// A state machine whose next timeout is at or before the moment it was last woken at is woken after this instead: the
// loop around a Node always makes progress in time, whatever a part of it requests.
constexpr Duration kTimeoutGrain = 100us;

static_assert(net::kMaxFrameBytes <= mac::kMaxSduBytes);

/// The number by which the link layer names us.
Node::Config with_number(Node::Config config, RandomSource& random) {
    while (config.mac.self == 0 || config.mac.self == kBroadcast) {
        config.mac.self = static_cast<mac::StationId>(random.next_u64());
    }
    config.router.link = config.mac.self;
    config.mac.authenticated = true;
    return config;
}

}  // namespace

struct Node::Impl {
    Impl(Config config, const mac::PhyModel& phy, RandomSource& random, const net::LedgerState& restored)
        : answer_time(2 * (config.mac.turnaround + config.mac.max_burst)),
          mac(config.mac, phy, random),
          router(std::move(config.router), random, restored) {}

    net::LinkQuality translate(const mac::LinkQuality& q) const {
        net::LinkQuality out;
        out.rate_bps = q.rate_bps;
        out.loss = std::clamp(q.loss, 0.0, 1.0);
        out.airtime_us_per_kib = q.airtime_us_per_kib;
        // What a credit window must span is the time until an answer can be here: both ways, each behind a burst.
        out.round_trip = 2 * q.propagation + answer_time;
        out.snr_db = q.snr_db;
        out.link_class = net::LinkClass::kRadio;
        return out;
    }

    void drain_events(Instant now) {
        while (auto event = mac.poll_event()) {
            if (const auto* up = std::get_if<mac::LinkUp>(&*event)) {
                router.on_link_up(now, up->quality.peer, translate(up->quality));
            } else if (const auto* changed = std::get_if<mac::LinkChanged>(&*event)) {
                router.on_link_changed(now, changed->quality.peer, translate(changed->quality));
            } else if (const auto* down = std::get_if<mac::LinkDown>(&*event)) {
                router.on_link_down(now, down->peer);
            } else if (const auto* received = std::get_if<mac::Received>(&*event)) {
                router.on_frame(now, received->sdu.peer, received->sdu.bytes);
            } else if (const auto* unproven = std::get_if<mac::LinkUnproven>(&*event)) {
                router.on_link_unproven(now, unproven->peer);
            } else if (const auto* done = std::get_if<mac::SduDone>(&*event)) {
                router.on_frame_done(now, done->peer, done->delivered);
            }
            give_keys(now);
        }
    }

    void give_keys(Instant now) {
        while (const auto change = router.poll_link_key()) {
            if (change->keys) {
                mac.set_link_keys(now, change->link, {change->keys->send, change->keys->receive}, change->in_use);
            } else {
                mac.forget_link_keys(now, change->link);
            }
        }
    }

    // One frame per neighbour and turn, so that none fills the shared queue alone.
    void fill_mac(Instant now) {
        bool progress = true;
        while (progress) {
            progress = false;
            for (const net::NeighborId to : router.pending()) {
                // A handshake needs no room.
                std::size_t room = std::min(mac.room(to), net::kMaxFrameBytes);
                room = room < kSmallestFrameBytes ? 0 : room;
                auto frame = router.poll_transmit(now, to, room);
                if (!frame) {
                    continue;
                }
                // A refused frame is lost like one lost on the air; what matters is not to try again at once.
                mac::Sdu sdu{to, frame->priority, 0, std::move(frame->bytes), frame->open, frame->answer, 0};
                progress = mac.enqueue(now, std::move(sdu)) || progress;
            }
        }
    }

    Duration answer_time;
    mac::Mac mac;
    net::Router router;
    Instant last_timeout = Instant::min();
};

Node::Node(Config config, const mac::PhyModel& phy, RandomSource& random, const net::LedgerState& restored)
    : impl_(std::make_unique<Impl>(with_number(std::move(config), random), phy, random, restored)) {}
Node::~Node() = default;

void Node::on_frame(Instant now, const mac::RxFrame& frame) {
    impl_->mac.on_frame(now, frame);
    impl_->drain_events(now);
}

void Node::on_carrier(Instant now, bool busy) {
    impl_->mac.on_carrier(now, busy);
    impl_->drain_events(now);
}

void Node::on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome) {
    impl_->mac.on_transmitted(now, id, outcome);
    impl_->drain_events(now);
}

void Node::on_packet(Instant now, ByteView ip_packet) {
    impl_->router.on_packet(now, ip_packet);
}

void Node::on_persisted(Instant now, std::uint64_t batch) {
    impl_->router.on_persisted(now, batch);
}

void Node::on_timeout(Instant now) {
    impl_->last_timeout = now;
    impl_->mac.on_timeout(now);
    impl_->drain_events(now);
    impl_->router.on_timeout(now);
    impl_->give_keys(now);
    impl_->drain_events(now);
}

std::optional<mac::TxRequest> Node::poll_transmit(Instant now) {
    impl_->drain_events(now);
    impl_->fill_mac(now);
    auto request = impl_->mac.poll_transmit(now);
    impl_->drain_events(now);
    return request;
}

std::optional<Bytes> Node::poll_packet() {
    return impl_->router.poll_packet();
}

std::optional<net::UndeliverablePacket> Node::poll_undeliverable() {
    return impl_->router.poll_undeliverable();
}

std::optional<net::LedgerBatch> Node::poll_persist(Instant now) {
    return impl_->router.poll_persist(now);
}

std::optional<Instant> Node::next_timeout() const {
    auto earliest = impl_->mac.next_timeout();
    if (const auto other = impl_->router.next_timeout(); other && (!earliest || *other < *earliest)) {
        earliest = other;
    }
    if (earliest && impl_->last_timeout != Instant::min()) {
        earliest = std::max(*earliest, impl_->last_timeout + kTimeoutGrain);
    }
    return earliest;
}

mac::Mac& Node::mac() noexcept {
    return impl_->mac;
}
net::Router& Node::router() noexcept {
    return impl_->router;
}

}  // namespace meshnet::node
