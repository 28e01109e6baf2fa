// SPDX-License-Identifier: MIT
// What a burst carries, how fast, and to whom it grants the answer.
#include <algorithm>
#include <utility>

#include "mac/mac_impl.hpp"

namespace meshnet::mac {
namespace {

constexpr std::size_t kUnannouncedBytes = 2'000;  // room in an answer for what has come up since
constexpr Duration kLeastFrame = 6ms;             // worth its preamble and header
constexpr Duration kSplitGain = 10ms;             // that it must save to acknowledge in a burst of its own
}  // namespace

bool Mac::Impl::hidden_beyond(Instant now, const Neighbor& n) const {
    for (const auto& [id, entry] : n.heard_there) {
        const Neighbor* known = table.find(id);
        if (known == nullptr ||
            now - std::max(known->heard_at, known->unproven_at) > kMissedHellos * hello_round(*known)) {
            return true;
        }
    }
    return false;
}

std::size_t Mac::Impl::bytes_within(ModeIndex mode, Duration limit) const {
    std::size_t low = 0;
    std::size_t high = phy.max_bytes();
    while (low < high) {
        const std::size_t middle = (low + high + 1) / 2;
        if (phy.airtime(mode, middle) <= limit) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

// About 8 ms of air each, so that a code block lost costs little and slow modes are not all delimiters.
std::size_t Mac::Impl::fragment_bytes(ModeIndex mode) const {
    return static_cast<std::size_t>(std::clamp(phy.payload_rate_bps(mode) * 1e-3, 200.0, 1'000.0));
}

ModeIndex Mac::Impl::mode_at(float snr_db) const {
    ModeIndex best = 0;
    for (std::size_t i = 1; i < phy.mode_count(); ++i) {
        const auto mode = static_cast<ModeIndex>(i);
        if (phy.required_snr_db(mode) <= snr_db && phy.payload_rate_bps(mode) > phy.payload_rate_bps(best)) {
            best = mode;
        }
    }
    return best;
}

// The fastest mode that every neighbour that is up can read; the most robust if there is none.
ModeIndex Mac::Impl::base_mode() const {
    std::optional<ModeIndex> least;
    for (const auto& [id, n] : table) {
        if (n.up) {
            const ModeIndex m = n.rate.control_mode();
            least = least ? std::min(*least, m) : m;
        }
    }
    return least.value_or(0);
}

// How long the answer of `n` may take, as far as is known here: it receives our report of its SNR and keeps a margin.
Duration Mac::Impl::answer_airtime(Instant now, const Neighbor& n, bool with_data) const {
    const auto margin = static_cast<float>(config.snr_margin_db);
    const ModeIndex careful = config.fixed_mode.value_or(mode_at(n.snr_db - margin - 3.0F));
    Duration time = phy.airtime(careful, kAnswerBytes);
    if (with_data) {
        const ModeIndex fast = config.fixed_mode.value_or(mode_at(n.snr_db - margin - 1.0F));
        const std::size_t bytes = kUnannouncedBytes + (n.has_backlog(now) ? n.backlog_bytes + n.backlog_bytes / 8 : 0);
        // More than one frame holds goes in several, one after the other.
        const auto full_frames = static_cast<std::int64_t>(std::min<std::size_t>(bytes / phy.max_bytes(), 100));
        time = std::max(time, phy.airtime(fast, bytes % phy.max_bytes()) +
                                  full_frames * (phy.airtime(fast, phy.max_bytes()) + kMargin));
    }
    return std::min(time, burst_limit());
}

bool Mac::Impl::others_wait(Instant now, StationId except) const {
    for (const auto& [id, n] : table) {
        if (id != except && n.up && (n.sender.ready() || n.has_backlog(now))) {
            return true;
        }
    }
    return false;
}

// A long burst without a grant is requested first where it would be likely to collide (as RTS/CTS does).
bool Mac::Impl::needs_request(Instant now, const Draft& draft, const Neighbor& primary) const {
    const Duration planned =
        std::min(draft.limit, phy.airtime(draft.mode, std::min(primary.sender.backlog_bytes(), phy.max_bytes())));
    if (planned <= kLongBurst) {
        return false;
    }
    if (hidden_beyond(now, primary)) {
        return true;
    }
    for (const auto& [id, n] : table) {
        const bool about = now - n.heard_at < kMissedHellos * config.hello_interval;
        if (id != primary.id && (n.has_backlog(now) || (contention.contended() && about))) {
            return true;
        }
    }
    return false;
}

Neighbor* Mac::Impl::choose_primary() {
    return const_cast<Neighbor*>(std::as_const(*this).choose_primary());
}

const Neighbor* Mac::Impl::choose_primary() const {
    const Neighbor* best = nullptr;
    for (const auto& [id, n] : table) {
        if (!wants_to_send(n)) {
            continue;
        }
        if (best == nullptr || n.sender.urgency() < best->sender.urgency() ||
            (n.sender.urgency() == best->sender.urgency() && n.primary_at < best->primary_at)) {
            best = &n;
        }
    }
    return best;
}

void Mac::Impl::choose_mode(Draft& draft) {
    const Neighbor* primary = draft.primary;
    const Neighbor* grantor = draft.grantor;
    ModeIndex mode = static_cast<ModeIndex>(phy.mode_count() - 1);
    if (primary != nullptr) {
        mode = primary->rate.data_mode();
    } else {
        // Short and for all to read: acknowledgements, grants, hellos.
        mode = base_mode();
        for (const auto& [id, n] : table) {
            if (n.ack_due) {
                mode = std::min(mode, n.rate.control_mode());
            }
        }
    }
    if (grantor != nullptr) {
        // A long burst repeats its header and costs too much to slow down for one acknowledgement; a short one can
        // afford it.
        mode = std::min(mode, primary != nullptr ? grantor->rate.data_mode() : grantor->rate.control_mode());
    }
    if (broadcast.ready() && base_mode() < mode) {
        mode = base_mode();
        draft.limit = std::min(draft.limit, kWithBroadcast);
    }
    draft.mode = config.fixed_mode.value_or(mode);
}

void Mac::Impl::add_acks(Draft& draft) {
    for (auto& [id, n] : table) {
        const bool granted = &n == draft.grantor;
        const bool readable = granted || n.rate.data_mode() >= draft.mode;
        if (!n.unicast.synchronised() || !(n.ack_due || granted) || !readable) {
            continue;
        }
        BlockAck ack;
        ack.peer = id;
        ack.burst = static_cast<std::uint16_t>(n.last_burst);
        ack.snr_db = n.snr_db;
        n.unicast.fill(ack);
        const std::size_t size = ack_bytes(ack.bitmap.size(), config.authenticated);
        if (size > draft.budget) {
            continue;
        }
        draft.budget -= size;
        draft.burst.acks.push_back(std::move(ack));
    }
}

// Whom we hear, those longest not listed first, as there may be more than fit. Where neighbours have keys, a few others
// go first. In the most robust mode each entry takes milliseconds: a few, those who may hear nothing else of us.
std::vector<Neighbor*> Mac::Impl::to_list(Instant now, bool robust) {
    std::vector<Neighbor*> known;
    std::vector<Neighbor*> others;
    for (auto& [id, n] : table) {
        const Instant last = std::max(n.heard_at, n.unproven_at);
        if (n.ranging.heard() && now - last < kMissedHellos * hello_round(n)) {
            (config.authenticated && !n.auth.known() ? others : known).push_back(&n);
        }
    }
    const auto longest_first = [](const Neighbor* a, const Neighbor* b) { return a->listed_at < b->listed_at; };
    std::stable_sort(known.begin(), known.end(), longest_first);
    std::stable_sort(others.begin(), others.end(), longest_first);
    if (robust) {
        std::stable_sort(known.begin(), known.end(), [](const Neighbor* a, const Neighbor* b) {
            return a->rate.control_mode() < b->rate.control_mode();
        });
    }
    known.resize(std::min(known.size(), robust ? kListedRobust : known.size()));
    others.resize(std::min(others.size(), kListedStrangers));
    others.insert(others.end(), known.begin(), known.end());
    return others;
}

void Mac::Impl::add_hello(Instant now, Draft& draft) {
    Hello hello;
    hello.jitter = host.jitter();
    hello.recovery = host.recovery();
    hello.number = hello_number;
    hello.interval = hello_period();
    const std::vector<Neighbor*> heard = to_list(now, draft.robust_alone);
    const bool tagged = config.authenticated;
    const std::size_t least = hello_bytes(0, tagged);
    if (draft.budget < least) {
        return;
    }
    const std::size_t space = (draft.budget - least) / (hello_bytes(1, tagged) - least);
    const std::size_t count = std::min({heard.size(), tagged ? kMaxHeardTagged : kMaxHeard, space});
    hello.truncated = draft.robust_alone || count < heard.size();
    for (std::size_t i = 0; i < count; ++i) {
        Neighbor& n = *heard[i];
        hello.heard.push_back({n.id, n.snr_db, n.ranging.last_number(), n.ranging.last_received().time_since_epoch(),
                               n.ranging.propagation(now)});
        n.listed_at = now;
    }
    draft.budget -= hello_bytes(count, tagged);
    draft.burst.hello = std::move(hello);
}

void Mac::Impl::add_data(Instant now, Draft& draft, Neighbor* primary) {
    auto& targets = draft.burst.header.targets;
    auto& fragments = draft.burst.fragments;
    const std::size_t piece = fragment_bytes(draft.mode);
    const auto number = static_cast<std::uint8_t>(draft.burst.header.burst);
    const auto add = [&](StationId peer, ArqSender& sender, std::size_t budget) {
        if (targets.size() == kMaxTargets || budget > draft.budget || draft.budget < 200) {
            return false;
        }
        const std::size_t used =
            sender.take(now, budget, piece, static_cast<std::uint8_t>(targets.size()), number, draft.mode, fragments);
        if (used > 0) {
            targets.push_back({peer, sender.session(), sender.floor()});
            draft.budget -= used;
        }
        return used > 0;
    };
    if (broadcast.ready()) {
        add(kBroadcast, broadcast, draft.budget);
    }
    if (primary == nullptr) {
        return;
    }
    // What is little for others rides along, to at most half of the burst.
    std::size_t shared = draft.budget / 2;
    for (auto& [id, n] : table) {
        if (&n == primary || !n.up || n.ack_requests > 0 || blind_to_us(n) || !n.sender.ready() ||
            n.rate.data_mode() < draft.mode || targets.size() + 1 >= kMaxTargets) {
            continue;
        }
        const std::size_t before = draft.budget;
        add(id, n.sender, std::min(shared, draft.budget / 4));
        shared -= before - draft.budget;
        if (shared < 300) {
            break;
        }
    }
    if (add(primary->id, primary->sender, draft.budget)) {
        primary->primary_at = now;
        draft.data = true;
    }
}

// Whether to acknowledge the grantor in a short burst of its own and go on with the data in a faster mode than it could
// read.
bool Mac::Impl::worth_splitting(const Draft& draft, const TxopGrant& by, const Neighbor& grantor,
                                const Neighbor& primary) const {
    const ModeIndex slow = grantor.rate.data_mode();
    const ModeIndex fast = primary.rate.data_mode();
    if (&grantor == &primary || slow >= fast || by.chain_left == 0 || primary.ack_requests > 0 ||
        primary.silences > 0) {
        return false;
    }
    const std::size_t bytes = std::min(primary.sender.backlog_bytes(), bytes_within(slow, draft.limit));
    const Duration split = phy.airtime(grantor.rate.control_mode(), kAnswerBytes) + host.spacing();
    return phy.airtime(slow, bytes) > phy.airtime(fast, bytes) + split + kSplitGain;
}

// How much longer to go on after a burst as large as a frame can be, so that fast modes are not all gaps; 0: not at
// all.
Duration Mac::Impl::more_frames(const Draft& draft, const Neighbor& primary) const {
    const std::size_t used = phy.max_bytes() - std::min(draft.budget, phy.max_bytes());
    if (!draft.data || draft.budget > kSmallestBurstBytes * 4 || primary.sender.backlog_bytes() < phy.max_bytes() / 4) {
        return Duration::zero();
    }
    const Duration airtime = phy.airtime(draft.mode, used);
    const Duration left = draft.limit - airtime - host.spacing();
    // A slot of a superframe is ours to its end: nobody else could use what is left of it.
    const Duration least = reserve && !in_window(refreshed_at) ? kLeastFrame : airtime / 2;
    return left >= least ? left : Duration::zero();
}

// Who answers. The main receiver of data always; else whoever has waited longest of those that owe an acknowledgement,
// have advertised a backlog, or requested the channel back.
Neighbor* Mac::Impl::choose_grantee(Instant now, const Draft& draft, const std::optional<TxopGrant>& by) {
    if (draft.data) {
        return draft.primary;
    }
    if (by && by->chain_left == 0) {
        return nullptr;
    }
    Neighbor* longest = nullptr;
    for (auto& [id, n] : table) {
        const bool requested = by && by->from == id && by->wants_txop;
        if (n.up && (n.sender.in_flight() || n.has_backlog(now) || requested) &&
            (longest == nullptr || n.served_at < longest->served_at)) {
            longest = &n;
        }
    }
    return longest;
}

}  // namespace meshnet::mac
