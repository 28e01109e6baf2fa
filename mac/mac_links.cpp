// SPDX-License-Identifier: MIT
// Which neighbours are up, and what is reported of them to routing.
#include <algorithm>
#include <cmath>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {
constexpr Duration kReportEvery = 1s;
constexpr std::size_t kReferenceBytes = 8'192;  // burst by which air time per KiB is reported
constexpr unsigned kSilencesToDown = 12;
constexpr Duration kSilenceToDown = 3s;
}  // namespace

LinkQuality Mac::Impl::quality(Instant now, const Neighbor& n) const {
    LinkQuality q;
    q.peer = n.id;
    q.snr_db = n.snr_db;
    q.peer_snr_db = n.rate.snr_db();
    q.mode = n.rate.data_mode();
    q.rate_bps = phy.payload_rate_bps(q.mode);
    q.loss = std::clamp(n.rate.loss(), 0.0, 1.0);
    const std::size_t bytes = std::min(kReferenceBytes, phy.max_bytes());
    const Duration burst = phy.airtime(q.mode, bytes) + host.gap() + n.gap;
    const double us = static_cast<double>(burst.count()) * 1e-3 / (static_cast<double>(bytes) / 1024.0);
    q.airtime_us_per_kib = us / std::max(0.05, 1.0 - q.loss);
    q.propagation = n.ranging.propagation(now).value_or(Duration::zero());
    return q;
}

void Mac::Impl::link_up(Instant now, Neighbor& n) {
    n.up = true;
    n.announced = true;
    n.silences = 0;
    n.hellos_without_us = 0;
    n.reported = quality(now, n);
    n.reported_at = now;
    events.emplace_back(LinkUp{n.reported});
    update_hub();
}

void Mac::Impl::link_down(Neighbor& n) {
    if (!n.up) {
        return;
    }
    n.up = false;
    n.announced = false;
    n.hears_us = false;
    n.backlog_bytes = 0;
    n.ack_requests = 0;
    n.sender.flush();
    collect_done(n);
    events.emplace_back(LinkDown{n.id});
    update_hub();
}

void Mac::Impl::collect_done(Neighbor& n) {
    while (const auto done = n.sender.poll_done()) {
        ++(done->delivered ? n.sdus_acknowledged : n.sdus_failed);
        events.emplace_back(SduDone{n.id, done->tag, done->delivered});
    }
}

void Mac::Impl::report_changes(Instant now, Neighbor& n) {
    if (!n.up || now - n.reported_at < kReportEvery) {
        return;
    }
    const LinkQuality q = quality(now, n);
    const LinkQuality& old = n.reported;
    const bool notable = q.mode != old.mode || std::abs(q.snr_db - old.snr_db) > 2.0F ||
                         std::abs(q.peer_snr_db - old.peer_snr_db) > 2.0F || std::abs(q.loss - old.loss) > 0.1 ||
                         std::abs((q.propagation - old.propagation).count()) > 50'000;
    if (notable) {
        n.reported = q;
        n.reported_at = now;
        events.emplace_back(LinkChanged{q});
    }
}

// Many stations say hello more rarely, so that all hellos together take a bounded share of the air.
Duration Mac::Impl::hello_period() const {
    std::int64_t stations = 0;
    for (const auto& [id, n] : table) {
        stations += n.up ? 1 : 0;
    }
    const Duration longest = std::max(kLongestHelloPeriod, config.hello_interval);
    return std::min(config.hello_interval * std::max<std::int64_t>(stations, kStationsPerHello) / kStationsPerHello,
                    longest);
}

// A round of hellos between us and `n`: the slower of the two.
Duration Mac::Impl::hello_round(const Neighbor& n) const {
    return std::max(hello_period(), std::min(n.hello_interval, kLongestHelloPeriod));
}

void Mac::Impl::expire_links(Instant now) {
    for (auto& [id, n] : table) {
        n.auth.on_timeout(now);
        const Duration round = hello_round(n);
        // A list of many takes several hellos.
        const auto parts = static_cast<std::int64_t>(1 + n.heard_there.size() / kMaxHeardTagged);
        std::erase_if(n.heard_there, [&](const auto& item) { return now - item.second.at > 2 * (parts + 1) * round; });
        bool unheard = now - n.heard_at > kMissedHellos * round + round / 2;
        if (config.authenticated && n.auth.known()) {
            unheard = now - n.echoed_at > (kEchoedHellos - 1 + parts) * round;
            n.hears_us = true;
        } else if (n.announced && !n.up && unheard) {
            n.announced = false;
            events.emplace_back(LinkDown{id});
        }
        const bool unresponsive = n.silences >= kSilencesToDown && now - n.silent_since > kSilenceToDown;
        if (n.up && (unheard || unresponsive || !n.hears_us)) {
            link_down(n);
        }
        report_changes(now, n);
    }
}

void Mac::Impl::update_hub() {
    hub = false;
    for (const auto& [a, first] : table) {
        for (const auto& [b, second] : table) {
            if (a < b && first.up && second.up && !first.hears(b) && !second.hears(a)) {
                hub = true;
                return;
            }
        }
    }
}

}  // namespace meshnet::mac
