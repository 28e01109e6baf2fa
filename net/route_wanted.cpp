// SPDX-License-Identifier: MIT
#include "net/route_wanted.hpp"

#include <algorithm>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kCandidates = 4;
constexpr Duration kAskAgain = 500ms;      // doubles
constexpr Duration kAskAgainAtMost = 64s;  // the answer may wait for the share of a slow link
constexpr int kTries = 12;

}  // namespace

bool RouteWanted::add(Instant now, const ShortId& destination, const Candidate& route, bool certificate) {
    const NeighborId from = route.via;
    auto it = wanted_.find(destination);
    if (it == wanted_.end()) {
        RouteNeighbor* n = shared_.neighbor(from);
        if (n == nullptr || n->wanted >= kMostPerNeighbor || wanted_.size() >= kMost) {
            return false;
        }
        ++n->wanted;
        it = wanted_.emplace(destination, Wanted{{}, certificate, from, now + kAskAgain, 1}).first;
        advertiser_.ask(now, from, destination, certificate);
        at_ = earliest(at_, it->second.again);
    }
    Wanted& w = it->second;
    w.certificate = w.certificate || certificate;
    std::erase_if(w.candidates, [&](const Candidate& c) { return c.via == from; });
    if (w.candidates.size() >= kCandidates) {
        w.candidates.erase(w.candidates.begin());
    }
    w.candidates.push_back(route);
    return true;
}

RouteWanted::Map::iterator RouteWanted::erase(Map::iterator it) {
    if (RouteNeighbor* n = shared_.neighbor(it->second.owner)) {
        n->wanted -= std::min(n->wanted, 1U);
    }
    return wanted_.erase(it);
}

std::vector<RouteWanted::Candidate> RouteWanted::take(const ShortId& destination) {
    const auto it = wanted_.find(destination);
    if (it == wanted_.end()) {
        return {};
    }
    auto out = std::move(it->second.candidates);
    erase(it);
    return out;
}

void RouteWanted::retract(NeighborId link, const ShortId& destination) {
    const auto it = wanted_.find(destination);
    if (it != wanted_.end()) {
        std::erase_if(it->second.candidates, [&](const Candidate& c) { return c.via == link; });
        if (it->second.candidates.empty()) {
            erase(it);
        }
    }
}

void RouteWanted::neighbor_down(NeighborId link) {
    for (auto it = wanted_.begin(); it != wanted_.end();) {
        std::erase_if(it->second.candidates, [&](const Candidate& c) { return c.via == link; });
        it = it->second.candidates.empty() ? erase(it) : std::next(it);
    }
}

void RouteWanted::on_timeout(Instant now) {
    if (!at_ || now < *at_) {
        return;
    }
    at_.reset();
    for (auto it = wanted_.begin(); it != wanted_.end();) {
        Wanted& w = it->second;
        if (now >= w.again) {
            if (w.tries >= kTries) {
                it = erase(it);
                continue;
            }
            const auto& asked = w.candidates[static_cast<std::size_t>(w.tries) % w.candidates.size()];
            advertiser_.ask(now, asked.via, it->first, w.certificate);
            w.again = now + std::min(kAskAgain * (std::int64_t{1} << w.tries), kAskAgainAtMost);
            ++w.tries;
        }
        at_ = earliest(at_, w.again);
        ++it;
    }
}

}  // namespace meshnet::net
