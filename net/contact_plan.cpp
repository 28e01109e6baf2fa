// SPDX-License-Identifier: MIT
#include "net/contact_plan.hpp"

#include <algorithm>
#include <set>

#include "net/deadline.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kBeyond = 5s;  // heard so long after its plan: the plan is wrong, the link is used again
constexpr std::uint32_t kLongest = 7 * 86'400;

std::uint32_t seconds_until(Instant now, Instant then) {
    const auto s = std::chrono::ceil<std::chrono::seconds>(then - now).count();
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(s, 0, kLongest));
}

}  // namespace

Bytes RouteContacts::encode() const {
    Bytes out;
    ByteWriter w(out);
    w.u8(static_cast<std::uint8_t>(MessageType::kRouteContacts));
    for (const Entry& e : entries) {
        w.bytes(e.destination);
        w.u32(e.begins_s);
        w.u32(e.lasts_s);
        w.u32(e.airtime_us_per_kib);
        w.u8(e.hops);
    }
    return out;
}

std::optional<RouteContacts> RouteContacts::decode(ByteView body) {
    if (body.size() % kEntryBytes != 0 || body.size() / kEntryBytes > kMostEntries) {
        return std::nullopt;
    }
    ByteReader r(body);
    RouteContacts m;
    for (std::size_t k = 0; k < body.size() / kEntryBytes; ++k) {
        Entry e;
        e.destination = r.array<8>();
        e.begins_s = r.u32();
        e.lasts_s = r.u32();
        e.airtime_us_per_kib = r.u32();
        e.hops = r.u8();
        if (e.begins_s > kLongest || e.lasts_s > kLongest) {
            return std::nullopt;
        }
        m.entries.push_back(e);
    }
    return m;
}

void ContactBook::set_plan(Instant now, ContactPlan plan) {
    std::erase_if(plan, [&](const Contact& c) { return c.until <= now || c.until <= c.from; });
    std::sort(plan.begin(), plan.end(), [](const Contact& a, const Contact& b) {
        return std::pair(a.from, a.neighbor) < std::pair(b.from, b.neighbor);
    });
    if (plan.size() > kMostContacts) {
        plan.resize(kMostContacts);
    }
    plan_ = std::move(plan);
    std::set<NodeId> planned;
    for (const Contact& c : plan_) {
        planned.insert(c.neighbor);
    }
    std::erase_if(behind_, [&](const auto& item) { return planned.count(item.first) == 0; });
    edges_until_ = now;
    changed(now);
}

void ContactBook::changed(Instant now) {
    message_at_ = earliest(message_at_, std::max(now, messaged_at_ + kSoonest));
}

void ContactBook::left(Instant now, const NodeId& neighbor, const std::vector<NodeId>& behind) {
    if (behind.empty() || !next_contact(now, neighbor)) {
        return;
    }
    auto& known = behind_[neighbor];
    known.assign(behind.begin(), behind.begin() + static_cast<std::ptrdiff_t>(std::min(behind.size(), kMostBehind)));
    std::sort(known.begin(), known.end());
    changed(now);
}

void ContactBook::on_message(Instant now, NeighborId from, const RouteContacts& message) {
    std::vector<Said> said;
    for (const RouteContacts::Entry& e : message.entries) {
        if (e.hops < kMostHops) {
            const Instant begins = now + std::chrono::seconds(e.begins_s);
            said.push_back({e.destination, begins, begins + std::chrono::seconds(e.lasts_s), e.airtime_us_per_kib,
                            static_cast<std::uint8_t>(e.hops + 1)});
        }
    }
    const auto same = [](const Said& a, const Said& b) {
        return a.destination == b.destination && std::chrono::abs(a.from - b.from) <= 2s;
    };
    const auto it = said_.find(from);
    const bool news =
        it == said_.end() || !std::equal(said.begin(), said.end(), it->second.begin(), it->second.end(), same);
    if (said.empty()) {
        said_.erase(from);
    } else {
        said_[from] = std::move(said);
    }
    if (news) {
        changed(now);
    }
}

std::optional<Contact> ContactBook::next_contact(Instant now, const NodeId& neighbor) const {
    for (const Contact& c : plan_) {
        if (c.neighbor == neighbor && c.until > now && c.from <= now + kHorizon) {
            return c;
        }
    }
    return std::nullopt;
}

std::optional<ContactBook::Expected> ContactBook::next(Instant now, const NodeId& destination) const {
    std::optional<Expected> best;
    const auto consider = [&](const Expected& e) {
        if (e.until > now && e.from <= now + kHorizon &&
            (!best || std::pair(std::max(e.from, now), e.hops) < std::pair(std::max(best->from, now), best->hops))) {
            best = e;
        }
    };
    for (const Contact& c : plan_) {
        const auto behind = behind_.find(c.neighbor);
        const bool reached =
            c.neighbor == destination ||
            (behind != behind_.end() && std::binary_search(behind->second.begin(), behind->second.end(), destination));
        if (reached) {
            const double us = c.rate_bps > 0.0 ? 8'192e6 / c.rate_bps : 0.0;
            consider({0, c.neighbor, c.from, c.until, static_cast<std::uint32_t>(std::min(us, 4e9)),
                      static_cast<std::uint8_t>(c.neighbor == destination ? 0 : 1)});
        }
    }
    for (const auto& [via, said] : said_) {
        for (const Said& s : said) {
            if (s.destination == short_id(destination)) {
                consider({via, NodeId{}, s.from, s.until, s.airtime_us_per_kib, s.hops});
            }
        }
    }
    return best;
}

std::vector<ContactBook::Edge> ContactBook::take_edges(Instant now) {
    std::vector<Edge> out;
    for (const Contact& c : plan_) {
        for (const auto& [at, leave] : {std::pair{c.until - kLeaveBefore, true}, std::pair{c.until + kBeyond, false}}) {
            if (at > edges_until_ && at <= now) {
                out.push_back({c.neighbor, leave});
            }
        }
    }
    edges_until_ = std::max(edges_until_, now);
    drop_old(now);
    return out;
}

void ContactBook::drop_old(Instant now) {
    std::erase_if(plan_, [&](const Contact& c) { return c.until + kBeyond < now; });
    for (auto it = said_.begin(); it != said_.end();) {
        std::erase_if(it->second, [&](const Said& s) { return s.until <= now; });
        it = it->second.empty() ? said_.erase(it) : std::next(it);
    }
}

bool ContactBook::message_due(Instant now) {
    if (!message_at_ || now < *message_at_) {
        return false;
    }
    drop_old(now);
    messaged_at_ = now;
    message_at_ = empty() ? std::nullopt : std::optional(now + kRepeat);
    return true;
}

// The soonest of each destination, split horizon towards those who said it.
RouteContacts ContactBook::message_for(Instant now, NeighborId to) const {
    std::map<ShortId, RouteContacts::Entry> best;
    const auto consider = [&](const RouteContacts::Entry& e) {
        const auto [it, fresh] = best.try_emplace(e.destination, e);
        if (!fresh && std::pair(e.begins_s, e.hops) < std::pair(it->second.begins_s, it->second.hops)) {
            it->second = e;
        }
    };
    for (const Contact& c : plan_) {
        if (c.from > now + kHorizon || c.until <= now) {
            continue;
        }
        const double us = c.rate_bps > 0.0 ? std::min(8'192e6 / c.rate_bps, 4e9) : 0.0;
        RouteContacts::Entry e{short_id(c.neighbor), seconds_until(now, c.from),
                               seconds_until(std::max(now, c.from), c.until), static_cast<std::uint32_t>(us), 0};
        consider(e);
        if (const auto behind = behind_.find(c.neighbor); behind != behind_.end()) {
            e.hops = 1;
            for (const NodeId& id : behind->second) {
                e.destination = short_id(id);
                consider(e);
            }
        }
    }
    for (const auto& [via, said] : said_) {
        for (const Said& s : said) {
            if (via != to && s.hops < kMostHops && s.until > now) {
                consider({s.destination, seconds_until(now, s.from), seconds_until(std::max(now, s.from), s.until),
                          s.airtime_us_per_kib, s.hops});
            }
        }
    }
    RouteContacts m;
    for (const auto& [id, e] : best) {
        m.entries.push_back(e);
    }
    std::sort(m.entries.begin(), m.entries.end(), [](const auto& a, const auto& b) {
        return std::tuple(a.begins_s, a.hops, a.destination) < std::tuple(b.begins_s, b.hops, b.destination);
    });
    if (m.entries.size() > RouteContacts::kMostEntries) {
        m.entries.resize(RouteContacts::kMostEntries);
    }
    return m;
}

std::optional<Instant> ContactBook::next_timeout() const {
    std::optional<Instant> next = message_at_;
    for (const Contact& c : plan_) {
        for (const Instant at : {c.until - kLeaveBefore, c.until + kBeyond}) {
            if (at > edges_until_) {
                next = earliest(next, at);
            }
        }
    }
    return next;
}

}  // namespace meshnet::net
