// SPDX-License-Identifier: MIT
// A small shared medium in virtual time for tests of mac/: stations, pairwise delay and SNR, half duplex, collisions,
// block losses.
//
// Model. A frame is preamble and header, then code blocks of 1000 bytes. At a receiver a stretch is lost while it sends
// itself, or while another frame arrives there that is not 10 dB weaker; a lost preamble or header loses the frame.
// Each block is also lost with a logistic probability that is 1e-2 at the mode's required SNR. Lost blocks are
// delivered as noise and marked. Everything is drawn from one seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "mac/mac.hpp"
#include "tests/support/table_phy.hpp"

namespace meshnet::mac::test {

using meshnet::test::TablePhy;

class Medium {
public:
    struct Link {
        bool hears = false;
        Duration delay{};
        float snr_db = 0.0F;
    };
    struct Station {
        std::unique_ptr<Rng> random;
        std::unique_ptr<Mac> mac;
        Mac::Config config;
        std::int64_t clock_offset_ns = 0;
        std::int64_t clock_ppb = 0;
        Duration decode_time = 4ms;  ///< end of frame at the antenna to on_frame
        Duration needs_lead{};       ///< bursts delivered to the radio later than this before their time are late
        double late_share = 0.0;     ///< bursts the radio is late for
        Duration slip{};             ///< of the turn under way: how late it starts
        Instant turn_end{};          ///< as the Mac asked for it
        Duration switching{};        ///< blind so long before a burst; the radio tells its Mac jitter and recovery
        RadioTiming timing{};        ///< of the radio: set with set_timing()
        bool alive = true;
        std::uint64_t incarnation = 0;
        std::vector<std::pair<Instant, Instant>> sent;  ///< true time
        std::function<void(Instant local, const Event&)> on_event;
        std::function<void(Instant local)> on_service;  ///< after events were taken: fill queues here
        Instant wake = Instant::max();
        int busy = 0;
    };

    explicit Medium(std::uint64_t seed) : seed_(seed), random_(seed) {}

    std::size_t add(Mac::Config config) {
        auto s = std::make_unique<Station>();
        if (config.self == 0) {
            config.self = static_cast<StationId>(100 + stations_.size());
        }
        s->config = config;
        s->decode_time = config.turnaround * 4 / 5;
        stations_.push_back(std::move(s));
        start(stations_.size() - 1);
        return stations_.size() - 1;
    }
    /// A radio without time stamps: bursts start up to `timing.jitter` late, it is blind for `switching` before them
    /// and for `timing.recovery` after their end.
    void set_timing(std::size_t i, const RadioTiming& timing, Duration switching) {
        stations_[i]->timing = timing;
        stations_[i]->switching = switching;
        stations_[i]->mac->set_radio_timing(local(i), timing);
    }
    void connect(std::size_t a, std::size_t b, Duration delay, float snr_db) {
        links_[{a, b}] = links_[{b, a}] = Link{true, delay, snr_db};
    }
    void set_snr(std::size_t from, std::size_t to, float snr_db) { links_[{from, to}].snr_db = snr_db; }
    void set_hears(std::size_t a, std::size_t b, bool hears) {
        links_[{a, b}].hears = hears;
        links_[{b, a}].hears = hears;
    }

    /// A new Mac with nothing remembered in place of the old.
    void start(std::size_t i) {
        Station& s = *stations_[i];
        ++s.incarnation;
        s.alive = true;
        s.random = std::make_unique<Rng>(seed_ * 1'000 + i * 17 + s.incarnation * 7'919);
        s.mac = std::make_unique<Mac>(s.config, phy_, *s.random);
        s.mac->set_radio_timing(local(i), s.timing);
        s.wake = Instant::max();
        if (s.busy > 0) {
            s.mac->on_carrier(local(i), true);
        }
        at(now_, [this, i] { service(i); });
    }
    void stop(std::size_t i) {
        stations_[i]->alive = false;
        ++stations_[i]->incarnation;
    }

    void run_until(Instant end) {
        while (!queue_.empty() && queue_.top().when <= end) {
            auto action = queue_.top().action;
            now_ = queue_.top().when;
            queue_.pop();
            action();
        }
        now_ = std::max(now_, end);
    }
    void at(Instant when, std::function<void()> action) {
        queue_.push({std::max(when, now_), order_++, std::move(action)});
    }

    [[nodiscard]] Station& operator[](std::size_t i) { return *stations_[i]; }
    [[nodiscard]] Mac& mac(std::size_t i) { return *stations_[i]->mac; }
    [[nodiscard]] StationId id(std::size_t i) const { return stations_[i]->config.self; }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] Instant local(std::size_t i) const { return to_local(i, now_); }
    [[nodiscard]] const TablePhy& phy() const { return phy_; }
    [[nodiscard]] std::uint64_t trace() const { return trace_; }  ///< hash of all that was sent and when

    bool enqueue(std::size_t from, std::size_t to, Bytes bytes, Priority priority = Priority::kBulk,
                 std::uint64_t tag = 0) {
        return enqueue_id(from, id(to), std::move(bytes), priority, tag);
    }
    bool enqueue_id(std::size_t from, StationId to, Bytes bytes, Priority priority, std::uint64_t tag) {
        Sdu sdu;
        sdu.peer = to;
        sdu.priority = priority;
        sdu.tag = tag;
        sdu.bytes = std::move(bytes);
        const bool ok = mac(from).enqueue(local(from), std::move(sdu));
        if (ok) {
            at(now_, [this, from] { service(from); });
        }
        return ok;
    }

    double block_loss = 0.0;  ///< added loss of each code block
    double frame_loss = 0.0;  ///< added loss of frames, header included
    double capture_db = 10.0;
    std::uint64_t frames = 0, frames_lost = 0;  ///< at receivers in reach
    std::function<void(Instant, std::size_t, const TxRequest&, Duration)> on_sent;

private:
    struct Item {
        Instant when;
        std::uint64_t order;
        std::function<void()> action;
        bool operator<(const Item& other) const { return when != other.when ? when > other.when : order > other.order; }
    };
    struct Arrival {
        std::uint64_t id = 0;
        Instant start{}, end{};
        float snr_db = 0.0F;
        bool own = false;
    };

    [[nodiscard]] Instant to_local(std::size_t i, Instant t) const {
        const Station& s = *stations_[i];
        const std::int64_t ns = to_ns(t);
        return instant_from_ns(ns + s.clock_offset_ns + ns / 1'000'000 * s.clock_ppb / 1'000);
    }
    [[nodiscard]] Instant to_true(std::size_t i, Instant t) const {
        const Station& s = *stations_[i];
        std::int64_t ns = to_ns(t) - s.clock_offset_ns;
        for (int k = 0; k < 4; ++k) {
            ns = to_ns(t) - s.clock_offset_ns - ns / 1'000'000 * s.clock_ppb / 1'000;
        }
        return instant_from_ns(ns);
    }
    void hash(std::uint64_t v) { trace_ ^= v + 0x9e3779b97f4a7c15ULL + (trace_ << 6) + (trace_ >> 2); }

    void service(std::size_t i) {
        Station& s = *stations_[i];
        if (!s.alive) {
            return;
        }
        const Instant t = local(i);
        for (bool again = true; again;) {
            again = false;
            while (auto event = s.mac->poll_event()) {
                if (s.on_event) {
                    s.on_event(t, *event);
                }
            }
            if (s.on_service) {
                s.on_service(t);
            }
            while (auto request = s.mac->poll_transmit(t)) {
                transmit(i, std::move(*request));
                again = true;
            }
        }
        if (const auto next = s.mac->next_timeout()) {
            const Instant when = std::max(to_true(i, *next) + 1us, now_ + 1us);
            if (s.wake <= now_ || when < s.wake) {
                s.wake = when;
                at(when, [this, i, when, n = s.incarnation] {
                    Station& w = *stations_[i];
                    if (w.incarnation != n || !w.alive || w.wake != when) {
                        return;
                    }
                    w.wake = Instant::max();
                    w.mac->on_timeout(local(i));
                    service(i);
                });
            }
        }
    }

    void transmit(std::size_t i, TxRequest request) {
        Station& s = *stations_[i];
        // Frames of one turn follow each other without a switch.
        const bool new_turn = to_true(i, request.at) > s.turn_end + 5ms;
        const auto jitter = static_cast<std::uint64_t>(s.timing.jitter.count());
        if (new_turn && jitter > 0) {
            s.slip = Duration{static_cast<std::int64_t>(random_.below(jitter))};
        }
        const Instant start = to_true(i, request.at) + s.slip;
        const std::uint64_t n = s.incarnation;
        if (request.at - local(i) < s.needs_lead || (s.late_share > 0.0 && random_.uniform() < s.late_share)) {
            at(start, [this, i, n, id = request.id] {
                if (stations_[i]->incarnation == n && stations_[i]->alive) {
                    stations_[i]->mac->on_transmitted(local(i), id, TxOutcome::kLate);
                    service(i);
                }
            });
            return;
        }
        const Duration length = phy_.airtime(request.mode, request.payload.size());
        const Instant end = start + length;
        s.turn_end = end - s.slip;
        hash(static_cast<std::uint64_t>(to_ns(start)));
        for (const std::uint8_t b : request.payload) {
            trace_ = (trace_ ^ b) * 0x100000001b3ULL;
        }
        s.sent.emplace_back(start, end);
        const std::uint64_t id = ++transmissions_;
        remember(i, {id, start - s.switching, end + s.timing.recovery, 0.0F, true});
        if (on_sent) {
            on_sent(start, i, request, length);
        }
        auto shared = std::make_shared<TxRequest>(std::move(request));
        at(end + s.timing.recovery, [this, i, n, shared] {
            if (stations_[i]->incarnation == n && stations_[i]->alive) {
                stations_[i]->mac->on_transmitted(local(i), shared->id, TxOutcome::kSent);
                service(i);
            }
        });
        for (std::size_t r = 0; r < stations_.size(); ++r) {
            const auto link = links_.find({i, r});
            if (r == i || link == links_.end() || !link->second.hears) {
                continue;
            }
            const Instant first = start + link->second.delay;
            const Instant last = end + link->second.delay;
            const Arrival arrival{id, first, last, link->second.snr_db, false};
            at(first, [this, r, arrival] { remember(r, arrival); });
            at(first + 1'500us, [this, r] { carrier(r, 1); });
            at(last + 500us, [this, r] { carrier(r, -1); });
            at(last, [this, r, arrival, shared] { arrive(r, arrival, *shared); });
        }
    }

    void remember(std::size_t r, const Arrival& a) {
        auto& list = arrivals_[r];
        std::erase_if(list, [&](const Arrival& x) { return x.end + 2s < now_; });
        list.push_back(a);
    }

    void carrier(std::size_t r, int change) {
        Station& s = *stations_[r];
        const bool before = s.busy > 0;
        s.busy += change;
        if (s.alive && before != (s.busy > 0)) {
            s.mac->on_carrier(local(r), s.busy > 0);
            service(r);
        }
    }

    /// Is any of [from, to) at `r` spoilt for the frame `a`?
    [[nodiscard]] bool spoilt(std::size_t r, const Arrival& a, Instant from, Instant to) {
        for (const Arrival& x : arrivals_[r]) {
            if (x.id != a.id && x.start < to && x.end > from &&
                (x.own || x.snr_db > a.snr_db - static_cast<float>(capture_db))) {
                return true;
            }
        }
        return false;
    }

    void arrive(std::size_t r, const Arrival& a, const TxRequest& request) {
        Station& s = *stations_[r];
        if (!s.alive) {
            return;
        }
        ++frames;
        const Duration overhead = phy_.overhead(request.mode);
        const double p_header = 1.0 / (1.0 + std::exp(4.0 * static_cast<double>(a.snr_db + 4.0F)));
        if (spoilt(r, a, a.start, a.start + overhead) || random_.uniform() < frame_loss ||
            random_.uniform() < p_header) {
            ++frames_lost;
            return;
        }
        RxFrame frame;
        frame.start = to_local(r, a.start);
        frame.end = to_local(r, a.end);
        frame.mode = request.mode;
        frame.snr_db = a.snr_db + static_cast<float>(random_.normal() * 0.3);
        frame.payload = request.payload;
        const std::size_t size = frame.payload.size();
        const double need = static_cast<double>(phy_.required_snr_db(request.mode));
        const double p_block = 1.0 / (1.0 + std::exp(4.0 * (static_cast<double>(a.snr_db) - need) + std::log(99.0)));
        for (std::size_t offset = 0; offset < size; offset += 1'000) {
            Segment segment{offset, std::min<std::size_t>(1'000, size - offset), true};
            const Duration body = (a.end - a.start) - overhead;
            const auto share = [&](std::size_t byte) {
                return a.start + overhead +
                       Duration{body.count() * static_cast<std::int64_t>(byte) / static_cast<std::int64_t>(size)};
            };
            segment.ok = !spoilt(r, a, share(offset), share(offset + segment.length)) &&
                         random_.uniform() >= block_loss && random_.uniform() >= p_block;
            if (!segment.ok) {
                for (std::size_t k = 0; k < segment.length; ++k) {
                    frame.payload[offset + k] = static_cast<std::uint8_t>(random_.next_u64());
                }
            }
            frame.segments.push_back(segment);
        }
        at(a.end + s.decode_time, [this, r, n = s.incarnation, frame = std::move(frame)] {
            Station& receiver = *stations_[r];
            if (receiver.incarnation == n && receiver.alive) {
                receiver.mac->on_frame(local(r), frame);
                service(r);
            }
        });
    }

    std::uint64_t seed_;
    Rng random_;
    TablePhy phy_;
    std::vector<std::unique_ptr<Station>> stations_;
    std::map<std::pair<std::size_t, std::size_t>, Link> links_;
    std::map<std::size_t, std::vector<Arrival>> arrivals_;
    std::priority_queue<Item> queue_;
    std::uint64_t order_ = 0;
    std::uint64_t transmissions_ = 0;
    std::uint64_t trace_ = 0xcbf29ce484222325ULL;
    Instant now_ = instant_from_ns(1'000'000'000);
};

/// Bytes that differ from SDU to SDU and can be checked.
[[nodiscard]] inline Bytes make_sdu(std::uint64_t number, std::size_t size) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) {
        out[i] =
            i < 8 ? static_cast<std::uint8_t>(number >> (8 * (7 - i))) : static_cast<std::uint8_t>(number * 31 + i * 7);
    }
    return out;
}

/// The number make_sdu() was given, or nothing if the bytes are not what it made.
[[nodiscard]] inline std::optional<std::uint64_t> sdu_number(const Bytes& bytes) {
    if (bytes.size() < 8) {
        return std::nullopt;
    }
    ByteReader r(bytes);
    const std::uint64_t number = r.u64();
    return make_sdu(number, bytes.size()) == bytes ? std::optional(number) : std::nullopt;
}

}  // namespace meshnet::mac::test
