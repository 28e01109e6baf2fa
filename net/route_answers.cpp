// SPDX-License-Identifier: MIT
// RouteAdvertiser: what goes to one neighbour: questions, answers, the difference between two numbers of the journal.
#include <algorithm>

#include "net/route_advertiser.hpp"

namespace meshnet::net {

namespace {
constexpr std::size_t kAsksPerMessage = 40;
}  // namespace

bool RouteAdvertiser::send_asks(NeighborId to, RouteNeighbor& n, bool certificates) {
    auto& asks = certificates ? n.asks_certificate : n.asks;
    if (asks.empty()) {
        return false;
    }
    const auto count = static_cast<std::ptrdiff_t>(std::min(asks.size(), kAsksPerMessage));
    RouteRequest m;
    m.certificates = certificates;
    m.destinations.assign(asks.begin(), asks.begin() + count);
    asks.erase(asks.begin(), asks.begin() + count);
    send(to, m.encode());
    return true;
}

bool RouteAdvertiser::send_direct(Instant) {
    bool sent = false;
    for (auto it = busy_.begin(); it != busy_.end();) {
        RouteNeighbor& n = shared_.links.at(*it);
        if (affords(n, true)) {
            if (!n.direct.empty()) {
                send(*it, std::move(n.direct.front()));
                n.direct.pop_front();
                sent = true;
            } else if (send_asks(*it, n, true) || send_asks(*it, n, false)) {
                sent = true;
            }
        }
        const bool done = n.direct.empty() && n.asks.empty() && n.asks_certificate.empty();
        it = done ? busy_.erase(it) : std::next(it);
    }
    return sent;
}

bool RouteAdvertiser::send_answer() {
    for (std::size_t tries = answer_order_.size(); tries > 0; --tries) {
        const ShortId id = answer_order_.front();
        answer_order_.pop_front();
        const auto found = answers_.find(id);
        if (found == answers_.end()) {
            continue;
        }
        const Answer a = found->second;
        RouteNeighbor* n = shared_.neighbor(a.to);
        if (a.to == kBroadcast ? !all_afford(false) : n != nullptr && !affords(*n, false)) {
            answer_order_.push_back(id);
            continue;
        }
        answers_.erase(found);
        if (n != nullptr) {
            n->answers -= std::min(n->answers, 1U);  // it may have come back meanwhile
        } else if (a.to != kBroadcast) {
            continue;
        }
        RouteUpdates m;
        if (id == short_id(origin_.id())) {
            m.entries.push_back(origin_.update(true, a.certificate));
        } else if (const auto it = shared_.find(id); it != shared_.destinations.end()) {
            RouteDestination& d = it->second;
            const Certificate* certificate = d.proofs.certificate();
            if (certificate == nullptr || (d.chosen() == nullptr && !certificate->revokes())) {
                continue;
            }
            auto u = update(it->first, d, a.certificate ? Proof::kCertificate : Proof::kSignature);
            if (!u) {
                continue;
            }
            m.entries.push_back(std::move(*u));
        } else {
            continue;
        }
        const Bytes message = m.encode();
        if (a.to == kBroadcast) {
            send_to_all(message);
        } else {
            send(a.to, message);
        }
        return true;
    }
    return false;
}

bool RouteAdvertiser::send_syncs(Instant now) {
    bool sent = false;
    for (auto it = syncing_.begin(); it != syncing_.end();) {
        RouteNeighbor& n = shared_.links.at(*it);
        if (affords(n, false)) {
            sent = send_sync(now, *it, n) || sent;
        }
        it = n.syncing ? std::next(it) : syncing_.erase(it);
    }
    return sent;
}

bool RouteAdvertiser::send_sync(Instant now, NeighborId to, RouteNeighbor& n) {
    RouteUpdates m;
    m.span = RouteUpdates::Span{run_, n.cursor, n.cursor};
    std::size_t size = RouteUpdates::kHeaderBytes;
    auto it = journal_.upper_bound(n.cursor);
    for (; it != journal_.end(); ++it) {
        std::optional<RouteUpdate> u;
        if (it->second == origin_.id()) {
            u = origin_.update(true, false);
        } else {
            RouteDestination& d = shared_.destinations.at(it->second);
            const bool gone = d.chosen() == nullptr;
            const bool revoked = d.proofs.certificate() != nullptr && d.proofs.certificate()->revokes();
            if (!gone || n.from != 0 || revoked) {  // a newcomer knows nothing that could be retracted
                u = update(it->second, d, Proof::kNone);
            }
        }
        if (u) {
            if (!m.entries.empty() && size + u->bytes() > kMessageBytes) {
                break;
            }
            size += u->bytes();
            m.entries.push_back(std::move(*u));
        }
        n.cursor = it->first;
    }
    if (it == journal_.end()) {
        n.cursor = version_;
        n.syncing = false;
    }
    m.span->upto = n.cursor;
    n.sync_sent = now;
    send(to, m.encode());
    return true;
}

}  // namespace meshnet::net
