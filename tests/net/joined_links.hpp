// SPDX-License-Identifier: MIT
// Two link tables joined by a wire without loss or delay, for tests of the parts of a router.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "core/random.hpp"
#include "net/identity_secrets.hpp"
#include "net/link_table.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net::test {

/// A gate that lets every packet pass and counts them.
class OpenGate final : public DataGate {
public:
    [[nodiscard]] bool may_send(NeighborId, std::uint32_t) const override { return open; }
    void on_sent(Instant, NeighborId, const FlowQueue::Packet& packet) override { sent.push_back(packet.sequence); }
    bool open = true;
    std::vector<std::uint32_t> sent;
};

struct JoinedLinks {
    struct End {
        Identity identity;
        NeighborId link = 0;
        RouterCounters counters;
        OpenGate gate;
        std::unique_ptr<LinkTable> links;
        std::vector<Bytes> received;  // plaintexts of frames that hold messages
        int sessions = 0;
    };

    explicit JoinedLinks(const LinkTable::Config& config = {}) {
        crypto_init();
        for (End& e : ends) {
            e.identity = Identity::generate(random);
            e.link = e.identity.station_id();
        }
        if (ends[1].link < ends[0].link) {  // 0 has the lower number and starts handshakes
            std::swap(ends[0].identity, ends[1].identity);
            std::swap(ends[0].link, ends[1].link);
        }
        for (End& e : ends) {
            e.links = std::make_unique<LinkTable>(config, e.identity.secrets(), e.link, random, e.counters);
        }
    }
    /// Both link layers report the other; runs until nothing is left to send.
    void join() {
        for (std::size_t i = 0; i < 2; ++i) {
            (void)ends[i].links->up(now, ends[1 - i].link, {});
        }
        for (End& e : ends) {
            e.links->on_timeout(now);
        }
        carry();
    }
    /// One frame of `from`, sealed.
    std::optional<OutFrame> poll(std::size_t from, std::size_t max_bytes = 4'000) {
        return ends[from].links->poll_transmit(now, ends[1 - from].link, max_bytes, ends[from].gate);
    }
    void deliver(std::size_t to, const Bytes& frame) {
        const LinkTable::Heard heard = ends[to].links->on_frame(now, ends[1 - to].link, frame);
        if (heard.session_up) {
            ++ends[to].sessions;
            ends[to].links->send_control(ends[1 - to].link, {static_cast<std::uint8_t>(MessageType::kKeepalive)});
        }
        if (heard.plain) {
            ends[to].received.push_back(*heard.plain);
        }
    }
    void carry() {
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < 2; ++i) {
                while (const auto frame = poll(i)) {
                    any = true;
                    deliver(1 - i, frame->bytes);
                }
            }
        }
    }
    void advance(Duration d) {
        now += d;
        for (End& e : ends) {
            e.links->on_timeout(now);
        }
        carry();
    }
    /// The control messages that end `i` received since the last call, keepalives apart.
    std::vector<std::pair<MessageType, Bytes>> messages(std::size_t i) {
        std::vector<std::pair<MessageType, Bytes>> out;
        for (const Bytes& plain : ends[i].received) {
            MessageReader reader(plain);
            while (const auto m = reader.next()) {
                if (const auto* c = std::get_if<ControlMessage>(&*m);
                    c != nullptr && c->type != MessageType::kKeepalive) {
                    out.emplace_back(c->type, Bytes(c->body.begin(), c->body.end()));
                }
            }
        }
        ends[i].received.clear();
        return out;
    }

    Rng random{3};
    Instant now = instant_from_ns(1'000'000'000);
    std::array<End, 2> ends;
};

}  // namespace meshnet::net::test
