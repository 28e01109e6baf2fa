// SPDX-License-Identifier: MIT
// Frames outside of any session: whole, in one burst, unacknowledged. Handshakes before there are keys, and frames to
// everybody, which their readers check themselves.
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr std::size_t kMostWaiting = 16;
constexpr Duration kWaits = 2s;        // then the layer above has sent it again
constexpr float kOpenMarginDb = 8.0F;  // of open frames to a stranger
constexpr float kOpenStepDb = 6.0F;    // more at each of the next
constexpr unsigned kOpenSteps = 4;     // and again from the first

}  // namespace

bool Mac::Impl::enqueue_open(Instant now, Sdu sdu) {
    const bool to_all = sdu.peer == kBroadcast;
    const std::size_t most = to_all ? kMaxOpenToAllBytes : kMaxOpenBytes;
    if (sdu.bytes.empty() || sdu.bytes.size() > most || (!to_all && table.find(sdu.peer) == nullptr)) {
        ++counters.sdus_refused;
        return false;
    }
    if (opens.size() >= kMostWaiting) {
        opens.erase(std::min_element(opens.begin(), opens.end(),
                                     [this](const auto& a, const auto& b) { return standing(a) < standing(b); }));
        ++counters.opens_expired;
    }
    opens.push_back({sdu.peer, std::move(sdu.bytes), now, sdu.answer});
    refresh(now);
    return true;
}

std::size_t Mac::Impl::room_to_all() const {
    const std::size_t overhead = header_bytes(2, true) + open_bytes(0);
    const std::size_t fits = bytes_within(config.fixed_mode.value_or(base_mode()), burst_limit());
    return opens.empty() && fits > overhead ? std::min(fits - overhead, kMaxOpenToAllBytes) : 0;
}

void Mac::Impl::deliver_opens(const Burst& burst) {
    for (const OpenFrame& f : burst.opens) {
        // To everybody only from a neighbour with keys; the content is checked above.
        const Neighbor* n = table.find(burst.header.sender);
        const bool from_known = n != nullptr && n->auth.known();
        if (f.to != config.self && !(f.to == kBroadcast && from_known)) {
            continue;
        }
        Sdu sdu;
        sdu.peer = burst.header.sender;
        sdu.priority = Priority::kControl;
        sdu.bytes.assign(f.data.begin(), f.data.end());
        sdu.open = true;
        ++counters.opens_received;
        events.emplace_back(Received{std::move(sdu)});
    }
}

bool Mac::Impl::affordable(Instant now, const OpenWaiting& w) const {
    if (w.to == kBroadcast) {
        return true;
    }
    const Neighbor* n = table.find(w.to);
    if (n == nullptr) {
        return false;
    }
    return w.answer ? strangers.answers.open(now) : n->up || strangers.attempts.open(now, kept_from(*n));
}

// Who goes first, and stays if there is no room: whoever is heard most often.
unsigned Mac::Impl::standing(const OpenWaiting& w) const {
    const Neighbor* n = w.to == kBroadcast ? nullptr : table.find(w.to);
    return n == nullptr || n->auth.known() ? ~0U : n->heard_bursts;
}

Duration Mac::Impl::kept_from(const Neighbor& n) {
    return n.auth.known() || n.heard_bursts > 1 ? Duration::zero() : StrangerBudgets::kKept;
}

std::optional<Instant> Mac::Impl::open_at(Instant now) const {
    std::optional<Instant> first;
    for (const OpenWaiting& w : opens) {
        Instant at = w.since + kWaits;
        if (affordable(now, w)) {
            at = now;
        } else if (const Neighbor* n = table.find(w.to)) {
            at = std::min(at,
                          w.answer ? strangers.answers.opens_at(now) : strangers.attempts.opens_at(now, kept_from(*n)));
        }
        first = first ? std::min(*first, at) : at;
    }
    return first;
}

// A stranger's report is nobody's word, and another may send louder under its number: by the weakest we hear, and from
// time to time more robust.
ModeIndex Mac::Impl::open_mode(const OpenWaiting& w) const {
    if (config.fixed_mode) {
        return *config.fixed_mode;
    }
    if (w.to == kBroadcast) {
        return base_mode();
    }
    const Neighbor& n = *table.find(w.to);
    if (n.up) {
        return n.rate.control_mode();
    }
    const float heard = n.auth.known() ? n.snr_db : n.weakest_db;
    // Nothing has shown what the transmitters are worth, and such a frame is short: with room, and more at each repeat.
    const float margin = kOpenMarginDb + kOpenStepDb * static_cast<float>(n.opens % kOpenSteps);
    return mode_at((n.rate.known() ? std::min(heard, n.rate.snr_db()) : heard) - margin);
}

void Mac::Impl::plan_opens(Instant now, Draft& draft) {
    // Stable: the oldest of equals.
    std::stable_sort(opens.begin(), opens.end(),
                     [this](const auto& a, const auto& b) { return standing(a) > standing(b); });
    const auto first = std::find_if(opens.begin(), opens.end(), [&](const auto& w) { return affordable(now, w); });
    if (first == opens.end()) {
        return;
    }
    draft.opens = true;
    draft.primary = nullptr;
    draft.mode = open_mode(*first);
    if (now >= hello_at) {
        draft.mode = std::min(draft.mode, config.fixed_mode.value_or(base_mode()));
    }
    const std::size_t least = header_bytes(2, true) + open_bytes(first->bytes.size()) + 1;
    draft.limit = std::min(draft.limit, std::max(kWithBroadcast, phy.airtime(draft.mode, least)));
}

void Mac::Impl::add_opens(Instant now, Draft& draft) {
    constexpr std::size_t kMostTogether = 4;  // each was affordable alone
    std::erase_if(opens, [&](OpenWaiting& w) {
        const std::size_t size = open_bytes(w.bytes.size());
        if (draft.sent.size() == kMostTogether) {
            return false;
        }
        if (!affordable(now, w) || size > draft.budget || (!draft.sent.empty() && open_mode(w) < draft.mode)) {
            return false;
        }
        draft.budget -= size;
        draft.sent.push_back(std::move(w));
        return true;
    });
    for (const OpenWaiting& w : draft.sent) {
        draft.burst.opens.push_back({w.to, w.bytes});
    }
}

// What they cost is shared by their bytes.
void Mac::Impl::account_opens(Instant now, const Draft& draft, Duration airtime) {
    std::size_t all = 0;
    for (const OpenWaiting& w : draft.sent) {
        all += w.bytes.size();
    }
    for (const OpenWaiting& w : draft.sent) {
        ++counters.opens_sent;
        Neighbor* n = w.to == kBroadcast ? nullptr : table.find(w.to);
        if (n == nullptr) {
            continue;
        }
        ++n->opens;
        if (n->up && !w.answer) {
            continue;
        }
        const Duration share = airtime * static_cast<std::int64_t>(w.bytes.size()) / static_cast<std::int64_t>(all);
        const Duration charged = std::min(share, StrangerBudgets::kMostCharged);
        (w.answer ? strangers.answers : strangers.attempts).spend(now, charged);
        (w.answer ? n->answer_airtime : n->attempt_airtime) += charged;
        counters.airtime_strangers += share;
    }
}

void Mac::Impl::expire_opens(Instant now) {
    counters.opens_expired += std::erase_if(opens, [&](const OpenWaiting& w) { return now >= w.since + kWaits; });
}

}  // namespace meshnet::mac
