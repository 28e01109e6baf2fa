// SPDX-License-Identifier: MIT
#include "sim/table_medium.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <utility>

namespace meshnet::sim {
namespace {

constexpr double kBusyAboveNoiseDb = 4.8;  // signal power at which the band holds 6 dB more than noise alone
constexpr Duration kSwitch = 100us;        // T/R switch: half-duplex blind for so long around own transmissions

}  // namespace

TableMedium::TableMedium(const phy::Profile& profile, double decade_db, Duration shortest_lead, double frame_loss,
                         Rng& random)
    : TableMedium(TablePhy(profile, decade_db), shortest_lead, frame_loss, random) {}

TableMedium::TableMedium(const TablePhy& phy, Duration shortest_lead, double frame_loss, Rng& random)
    : phy_(phy), shortest_lead_(shortest_lead), frame_loss_(frame_loss), random_(random) {}

std::size_t TableMedium::add_radio() {
    radios_.emplace_back();
    paths_.emplace_back();
    return radios_.size() - 1;
}

TableMedium::Path* TableMedium::path(std::size_t from, std::size_t to) {
    auto& row = paths_[from];
    const auto at = std::lower_bound(row.begin(), row.end(), to, [](const Path& p, std::size_t t) { return p.to < t; });
    return at != row.end() && at->to == to ? &*at : nullptr;
}

void TableMedium::connect(std::size_t a, std::size_t b, double snr_db, Duration delay, double cfo_hz) {
    assert(a < radios_.size() && b < radios_.size() && a != b && delay >= 0s && std::isfinite(snr_db));
    for (const auto& [from, to] : {std::pair{a, b}, std::pair{b, a}}) {
        Path* p = path(from, to);
        if (p == nullptr) {
            auto& row = paths_[from];
            const auto behind =
                std::find_if(row.begin(), row.end(), [to = to](const Path& other) { return other.to > to; });
            p = &*row.insert(behind, Path{});
            p->to = to;
        }
        if (p->sensed.empty() || p->snr_db != snr_db) {
            p->sensed.assign(phy_.mode_count(), -1);
        }
        p->power = std::pow(10.0, snr_db / 10.0);
        p->snr_db = snr_db;
        p->delay = delay;
        p->cfo_hz = static_cast<float>(cfo_hz);
    }
}

void TableMedium::disconnect(std::size_t a, std::size_t b) {
    std::erase_if(paths_[a], [b](const Path& p) { return p.to == b; });
    std::erase_if(paths_[b], [a](const Path& p) { return p.to == a; });
}

void TableMedium::blind(std::size_t radio, Instant from, Instant to) {
    radios_[radio].blind.push_back({from, to});
}

bool TableMedium::sensed(Path& path, mac::ModeIndex mode) const {
    std::int8_t& known = path.sensed[mode];
    if (known < 0) {
        known = path.snr_db >= kBusyAboveNoiseDb || phy_.miss(mode, path.snr_db) < 0.5 ? 1 : 0;
    }
    return known > 0;
}

std::optional<TableMedium::Transmission> TableMedium::transmit(Instant now, std::size_t radio, Instant start,
                                                               Burst burst) {
    Radio& sender = radios_[radio];
    const std::size_t bytes = burst.payload.size();
    const bool possible = burst.mode < phy_.mode_count() && bytes != 0 && bytes <= phy_.max_bytes();
    const Duration airtime = possible ? phy_.airtime(burst.mode, bytes) : Duration::zero();
    const Instant end = start + airtime;
    if (!possible || start < now + shortest_lead_ || overlaps(sender.own, start, end)) {
        ++counters_.late;
        return std::nullopt;
    }
    ++counters_.transmissions;
    longest_frame_ = std::max(longest_frame_, airtime);
    sender.own.push_back({start, end});
    Transmission out;
    out.burst = std::make_shared<OnAir>();
    out.burst->before_payload = std::min(airtime, phy_.airtime(burst.mode, 1));
    out.burst->airtime = airtime;
    out.burst->frame.mode = burst.mode;
    out.burst->frame.payload = std::move(burst.payload);
    for (std::size_t offset = 0; offset < bytes; offset += TablePhy::kBlockBytes) {
        out.burst->frame.segments.push_back({offset, std::min(TablePhy::kBlockBytes, bytes - offset), true});
    }
    out.end = end;
    for (Path& p : paths_[radio]) {
        auto arrival = std::make_shared<Arrival>();
        arrival->radio = p.to;
        arrival->burst = out.burst;
        arrival->start = start + p.delay;
        arrival->end = end + p.delay;
        arrival->power = p.power;
        arrival->snr_db = p.snr_db;
        arrival->cfo_hz = p.cfo_hz;
        arrival->sensed = sensed(p, burst.mode);
        radios_[p.to].arrivals.push_back(arrival);
        out.arrivals.push_back(std::move(arrival));
        ++counters_.arrivals;
    }
    return out;
}

std::optional<TableMedium::Reception> TableMedium::receive(Instant now, Arrival& arrival, bool listening) {
    Radio& radio = radios_[arrival.radio];
    arrival.done = true;
    arrival.outcome = Outcome::kNobody;
    std::optional<Reception> out;
    if (listening) {
        const mac::ModeIndex mode = arrival.burst->frame.mode;
        const Instant payload_start = arrival.start + arrival.burst->before_payload;
        arrival.disturbed = disturbed(radio, arrival);
        if (arrival.disturbed && hears_nothing(radio, arrival.start - kSwitch, payload_start + kSwitch)) {
            ++counters_.half_duplex_blind;
            arrival.outcome = Outcome::kBlind;
        } else if (frame_loss_ > 0.0 && random_.uniform() < frame_loss_) {
            ++counters_.missed;
            arrival.outcome = Outcome::kLost;
        } else if (const double header_sinr_db =
                       arrival.disturbed ? sinr_db(radio, arrival, arrival.start, payload_start) : arrival.snr_db;
                   random_.uniform() < phy_.miss(mode, header_sinr_db)) {
            ++counters_.missed;
            arrival.outcome = header_sinr_db < arrival.snr_db ? Outcome::kCollided : Outcome::kLost;
        } else {
            arrival.outcome = Outcome::kReceived;
            out = demodulate(radio, arrival, payload_start, header_sinr_db);
        }
    }
    forget_old(now, radio);
    return out;
}

/// Draws the outcome of every block from its own SINR.
TableMedium::Reception TableMedium::demodulate(const Radio& radio, Arrival& arrival, Instant payload_start,
                                               double header_sinr_db) {
    Reception out;
    out.burst = arrival.burst;
    out.start = arrival.start;
    out.end = arrival.end;
    out.cfo_hz = arrival.cfo_hz;
    out.snr_db = static_cast<float>(header_sinr_db + 0.3 * random_.normal());  // the estimate of a real receiver errs
    const mac::RxFrame& clean = arrival.burst->frame;
    const std::size_t size = clean.payload.size();
    const double per_byte = static_cast<double>((arrival.end - payload_start).count()) / static_cast<double>(size);
    const auto time_of = [&](std::size_t byte) {
        return payload_start + Duration{static_cast<std::int64_t>(per_byte * static_cast<double>(byte))};
    };
    const double undisturbed = phy_.failure(clean.mode, TablePhy::kBlockBytes, arrival.snr_db);
    std::size_t lost = 0;
    for (std::size_t i = 0; i < clean.segments.size(); ++i) {
        const auto [offset, length, sent] = clean.segments[i];
        bool ok = sent;
        if (arrival.disturbed) {
            const Instant from = time_of(offset);
            const Instant to = time_of(offset + length);
            ok = !hears_nothing(radio, from - kSwitch, to + kSwitch) &&
                 random_.uniform() >= phy_.failure(clean.mode, length, sinr_db(radio, arrival, from, to));
        } else {
            ok = random_.uniform() >=
                 (length == TablePhy::kBlockBytes ? undisturbed : phy_.failure(clean.mode, length, arrival.snr_db));
        }
        if (!ok) {  // the decoder's best guess: wrong somewhere
            lost += length;
            if (!out.with_errors) {
                out.with_errors = std::make_unique<mac::RxFrame>(clean);
            }
            out.with_errors->segments[i].ok = false;
            for (int k = 0; k < 8; ++k) {
                out.with_errors->payload[offset + random_.below(length)] ^=
                    static_cast<std::uint8_t>(1 + random_.below(255));
            }
        }
    }
    arrival.intact = 1.0F - static_cast<float>(lost) / static_cast<float>(size);
    ++(out.with_errors ? counters_.with_block_errors : counters_.error_free);
    return out;
}

const mac::RxFrame& TableMedium::Reception::frame(Instant at_start, Instant at_end) const {
    mac::RxFrame& f = with_errors ? *with_errors : burst->frame;
    f.start = at_start;
    f.end = at_end;
    f.snr_db = snr_db;
    f.cfo_hz = cfo_hz;
    return f;
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

bool TableMedium::overlaps(const std::deque<Interval>& intervals, Instant from, Instant to) {
    return std::any_of(intervals.begin(), intervals.end(),
                       [&](const Interval& i) { return i.start < to && from < i.end; });
}

bool TableMedium::hears_nothing(const Radio& radio, Instant from, Instant to) {
    return overlaps(radio.own, from, to) || overlaps(radio.blind, from, to);
}

bool TableMedium::disturbed(const Radio& radio, const Arrival& arrival) {
    if (hears_nothing(radio, arrival.start - kSwitch, arrival.end + kSwitch)) {
        return true;
    }
    return std::any_of(radio.arrivals.begin(), radio.arrivals.end(), [&](const auto& other) {
        return other.get() != &arrival && other->start < arrival.end && arrival.start < other->end;
    });
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
    while (!radio.blind.empty() && radio.blind.front().end < old) {
        radio.blind.pop_front();
    }
}

}  // namespace meshnet::sim
