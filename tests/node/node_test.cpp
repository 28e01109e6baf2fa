// SPDX-License-Identifier: MIT
// Nodes in virtual time over a small air: who is a neighbour hears a frame after 0.2 ms, two frames at once destroy
// each other.
#include "node/node.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "core/random.hpp"

namespace meshnet::node {
namespace {

/// Four modes of 250, 500, 1000, 2000 kbit/s; 2 ms of preamble and header.
class TablePhy final : public mac::PhyModel {
public:
    std::size_t mode_count() const override { return 4; }
    Duration airtime(mac::ModeIndex mode, std::size_t bytes) const override {
        return 2ms + from_seconds(8.0 * static_cast<double>(bytes) / payload_rate_bps(mode));
    }
    std::size_t max_bytes() const override { return 24'576; }
    float required_snr_db(mac::ModeIndex mode) const override { return 3.0F * static_cast<float>(mode) - 3.0F; }
    double payload_rate_bps(mac::ModeIndex mode) const override { return 250e3 * static_cast<double>(1U << mode); }
};

class World {
public:
    World(std::size_t count, std::vector<std::pair<std::size_t, std::size_t>> links, std::uint64_t seed) {
        for (std::size_t i = 0; i < count; ++i) {
            auto& s = stations_.emplace_back(std::make_unique<Station>(seed * 100 + i));
            Node::Config config;
            config.router.identity = net::Identity::generate(s->random);
            config.mac.queue_bytes = 32'768;
            s->node = std::make_unique<Node>(std::move(config), phy_, s->random, net::LedgerState{});
        }
        for (const auto& [a, b] : links) {
            stations_[a]->hears.push_back(b);
            stations_[b]->hears.push_back(a);
        }
    }

    Node& node(std::size_t i) { return *stations_[i]->node; }
    net::Address address(std::size_t i) { return node(i).router().address(); }
    std::vector<Bytes>& delivered(std::size_t i) { return stations_[i]->delivered; }
    Instant now() const { return now_; }
    std::uint64_t hash() const { return hash_; }
    std::size_t most_wakes_at_once() const { return most_wakes_; }

    void send(std::size_t from, const Bytes& packet) {
        node(from).on_packet(now_, packet);
        pump(from);
    }

    void run_until(Instant end) {
        while (now_ < end) {
            Instant next = end;
            if (!events_.empty()) {
                next = std::min(next, events_.begin()->first);
            }
            for (const auto& s : stations_) {
                if (const auto t = s->node->next_timeout()) {
                    next = std::min(next, *t);
                }
            }
            wakes_ = next <= now_ ? wakes_ + 1 : 0;
            most_wakes_ = std::max(most_wakes_, wakes_);
            ASSERT_LT(wakes_, 1'000U) << "a busy loop";
            now_ = std::max(now_, next);
            while (!events_.empty() && events_.begin()->first <= now_) {
                const auto event = std::move(events_.begin()->second);
                events_.erase(events_.begin());
                event();
            }
            for (std::size_t i = 0; i < stations_.size(); ++i) {
                if (const auto t = node(i).next_timeout(); t && *t <= now_) {
                    node(i).on_timeout(now_);
                }
                pump(i);
            }
        }
    }

private:
    struct Station {
        explicit Station(std::uint64_t seed) : random(seed) {}
        Rng random;
        std::unique_ptr<Node> node;
        std::vector<std::size_t> hears;
        std::vector<Bytes> delivered;
        Instant deaf_until{};              // transmitting
        std::vector<std::uint64_t> heard;  // frames now in the air here
        std::set<std::uint64_t> spoilt;    // of those, the destroyed
    };

    void pump(std::size_t i) {
        while (auto request = node(i).poll_transmit(now_)) {
            transmit(i, *request);
        }
        while (auto packet = node(i).poll_packet()) {
            stations_[i]->delivered.push_back(std::move(*packet));
        }
        while (const auto batch = node(i).poll_persist(now_)) {
            at(now_ + 20ms, [this, i, number = batch->number] {
                node(i).on_persisted(now_, number);
                pump(i);
            });
        }
    }

    void transmit(std::size_t i, const mac::TxRequest& request) {
        for (const std::uint8_t b : request.payload) {
            hash_ = (hash_ ^ b) * 0x100000001b3ULL;  // FNV-1a
        }
        hash_ = (hash_ ^ static_cast<std::uint64_t>(to_ns(request.at))) * 0x100000001b3ULL;
        const Instant begin = std::max(request.at, now_);
        const Instant end = begin + phy_.airtime(request.mode, request.payload.size());
        const std::uint64_t frame = ++frames_;
        at(begin, [this, i, end] {
            auto& s = *stations_[i];
            s.deaf_until = std::max(s.deaf_until, end);
            s.spoilt.insert(s.heard.begin(), s.heard.end());
        });
        at(end, [this, i, id = request.id] {
            node(i).on_transmitted(now_, id, mac::TxOutcome::kSent);
            pump(i);
        });
        for (const std::size_t j : stations_[i]->hears) {
            at(begin + 200us, [this, j, frame] { begin_reception(j, frame); });
            at(end + 200us, [this, j, frame, begin, request] { end_reception(j, frame, begin + 200us, request); });
        }
    }

    void begin_reception(std::size_t j, std::uint64_t frame) {
        auto& s = *stations_[j];
        if (now_ < s.deaf_until) {
            s.spoilt.insert(frame);
        } else if (s.heard.empty()) {
            node(j).on_carrier(now_, true);
        }
        if (!s.heard.empty()) {
            s.spoilt.insert(s.heard.begin(), s.heard.end());
            s.spoilt.insert(frame);
        }
        s.heard.push_back(frame);
        pump(j);
    }

    void end_reception(std::size_t j, std::uint64_t frame, Instant start, const mac::TxRequest& request) {
        auto& s = *stations_[j];
        std::erase(s.heard, frame);
        if (s.spoilt.erase(frame) == 0) {
            mac::RxFrame rx;
            rx.start = start;
            rx.end = now_;
            rx.mode = request.mode;
            rx.snr_db = 12.0F;
            rx.payload = request.payload;
            rx.segments = {{0, request.payload.size(), true}};
            node(j).on_frame(now_, rx);
        }
        if (s.heard.empty()) {
            node(j).on_carrier(now_, false);
        }
        pump(j);
    }

    void at(Instant when, std::function<void()> what) { events_.emplace(when, std::move(what)); }

    TablePhy phy_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::multimap<Instant, std::function<void()>> events_;
    Instant now_{};
    std::uint64_t frames_ = 0, hash_ = 0xcbf29ce484222325ULL;
    std::size_t wakes_ = 0, most_wakes_ = 0;
};

Bytes packet(World& world, std::size_t from, std::size_t to, std::uint64_t mark, std::size_t size = 600) {
    // IPv6 with "no next header" inside (RFC 8200, 4.7): the network carries it like any other.
    Bytes out;
    ByteWriter w(out);
    w.u32(0x6000'0000);
    w.u16(static_cast<std::uint16_t>(size));
    w.u8(59);
    w.u8(64);
    w.bytes(world.address(from));
    w.bytes(world.address(to));
    Bytes payload(size);
    Rng(mark).fill(payload);
    w.bytes(payload);
    return out;
}

TEST(Node, TwoNodesCarryPacketsBothWaysUnchanged) {
    World world(2, {{0, 1}}, 1);
    world.run_until(Instant{6s});
    ASSERT_EQ(world.node(0).router().neighbors().size(), 1U);
    EXPECT_TRUE(world.node(0).router().neighbors()[0].session_up);
    const Bytes there = packet(world, 0, 1, 7);
    const Bytes back = packet(world, 1, 0, 8);
    world.send(0, there);
    world.send(1, back);
    world.run_until(Instant{12s});
    ASSERT_EQ(world.delivered(1).size(), 1U);
    ASSERT_EQ(world.delivered(0).size(), 1U);
    EXPECT_EQ(world.delivered(1)[0], there);
    EXPECT_EQ(world.delivered(0)[0], back);
}

TEST(Node, LinkQualityReachesTheRouter) {
    World world(2, {{0, 1}}, 2);
    world.run_until(Instant{8s});
    const auto neighbors = world.node(0).router().neighbors();
    ASSERT_EQ(neighbors.size(), 1U);
    EXPECT_FLOAT_EQ(neighbors[0].quality.snr_db, 12.0F);
    EXPECT_GT(neighbors[0].quality.rate_bps, 0.0);
    EXPECT_GE(neighbors[0].quality.round_trip, 2 * (5ms + 200ms)) << "an answer waits behind a burst on either side";
    EXPECT_EQ(neighbors[0].quality.link_class, net::LinkClass::kRadio);
}

TEST(Node, ARelayCarriesForTwoThatCannotHearEachOther) {
    World world(3, {{0, 1}, {1, 2}}, 3);
    world.run_until(Instant{15s});
    std::vector<Bytes> sent;
    for (std::uint64_t i = 0; i < 20; ++i) {
        sent.push_back(packet(world, 0, 2, i, 1'000));
        world.send(0, sent.back());
    }
    world.run_until(Instant{30s});
    EXPECT_EQ(world.delivered(2), sent) << "every packet, once, in order";
    EXPECT_GE(world.node(1).router().counters().packets_forwarded, 20U);
}

TEST(Node, TheMacIsNeverGivenMoreThanItHasRoomFor) {
    World world(2, {{0, 1}}, 4);
    world.run_until(Instant{6s});
    for (std::uint64_t i = 0; i < 300; ++i) {
        world.send(0, packet(world, 0, 1, i, 1'200));
    }
    world.run_until(Instant{12s});
    EXPECT_EQ(world.node(0).mac().counters().sdus_refused, 0U);
    EXPECT_GT(world.delivered(1).size(), 30U);
}

TEST(Node, NeverAsksToBeWokenAtTheMomentItWasWoken) {
    World world(3, {{0, 1}, {1, 2}}, 5);
    world.run_until(Instant{20s});
    EXPECT_LT(world.most_wakes_at_once(), 20U);
    for (std::size_t i = 0; i < 3; ++i) {
        world.node(i).on_timeout(world.now());
        const auto next = world.node(i).next_timeout();
        ASSERT_TRUE(next.has_value());
        EXPECT_GT(*next, world.now());
    }
}

TEST(Node, SameSeedSameFrames) {
    const auto hash_of = [](std::uint64_t seed) {
        World world(3, {{0, 1}, {1, 2}}, seed);
        world.run_until(Instant{10s});
        world.send(0, packet(world, 0, 2, 1));
        world.run_until(Instant{14s});
        return world.hash();
    };
    EXPECT_EQ(hash_of(6), hash_of(6));
    EXPECT_NE(hash_of(6), hash_of(7));
}

}  // namespace
}  // namespace meshnet::node
