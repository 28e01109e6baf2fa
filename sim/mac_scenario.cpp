// SPDX-License-Identifier: MIT
#include "sim/mac_scenario.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "mac/mac.hpp"
#include "phy/profile.hpp"
#include "sim/mac_world.hpp"

namespace meshnet::sim {
namespace {

constexpr mac::ModeIndex kFirstMode = 2;  // as stations are configured: radio.longest_preamble is medium

void check(bool good, const std::string& what) {
    if (!good) {
        throw std::invalid_argument(what);
    }
}

bool within(double v, double low, double high) {
    return std::isfinite(v) && v >= low && v <= high;
}

void check_scenario(const MacScenario& s) {
    check(s.chain > 0 || (s.stations >= 2 && s.stations <= 64), "stations must be 2..64");
    check(s.chain <= 20, "chain must be 1..20 hops");
    check(within(s.distance_km, 1e-3, 60'000), "distance-km must be 0.001..60000");
    check(within(s.turnaround_ms, 0, 200), "turnaround-ms must be 0..200");
    check(within(s.lead_ms, 0, 300), "lead-ms must be 0..300");
    check(within(s.rate_mbps, 0.05, 1e3), "rate-mbps must be 0.05..1000");
    check(within(s.seconds, 1, 36'000), "seconds must be 1..36000");
    check(within(s.warmup_s, 1, 600), "warmup must be 1..600 s");
    check(s.class_b <= (s.chain > 0 ? s.chain + 1 : s.stations), "class-b must be at most the number of stations");
    check(within(s.switch_ms, 1, 300), "switch-ms must be 1..300");
    check(within(s.loss, 0, 0.95), "loss must be 0..0.95");
    check(within(s.late, 0, 0.95), "late must be 0..0.95");
    check(s.orbit == MacScenario::Orbit::kNone || s.chain == 0, "orbit and chain exclude each other");
    check(s.payload >= 32 && s.payload <= mac::kMaxSduBytes, "payload must be 32..8192 bytes");
    check(within(s.snr_db, -10, 60), "snr-db must be -10..60");
    check(within(s.max_burst_ms, 5, 800), "max-burst-ms must be 5..800");
    check(within(s.clock_error_ppm, 0, 100), "clock-ppm must be 0..100");
    check(s.bulk <= 1'000 && s.voice <= 1'000 && s.tcp <= 1'000, "there are at most 1000 flows of a kind");
    check(within(s.load, 0, 100), "load must be 0..100");
    check(within(s.kill_s, 0, s.seconds), "kill must be within the seconds measured");
    check(within(s.carrier_late_ms, 0, 100), "carrier-late-ms must be 0..100");
}

/// The modes that stations use: from what their preambles allow up to the rate.
TablePhy phy_of(const MacScenario& s) {
    const phy::Profile& profile = *phy::find_profile("1M");
    const TablePhy all(profile, 0.5, kFirstMode, SIZE_MAX);
    std::size_t modes = 0;
    for (std::size_t m = 0; m < all.mode_count(); ++m) {
        if (all.payload_rate_bps(static_cast<mac::ModeIndex>(m)) <= s.rate_mbps * 1.001e6) {
            modes = m + 1;
        }
    }
    check(modes > 0, "rate-mbps is below the slowest mode's");
    return {profile, 0.5, kFirstMode, modes};
}

}  // namespace

MacReport MacWorld::run() {
    begin();
    const Instant traffic = Instant{} + from_seconds(scenario_.warmup_s / 2.0);
    const Instant measured = Instant{} + from_seconds(scenario_.warmup_s);
    const Instant end = measured + from_seconds(scenario_.seconds);
    for (const Instant until : {traffic, measured, end}) {
        while (!queue_.empty() && queue_.front().at <= until) {
            std::pop_heap(queue_.begin(), queue_.end(), Later{});
            Event event = std::move(queue_.back());
            queue_.pop_back();
            now_ = std::max(now_, event.at);
            handle(event);
        }
        now_ = until;
        if (until == traffic) {
            flows_.start(now_);
            for (std::size_t n = 0; n < stations_.size(); ++n) {
                stations_[n]->room_changed = true;
                pump(n);
            }
        } else if (until == measured) {
            begin_measuring();
        }
    }
    MacReport out;
    report(out);
    return out;
}

void MacWorld::report(MacReport& out) const {
    const TablePhy& phy = medium_.phy();
    out.rate_bps = phy.payload_rate_bps(static_cast<mac::ModeIndex>(phy.mode_count() - 1));
    flows_.report(now_, out);
    MacAirUse air = air_;
    air.settle(now_);
    out.air = air.shares(now_);
    out.ranging_us = percentiles_of(ranging_us_);
    out.link_death_ms = percentiles_of(link_death_ms_);
    out.link_deaths = link_death_ms_.size();
    out.link_ups = link_ups_;
    out.link_downs = link_downs_;
    report_stations(out);
    out.events = events_;
    out.hash = hash_.value();
    out.violations = checks_.violations();
    out.examples = checks_.examples();
}

void MacWorld::report_stations(MacReport& out) const {
    Duration invite{};
    Duration reserve{};
    Duration paired{};
    Duration on_air{};
    for (const auto& st : stations_) {
        const mac::MacCounters& c = st->mac->counters();
        const mac::MacCounters& b = st->before;
        invite += c.time_invite - b.time_invite;
        reserve += c.time_reserve - b.time_reserve;
        paired += c.time_paired - b.time_paired;
        on_air += c.airtime_used - b.airtime_used;
        out.bursts += c.frames_sent - b.frames_sent;
        out.empty_bursts += c.frames_empty - b.frames_empty;
        out.late_bursts += c.frames_late - b.frames_late;
        out.grants += c.grants - b.grants;
    }
    const double all = std::max(1e-9, to_seconds(invite + reserve + paired));
    out.regimes = {{"invite", to_seconds(invite) / all},
                   {"reserve", to_seconds(reserve) / all},
                   {"paired", to_seconds(paired) / all}};
    out.mean_burst_ms = out.bursts > 0 ? to_seconds(on_air) * 1e3 / static_cast<double>(out.bursts) : 0.0;
}

MacReport run_mac_scenario(const MacScenario& scenario) {
    check_scenario(scenario);
    return MacWorld(scenario, phy_of(scenario)).run();
}

}  // namespace meshnet::sim
