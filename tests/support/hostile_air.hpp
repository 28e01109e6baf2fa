// SPDX-License-Identifier: MIT
// Whole nodes in virtual time on one air, and a forger: a radio without keys that hears everything and may send
// anything at any time.
//
//     forge(payload) -> [HostileAir: everybody hears everybody, what two send at once is lost] -> unchanged nodes
//
// A frame is preamble and header, 2 ms, then code blocks of 1000 bytes; another at the same time spoils the blocks it
// meets, or the frame if that is its beginning. The forger hears each burst whole, also while it sends itself: the
// worst case. One seed, one history.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "mac/frame_format.hpp"
#include "node/node.hpp"

namespace meshnet::test {

class HostileAir {
public:
    /// Four modes of 250, 500, 1000, 2000 kbit/s; 2 ms of preamble and header.
    class Phy final : public mac::PhyModel {
    public:
        [[nodiscard]] std::size_t mode_count() const override { return 4; }
        [[nodiscard]] Duration airtime(mac::ModeIndex mode, std::size_t bytes) const override {
            return 2ms + from_seconds(8.0 * static_cast<double>(bytes) / payload_rate_bps(mode));
        }
        [[nodiscard]] std::size_t max_bytes() const override { return 24'576; }
        [[nodiscard]] float required_snr_db(mac::ModeIndex mode) const override {
            return 3.0F * static_cast<float>(mode) - 3.0F;
        }
        [[nodiscard]] double payload_rate_bps(mac::ModeIndex mode) const override {
            return 250e3 * static_cast<double>(1U << mode);
        }
    };

    explicit HostileAir(std::uint64_t seed) : random(seed * 7'919 + 3), seed_(seed) {}

    /// A node that is switched on now.
    std::size_t add() {
        stations_.push_back(std::make_unique<Station>(seed_ * 100 + stations_.size()));
        Station& s = *stations_.back();
        s.identity = net::Identity::generate(s.random).to_text();
        restart(stations_.size() - 1);
        return stations_.size() - 1;
    }
    /// The node has lost all but its key, and is back at once.
    void restart(std::size_t i) {
        Station& s = *stations_[i];
        node::Node::Config config;
        auto identity = net::Identity::from_text(s.identity);
        config.router.identity = std::move(*identity);
        config.mac.queue_bytes = 32'768;
        s.node = std::make_unique<node::Node>(std::move(config), phy_, s.random, net::LedgerState{});
        s.number = 0;
        pump(i);
    }
    /// The number by which the link layer names a node, as the forger has heard it.
    [[nodiscard]] mac::StationId number(std::size_t i) const { return stations_[i]->number; }
    [[nodiscard]] node::Node& node(std::size_t i) { return *stations_[i]->node; }
    [[nodiscard]] std::size_t size() const { return stations_.size(); }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] const Phy& phy() const { return phy_; }
    [[nodiscard]] std::uint64_t delivered_bytes(std::size_t i) const { return stations_[i]->delivered; }
    [[nodiscard]] Duration airtime(std::size_t i) const { return stations_[i]->airtime; }
    [[nodiscard]] Duration forged_airtime() const { return forged_airtime_; }
    [[nodiscard]] bool session(std::size_t a, std::size_t b) {
        for (const auto& n : node(a).router().neighbors()) {
            if (n.session_up && n.id == node(b).router().id()) {
                return true;
            }
        }
        return false;
    }

    /// The forger sends now. All hear it at `snr_db`.
    void forge(const Bytes& payload, mac::ModeIndex mode = 3, float snr_db = 12.0F) {
        mac::TxRequest request;
        request.payload = payload;
        request.mode = mode;
        request.at = now_;
        forged_airtime_ += phy_.airtime(mode, payload.size());
        air(kForger, request, snr_db);
    }
    void forge(const mac::Burst& burst, mac::ModeIndex mode = 3, float snr_db = 12.0F) {
        forge(mac::encode_burst(burst, false, no_keys()), mode, snr_db);
    }
    /// Keys that nobody else has.
    [[nodiscard]] mac::SendKeys no_keys() {
        return [this](mac::StationId) -> const mac::TagKey* {
            random.fill(key_);
            return &key_;
        };
    }
    /// What the forger hears, from which node.
    std::function<void(std::size_t from, const mac::TxRequest& request)> on_heard;

    void at(Instant when, std::function<void()> what) { events_.emplace(std::max(when, now_), std::move(what)); }
    /// Every `interval` from now on, until `end`.
    void every(Duration interval, Instant end, std::function<void()> what) {
        at(now_, [this, interval, end, what = std::move(what)] { repeat(interval, end, what); });
    }

    /// IPv6 with "no next header" inside (RFC 8200, 4.7).
    void send(std::size_t from, std::size_t to, std::size_t size) {
        Bytes out;
        ByteWriter w(out);
        w.u32(0x6000'0000);
        w.u16(static_cast<std::uint16_t>(size));
        w.u8(59);
        w.u8(64);
        w.bytes(node(from).router().address());
        w.bytes(node(to).router().address());
        Bytes payload(size);
        random.fill(payload);
        w.bytes(payload);
        node(from).on_packet(now_, out);
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
    void run_for(Duration time) { run_until(now_ + time); }

    Rng random;

private:
    static constexpr std::size_t kForger = ~std::size_t{0};

    struct Arrival {
        std::uint64_t frame = 0;
        Instant begin{};
        Instant end{};
        bool own = false;
    };
    struct Station {
        explicit Station(std::uint64_t seed) : random(seed) {}
        Rng random;
        std::string identity;
        std::unique_ptr<node::Node> node;
        mac::StationId number = 0;
        std::uint64_t delivered = 0;
        Duration airtime{};
        Instant transmits_until{};      // transmitting
        std::vector<Arrival> arrivals;  // of the last seconds, and what it sent itself
    };

    void repeat(Duration interval, Instant end, const std::function<void()>& what) {
        what();
        if (now_ + interval < end) {
            at(now_ + interval, [this, interval, end, what] { repeat(interval, end, what); });
        }
    }

    void pump(std::size_t i) {
        while (auto request = node(i).poll_transmit(now_)) {
            transmit(i, *request);
        }
        while (const auto packet = node(i).poll_packet()) {
            stations_[i]->delivered += packet->size();
        }
        while (const auto batch = node(i).poll_persist(now_)) {
            at(now_ + 5ms, [this, i, number = batch->number] {
                node(i).on_persisted(now_, number);
                pump(i);
            });
        }
    }

    void transmit(std::size_t i, const mac::TxRequest& request) {
        Station& s = *stations_[i];
        const Duration airtime = phy_.airtime(request.mode, request.payload.size());
        s.airtime += airtime;
        if (const auto burst = mac::parse_burst(request.payload)) {
            s.number = burst->header.sender;
        }
        const Instant begin = std::max(request.at, now_);
        at(begin, [this, i, end = begin + airtime] {
            Station& sender = *stations_[i];
            sender.transmits_until = std::max(sender.transmits_until, end);
            sender.arrivals.push_back({++frames_, now_, end, true});
        });
        at(begin + airtime, [this, i, request] {
            node(i).on_transmitted(now_, request.id, mac::TxOutcome::kSent);
            pump(i);
            if (on_heard) {
                on_heard(i, request);
            }
        });
        air(i, request, 12.0F);
    }

    void air(std::size_t from, const mac::TxRequest& request, float snr_db) {
        const Instant begin = std::max(request.at, now_) + 100us;
        const Instant end = begin + phy_.airtime(request.mode, request.payload.size());
        const std::uint64_t frame = ++frames_;
        for (std::size_t j = 0; j < stations_.size(); ++j) {
            if (j != from) {
                at(begin, [this, j, frame, end] { begin_reception(j, frame, end); });
                at(end, [this, j, frame, begin, request, snr_db] { end_reception(j, frame, begin, request, snr_db); });
            }
        }
    }

    void begin_reception(std::size_t j, std::uint64_t frame, Instant end) {
        Station& s = *stations_[j];
        const bool idle = std::none_of(s.arrivals.begin(), s.arrivals.end(),
                                       [&](const Arrival& a) { return !a.own && a.begin <= now_ && a.end > now_; });
        std::erase_if(s.arrivals, [&](const Arrival& a) { return a.end + 2s < now_; });
        s.arrivals.push_back({frame, now_, end, false});
        if (idle && now_ >= s.transmits_until) {
            node(j).on_carrier(now_, true);
        }
        pump(j);
    }

    /// Is any of [from, to) at this station spoilt for a frame?
    [[nodiscard]] static bool spoilt(const Station& s, std::uint64_t frame, Instant from, Instant to) {
        return std::any_of(s.arrivals.begin(), s.arrivals.end(),
                           [&](const Arrival& a) { return a.frame != frame && a.begin < to && a.end > from; });
    }

    void end_reception(std::size_t j, std::uint64_t frame, Instant start, const mac::TxRequest& request, float snr_db) {
        Station& s = *stations_[j];
        if (!spoilt(s, frame, start, start + 2ms)) {
            mac::RxFrame rx;
            rx.start = start;
            rx.end = now_;
            rx.mode = request.mode;
            rx.snr_db = snr_db;
            rx.payload = request.payload;
            const std::size_t size = rx.payload.size();
            const auto when = [&](std::size_t byte) {
                return start + 2ms +
                       (now_ - start - 2ms) * static_cast<std::int64_t>(byte) / static_cast<std::int64_t>(size);
            };
            for (std::size_t offset = 0; offset < size; offset += 1'000) {
                const std::size_t length = std::min<std::size_t>(1'000, size - offset);
                const bool ok = !spoilt(s, frame, when(offset), when(offset + length));
                rx.segments.push_back({offset, length, ok});
                for (std::size_t k = 0; !ok && k < length; ++k) {
                    rx.payload[offset + k] = static_cast<std::uint8_t>(random.next_u64());
                }
            }
            node(j).on_frame(now_, rx);
        }
        const bool idle = std::none_of(s.arrivals.begin(), s.arrivals.end(),
                                       [&](const Arrival& a) { return !a.own && a.begin <= now_ && a.end > now_; });
        if (idle) {
            node(j).on_carrier(now_, false);
        }
        pump(j);
    }

    Phy phy_;
    std::uint64_t seed_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::multimap<Instant, std::function<void()>> events_;
    mac::TagKey key_{};
    Instant now_ = instant_from_ns(1'000'000'000);
    std::uint64_t frames_ = 0;
    Duration forged_airtime_{};
};

}  // namespace meshnet::test
