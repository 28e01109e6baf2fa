// SPDX-License-Identifier: MIT
#include "sim/mac_flows.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::sim {
namespace {

constexpr std::size_t kHostQueue = 100;  // packets
constexpr std::size_t kVoiceBytes = 60;
constexpr Duration kVoiceInterval = 20ms;
constexpr std::size_t kTcpAckBytes = 60;
constexpr Duration kDelayedAck = 40ms;
constexpr Duration kStartWithin = 1s;
constexpr Duration kStarved = 10s;  // a saturated flow that delivers nothing for so long

double at_quantile(std::vector<double>& sorted, double q) {
    if (sorted.empty()) {
        return 0.0;
    }
    const double last = static_cast<double>(sorted.size() - 1);
    return sorted[static_cast<std::size_t>(std::lround(q * last))];
}

}  // namespace

Percentiles percentiles_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return {at_quantile(values, 0.5), at_quantile(values, 0.95), at_quantile(values, 0.99)};
}

MacFlows::MacFlows(const MacScenario& scenario, double rate_bps, std::uint64_t seed, Ports ports)
    : scenario_(scenario),
      stations_(scenario.chain > 0 ? scenario.chain + 1 : scenario.stations),
      ports_(std::move(ports)),
      random_(seed),
      hosts_(stations_),
      sources_(stations_) {
    add_flows(rate_bps);
}

void MacFlows::add_flows(double rate_bps) {
    const bool chain = scenario_.chain > 0;
    const auto add = [&](Kind kind, std::size_t from, std::size_t bytes, Duration interval) {
        Flow f;
        f.kind = kind;
        f.from = from;
        f.to = chain ? scenario_.chain : (from + 1) % stations_;
        f.traffic = kind == Kind::kVoice ? TrafficClass::kInteractive : TrafficClass::kBulk;
        f.bytes = bytes;
        f.interval = interval;
        if (kind == Kind::kSaturated) {
            sources_[from].push_back(flows_.size());
        }
        flows_.push_back(std::move(f));
    };
    const std::size_t usual = scenario_.tcp > 0 ? 0 : chain ? 1 : stations_;
    const std::size_t bulk = scenario_.bulk < 0 ? usual : static_cast<std::size_t>(scenario_.bulk);
    for (std::size_t k = 0; k < bulk; ++k) {
        const double packets_per_s = scenario_.load * rate_bps / 8.0 / static_cast<double>(scenario_.payload * bulk);
        add(scenario_.load > 0.0 ? Kind::kPaced : Kind::kSaturated, chain ? 0 : k % stations_, scenario_.payload,
            scenario_.load > 0.0 ? from_seconds(1.0 / packets_per_s) : Duration::zero());
    }
    for (std::size_t k = 0; k < scenario_.voice; ++k) {
        add(Kind::kVoice, chain ? 0 : k % stations_, kVoiceBytes, kVoiceInterval);
    }
    for (std::size_t k = 0; k < scenario_.tcp; ++k) {
        add(Kind::kTcp, chain ? 0 : k % stations_, scenario_.payload, Duration::zero());
    }
}

std::size_t MacFlows::next_hop(std::size_t station, std::size_t to) const {
    if (scenario_.chain == 0) {
        return to;
    }
    return to > station ? station + 1 : station - 1;
}

MacFlows::Host& MacFlows::host(std::size_t station, std::size_t next) {
    for (Host& h : hosts_[station]) {
        if (h.next == next) {
            return h;
        }
    }
    Host fresh;
    fresh.next = next;
    hosts_[station].push_back(std::move(fresh));
    return hosts_[station].back();
}

void MacFlows::start(Instant now) {
    running_ = true;
    for (std::size_t i = 0; i < flows_.size(); ++i) {
        Flow& f = flows_[i];
        f.served = now;
        // Not all at once unless asked for: what begins at the same instant collides.
        const Duration within = scenario_.together ? 1ns : f.interval > Duration::zero() ? f.interval : kStartWithin;
        ports_.call_at(
            now + Duration{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(within.count())))}, i);
    }
}

void MacFlows::measure(Instant now) {
    measuring_ = true;
    measured_from_ = now;
}

Bytes MacFlows::packet(Instant now, const Flow& f, std::size_t index, bool back, std::uint64_t count,
                       std::uint32_t number) const {
    const std::size_t size = back ? kTcpAckBytes : f.bytes;
    Bytes out;
    out.reserve(size);
    ByteWriter w(out);
    w.u32(static_cast<std::uint32_t>(index));
    w.u8(back ? 1 : 0);
    w.u64(count);
    w.i64(to_ns(now));
    w.u32(number);
    out.resize(size, static_cast<std::uint8_t>(count));
    return out;
}

void MacFlows::queue(std::size_t station, std::size_t towards, Waiting packet, TrafficClass traffic) {
    Host& h = host(station, next_hop(station, towards));
    auto& line = traffic == TrafficClass::kBulk ? h.bulk : h.interactive;
    if (line.size() >= kHostQueue) {
        Flow& f = flows_[packet.flow];
        f.measured_lost += lost_counts(f) ? 1U : 0U;
        return;
    }
    line.push_back(std::move(packet));
}

void MacFlows::make(Instant now, std::size_t index, bool back, std::uint32_t number) {
    Flow& f = flows_[index];
    std::uint64_t& count = back ? f.made_back : f.made;
    Waiting w;
    w.tag = (std::uint64_t{index} << 40U) | count;
    w.bytes = packet(now, f, index, back, count, number);
    ++count;
    f.measured_made += measuring_ ? 1U : 0U;
    w.flow = static_cast<std::uint32_t>(index);
    queue(back ? f.to : f.from, back ? f.from : f.to, std::move(w), f.traffic);
}

void MacFlows::on_timer(Instant now, std::size_t index) {
    Flow& f = flows_[index];
    if (f.kind == Kind::kSaturated) {
        f.started = true;
        f.served = now;
        fill(now, f.from);
        return;
    }
    if (f.kind == Kind::kTcp) {
        if (!f.started) {
            f.started = true;
            run_tcp(now, index);
            fill(now, f.from);
        }
        if (f.timer_at && now >= *f.timer_at) {
            f.timer_at.reset();
            f.sender.on_timer(now);
            run_tcp(now, index);
            fill(now, f.from);
        }
        if (f.ack_at && now >= *f.ack_at) {
            f.ack_at.reset();
            if (f.receiver.waiting()) {
                make(now, index, true, f.receiver.acknowledgement());
                fill(now, f.to);
            }
        }
        return;
    }
    make(now, index, false, 0);
    Duration wait = f.interval;
    if (f.kind == Kind::kPaced) {
        wait = from_seconds(-std::log(1.0 - random_.uniform()) * to_seconds(f.interval));
    }
    ports_.call_at(now + std::max(wait, Duration{1us}), index);
    fill(now, f.from);
}

void MacFlows::drain(std::size_t station, Host& h) {
    const auto send = [&](std::deque<Waiting>& line, TrafficClass traffic) {
        while (!line.empty()) {
            Waiting& w = line.front();
            const bool fits = traffic != TrafficClass::kBulk || ports_.room(station, h.next) >= w.bytes.size();
            if (!fits || !ports_.submit(station, h.next, traffic, w.flow, w.tag, w.bytes)) {
                return;
            }
            line.pop_front();
        }
    };
    send(h.interactive, TrafficClass::kInteractive);
    send(h.bulk, TrafficClass::kBulk);
}

void MacFlows::fill(Instant now, std::size_t station) {
    if (!running_) {
        return;
    }
    for (Host& h : hosts_[station]) {
        drain(station, h);
    }
    for (const std::size_t index : sources_[station]) {
        Flow& f = flows_[index];
        const std::size_t next = next_hop(station, f.to);
        while (f.started && (scenario_.outstanding == 0 || f.made - f.done < scenario_.outstanding) &&
               host(station, next).bulk.empty() && ports_.room(station, next) >= f.bytes) {
            make(now, index, false, 0);
            drain(station, host(station, next));
        }
    }
}

void MacFlows::on_done(std::size_t station, std::uint64_t tag, bool delivered) {
    const std::size_t index = tag >> 40U;
    if (index >= flows_.size()) {
        ports_.violation("the fate of a packet nobody sent was reported");
        return;
    }
    Flow& f = flows_[index];
    f.done += station == f.from ? 1U : 0U;
    if (!delivered) {
        f.measured_lost += lost_counts(f) ? 1U : 0U;
    }
}

// ---- what comes out ----

std::optional<std::size_t> MacFlows::receive(Instant now, std::size_t station, ByteView bytes) {
    ByteReader r(bytes);
    const std::uint32_t index = r.u32();
    const bool back = r.u8() != 0;
    const std::uint64_t count = r.u64();
    const Instant made = instant_from_ns(r.i64());
    const std::uint32_t number = r.u32();
    const ByteView filler = r.rest();
    if (r.failed() || index >= flows_.size() ||
        !std::all_of(filler.begin(), filler.end(), [&](auto b) { return b == static_cast<std::uint8_t>(count); })) {
        ports_.violation("a packet was delivered with other content than it was sent with");
        return std::nullopt;
    }
    Flow& f = flows_[index];
    if (const std::size_t to = back ? f.from : f.to; to != station) {
        Waiting w;
        w.flow = index;
        w.tag = (std::uint64_t{index} << 40U) | count;
        w.bytes.assign(bytes.begin(), bytes.end());
        queue(station, to, std::move(w), f.traffic);
        return station;
    }
    std::uint64_t& expected = back ? f.next_backward : f.next_forward;
    if (count < expected || count >= (back ? f.made_back : f.made)) {
        ports_.violation("flow " + std::to_string(index) + ": packet " + std::to_string(count) +
                         " was delivered twice, out of order or before it was sent");
        return std::nullopt;
    }
    expected = count + 1;
    ++all_delivered_;
    f.served = now;
    f.starved = false;
    if (f.kind == Kind::kTcp) {
        const std::uint32_t before = f.receiver.expected();
        on_tcp(now, index, back, number);
        for (std::uint32_t n = before; n < f.receiver.expected(); ++n) {
            count_delivery(f, f.bytes, now - made);
        }
        return station;
    }
    count_delivery(f, bytes.size(), now - made);
    return std::nullopt;
}

void MacFlows::count_delivery(Flow& f, std::size_t size, Duration delay) {
    if (!measuring_) {
        return;
    }
    f.measured_bytes += size;
    ++f.measured_packets;
    (f.kind == Kind::kVoice ? voice_ms_ : delays_ms_).push_back(to_seconds(delay) * 1e3);
}

void MacFlows::on_tcp(Instant now, std::size_t index, bool back, std::uint32_t number) {
    Flow& f = flows_[index];
    if (back) {
        f.sender.on_acknowledged(now, number);
        run_tcp(now, index);
        return;
    }
    if (f.receiver.on_packet(number)) {
        make(now, index, true, f.receiver.acknowledgement());
    } else if (!f.ack_at) {
        f.ack_at = now + kDelayedAck;
        ports_.call_at(*f.ack_at, index);
    }
}

void MacFlows::run_tcp(Instant now, std::size_t index) {
    Flow& f = flows_[index];
    while (const auto number = f.sender.next(now)) {
        make(now, index, false, *number);
    }
    if (const auto timer = f.sender.timer(); timer && (!f.timer_at || *f.timer_at > *timer)) {
        f.timer_at = *timer;
        ports_.call_at(*timer, index);
    }
    if (!f.sender.timer()) {
        f.timer_at.reset();
    }
}

void MacFlows::on_killed(std::size_t station) {
    for (Flow& f : flows_) {
        if (f.from == station || f.to == station) {
            f.started = false;
        }
    }
}

void MacFlows::check_starvation(Instant now) {
    for (std::size_t i = 0; i < flows_.size(); ++i) {
        Flow& f = flows_[i];
        if (f.started && f.kind == Kind::kSaturated && !f.starved && now - f.served > kStarved) {
            f.starved = true;
            ports_.violation("flow " + std::to_string(i) + " delivered nothing for " + std::to_string(kStarved / 1s) +
                             " s, at " + std::to_string(static_cast<std::int64_t>(to_seconds(now.time_since_epoch()))) +
                             " s");
        }
    }
}

void MacFlows::report(Instant now, MacReport& out) const {
    const double seconds = to_seconds(now - measured_from_);
    std::uint64_t bytes = 0;
    std::uint64_t lost = 0;
    std::uint64_t voice = 0;
    std::uint64_t voice_lost = 0;
    double sum = 0.0;
    double squares = 0.0;
    double least = -1.0;
    std::size_t bulk = 0;
    double by_class_b = 0.0;
    for (const Flow& f : flows_) {
        const auto b = static_cast<double>(f.measured_bytes);
        bytes += f.measured_bytes;
        out.offered += f.measured_made;
        if (f.kind == Kind::kVoice) {
            voice += f.measured_packets;
            voice_lost += f.measured_lost;
            continue;
        }
        out.delivered += f.measured_packets;
        lost += f.measured_lost;
        sum += b;
        squares += b * b;
        least = least < 0.0 ? b : std::min(least, b);
        ++bulk;
        by_class_b += f.from + scenario_.class_b >= stations_ ? b : 0.0;
    }
    const double capacity = seconds * out.rate_bps / 8.0;
    out.fraction = static_cast<double>(bytes) / capacity;
    if (bulk > 0 && sum > 0.0) {
        out.jain = sum * sum / (static_cast<double>(bulk) * squares);
        out.worst_flow = least * static_cast<double>(bulk) / sum;
    }
    const auto share = [](std::uint64_t good, std::uint64_t bad) {
        return good + bad == 0 ? 1.0 : static_cast<double>(good) / static_cast<double>(good + bad);
    };
    out.delivery = share(out.delivered, lost);
    out.voice_delivery = share(voice, voice_lost);
    out.delay_ms = percentiles_of(delays_ms_);
    out.voice_ms = percentiles_of(voice_ms_);
    if (scenario_.class_b > 0) {
        const double fair = static_cast<double>(scenario_.class_b) / static_cast<double>(stations_);
        out.class_b_share = by_class_b / capacity / fair;
        out.others_share = (sum - by_class_b) / (capacity - by_class_b);
    }
}

}  // namespace meshnet::sim
