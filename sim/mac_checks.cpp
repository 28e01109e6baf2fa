// SPDX-License-Identifier: MIT
#include "sim/mac_checks.hpp"

#include <cstdio>
#include <utility>

namespace meshnet::sim {
namespace {

constexpr std::size_t kExamples = 20;
constexpr Duration kWindow = 600s;
constexpr Duration kPatience = 2s;  // a carrier without end is taken for a fault after so long (docs/spec/mac.md, 5)
constexpr Instant kNever{Duration{INT64_MIN / 4}};

std::string at_time(Instant t) {
    char text[32];
    std::snprintf(text, sizeof text, " at %.6f s", to_seconds(t.time_since_epoch()));
    return text;
}

}  // namespace

MacChecks::MacChecks(std::size_t stations, const Limits& limits) : limits_(limits), stations_(stations) {
    for (Station& s : stations_) {
        s.busy_since = s.granted = s.last_end = kNever;
    }
}

void MacChecks::on_carrier(Instant now, std::size_t station, bool busy) {
    stations_[station].busy = busy;
    stations_[station].busy_since = now;
}

void MacChecks::on_granted(Instant now, std::size_t station) {
    stations_[station].granted = now;
}

void MacChecks::on_transmit(const Decision& d) {
    Station& s = stations_[d.station];
    const std::string who = "station " + std::to_string(d.station);
    if (d.start < s.last_end) {
        violation(who + " transmits while it transmits" + at_time(d.start));
    }
    const bool granted = d.decided - s.granted <= limits_.answer;
    const bool continues = d.start - s.last_end <= limits_.answer;
    if (s.busy && !d.scheduled && !granted && !continues && d.decided - s.busy_since < kPatience) {
        violation(who + " decides to transmit into a carrier" + at_time(d.decided));
    }
    s.last_end = d.end;
    s.starts.push_back(d.start);
    s.ends.push_back(d.end);
    s.on_air += d.end - d.start;
    check_cap(d.end, d.station, s);
}

void MacChecks::check_cap(Instant now, std::size_t station, Station& s) {
    while (!s.ends.empty() && s.ends.front() <= now - kWindow) {
        s.on_air -= s.ends.front() - s.starts.front();
        s.ends.pop_front();
        s.starts.pop_front();
    }
    Duration inside = s.on_air;
    if (!s.starts.empty() && s.starts.front() < now - kWindow) {
        inside -= now - kWindow - s.starts.front();
    }
    if (to_seconds(inside) > limits_.duty_cycle * to_seconds(kWindow) + 1e-6) {
        violation("station " + std::to_string(station) + " is over its cap of air time" + at_time(now));
    }
}

void MacChecks::violation(std::string what) {
    ++count_;
    if (examples_.size() < kExamples) {
        examples_.push_back(std::move(what));
    }
}

}  // namespace meshnet::sim
