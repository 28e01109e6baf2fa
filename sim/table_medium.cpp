// SPDX-License-Identifier: MIT
#include "sim/table_medium.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace meshnet::sim {
namespace {

constexpr double kBusyAboveNoiseDb = 4.8;  // signal power at which the band holds 6 dB more than noise alone
constexpr Duration kSwitch = 100us;        // T/R switch: half-duplex blind for so long around own transmissions

}  // namespace

TableMedium::TableMedium(const phy::Profile& profile, double decade_db, Duration shortest_lead, double frame_loss,
                         Rng& random)
    : phy_(profile, decade_db), shortest_lead_(shortest_lead), frame_loss_(frame_loss), random_(random) {}

std::size_t TableMedium::add_radio() {
    radios_.emplace_back();
    return radios_.size() - 1;
}

void TableMedium::connect(std::size_t a, std::size_t b, double snr_db, Duration delay) {
    assert(a < radios_.size() && b < radios_.size() && a != b && delay >= 0s && std::isfinite(snr_db));
    const Path path{std::pow(10.0, snr_db / 10.0), delay};
    paths_[{a, b}] = path;
    paths_[{b, a}] = path;
}

void TableMedium::disconnect(std::size_t a, std::size_t b) {
    paths_.erase({a, b});
    paths_.erase({b, a});
}

std::optional<TableMedium::Transmission> TableMedium::transmit(Instant now, std::size_t radio, Instant start,
                                                               Burst burst) {
    Radio& sender = radios_[radio];
    const std::size_t bytes = burst.payload.size();
    const bool possible = burst.mode < phy_.mode_count() && bytes != 0 && bytes <= phy_.max_bytes();
    const Instant end = possible ? start + phy_.airtime(burst.mode, bytes) : start;
    if (!possible || start < now + shortest_lead_ || overlaps(sender.own, start, end)) {
        ++counters_.late;
        return std::nullopt;
    }
    ++counters_.transmissions;
    longest_frame_ = std::max(longest_frame_, end - start);
    sender.own.push_back({start, end});
    Transmission out;
    out.burst = std::make_shared<const Burst>(std::move(burst));
    out.end = end;
    for (std::size_t to = 0; to < radios_.size(); ++to) {
        const auto path = paths_.find({radio, to});
        if (path == paths_.end()) {
            continue;
        }
        auto arrival = std::make_shared<Arrival>();
        arrival->radio = to;
        arrival->burst = out.burst;
        arrival->start = start + path->second.delay;
        arrival->end = end + path->second.delay;
        arrival->power = path->second.power;
        const double snr_db = 10.0 * std::log10(arrival->power);
        arrival->sensed = snr_db >= kBusyAboveNoiseDb || phy_.miss(out.burst->mode, snr_db) < 0.5;
        radios_[to].arrivals.push_back(arrival);
        out.arrivals.push_back(std::move(arrival));
        ++counters_.arrivals;
    }
    return out;
}

std::optional<mac::RxFrame> TableMedium::receive(Instant now, Arrival& arrival, bool listening) {
    Radio& radio = radios_[arrival.radio];
    arrival.done = true;
    std::optional<mac::RxFrame> frame;
    if (listening) {
        const Burst& burst = *arrival.burst;
        const Instant payload_start = std::min(arrival.end, arrival.start + phy_.airtime(burst.mode, 1));
        if (overlaps(radio.own, arrival.start - kSwitch, payload_start + kSwitch)) {
            ++counters_.half_duplex_blind;
        } else if (frame_loss_ > 0.0 && random_.uniform() < frame_loss_) {
            ++counters_.missed;
        } else if (const double header_sinr_db = sinr_db(radio, arrival, arrival.start, payload_start);
                   random_.uniform() < phy_.miss(burst.mode, header_sinr_db)) {
            ++counters_.missed;
        } else {
            frame = demodulate(radio, arrival, payload_start, header_sinr_db);
        }
    }
    forget_old(now, radio);
    return frame;
}

/// Draws the outcome of every block from its own SINR.
mac::RxFrame TableMedium::demodulate(const Radio& radio, const Arrival& arrival, Instant payload_start,
                                     double header_sinr_db) {
    const Burst& burst = *arrival.burst;
    mac::RxFrame frame;
    frame.start = arrival.start;
    frame.end = arrival.end;
    frame.mode = burst.mode;
    frame.snr_db = static_cast<float>(header_sinr_db + 0.3 * random_.normal());  // the estimate of a real receiver errs
    frame.payload = burst.payload;
    const std::size_t size = burst.payload.size();
    const double per_byte = static_cast<double>((arrival.end - payload_start).count()) / static_cast<double>(size);
    const auto time_of = [&](std::size_t byte) {
        return payload_start + Duration{static_cast<std::int64_t>(per_byte * static_cast<double>(byte))};
    };
    bool error_free = true;
    for (std::size_t offset = 0; offset < size; offset += TablePhy::kBlockBytes) {
        const std::size_t length = std::min(TablePhy::kBlockBytes, size - offset);
        const Instant from = time_of(offset);
        const Instant to = time_of(offset + length);
        const bool ok = !overlaps(radio.own, from - kSwitch, to + kSwitch) &&
                        random_.uniform() >= phy_.failure(burst.mode, length, sinr_db(radio, arrival, from, to));
        frame.segments.push_back({offset, length, ok});
        if (!ok) {  // the decoder's best guess: wrong somewhere
            error_free = false;
            for (int i = 0; i < 8; ++i) {
                frame.payload[offset + random_.below(length)] ^= static_cast<std::uint8_t>(1 + random_.below(255));
            }
        }
    }
    ++(error_free ? counters_.error_free : counters_.with_block_errors);
    return frame;
}

/// Mean signal over noise and interference from `from` to `to`, dB.
double TableMedium::sinr_db(const Radio& radio, const Arrival& of, Instant from, Instant to) {
    double noise = 1.0;
    const double length = std::max(1.0, static_cast<double>((to - from).count()));
    for (const auto& other : radio.arrivals) {
        if (other.get() != &of && other->start < to && from < other->end) {
            const Duration both = std::min(to, other->end) - std::max(from, other->start);
            noise += other->power * static_cast<double>(both.count()) / length;
        }
    }
    return 10.0 * std::log10(of.power / noise);
}

bool TableMedium::overlaps(const std::deque<Interval>& own, Instant from, Instant to) {
    return std::any_of(own.begin(), own.end(), [&](const Interval& i) { return i.start < to && from < i.end; });
}

/// Forgets what nothing unfinished can overlap any more.
void TableMedium::forget_old(Instant now, Radio& radio) const {
    const Instant old = now - 2 * longest_frame_ - kSwitch;
    while (!radio.arrivals.empty() && radio.arrivals.front()->done && radio.arrivals.front()->end < old) {
        radio.arrivals.pop_front();
    }
    while (!radio.own.empty() && radio.own.front().end < old) {
        radio.own.pop_front();
    }
}

}  // namespace meshnet::sim
