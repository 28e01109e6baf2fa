// SPDX-License-Identifier: MIT
#include "net/route_origin.hpp"

#include <algorithm>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr Duration kRenewal = 600s;         // when nothing asks for a new seqno
constexpr Duration kDisputedRenewal = 32s;  // while another run with our key is about
constexpr Duration kEpoch = 24h;
constexpr Duration kOtherKept = 90s;        // we mention another instance so long after its newest signature
constexpr std::uint32_t kQuickRaises = 4;   // on request; then one each update interval
constexpr std::uint32_t kLargestRaise = 4;  // a restarted neighbour requests more than one
constexpr std::uint32_t kLast = 0xFFFF'FFFF;
constexpr std::size_t kMaxOthers = 64;

}  // namespace

RouteOrigin::RouteOrigin(const Config& config, const Certificate& certificate, const SigningKey& device,
                         KeyAlarms& alarms, RouteCounters& counters)
    : config_(config),
      certificate_(certificate),
      device_(device),
      alarms_(alarms),
      counters_(counters),
      id_(certificate.id()),
      seqno_(config.first_seqno) {
    instance_.boot = config_.boot;
    instance_.epoch = config_.epoch;
    next(Instant{}, News::kNone);
    renew_at_.reset();
}

bool RouteOrigin::disputed(Instant now) const {
    return alarms_.own_standing() || (instance_.other != 0 && now < other_until_);
}

void RouteOrigin::next(Instant now, News news, std::uint32_t raise) {
    if (heard_seqno_ && *heard_seqno_ > seqno_) {
        seqno_ = *heard_seqno_;
    }
    heard_seqno_.reset();
    answer_ = false;
    answer_after_ = now + config_.update_interval;
    if (now >= other_until_) {
        instance_.other = 0;
    }
    if (now >= epoch_until_) {
        instance_.epoch += epoch_until_ != Instant{} && instance_.epoch < kLast ? 1 : 0;
        epoch_until_ = now + kEpoch;
    }
    instance_.alarm = alarms_.own_standing();
    seqno_ += std::min(raise, kLast - seqno_);
    signature_ = device_.sign(kRouteContext, RouteUpdate::signed_part(id_, seqno_, certificate_.serial, instance_));
    renew_at_ = now + (disputed(now) ? kDisputedRenewal : kRenewal);
    news_ = std::max(news_, news);
}

RouteUpdate RouteOrigin::update(bool with_signature, bool with_certificate) const {
    RouteUpdate u;
    u.destination = short_id(id_);
    u.seqno = seqno_;
    u.metric = RouteMetric::origin();
    u.run = instance_.tag();
    if (with_signature) {
        u.serial = certificate_.serial;
        u.signature = signature_;
        u.instance = instance_;
    }
    if (with_certificate) {
        u.certificate = certificate_;
    }
    return u;
}

bool RouteOrigin::supersedes(const Certificate& certificate) const {
    if (certificate.serial < certificate_.serial || certificate.id() != id_ ||
        (certificate.serial == certificate_.serial && !certificate.revokes())) {
        return false;
    }
    Bytes encoded;
    certificate.encode(encoded);
    return Certificate::decode(encoded).has_value();
}

bool RouteOrigin::on_request(Instant now, std::uint32_t seqno) {
    if (seqno <= seqno_) {
        return false;
    }
    requested_ = std::max(std::min(seqno - seqno_, kLargestRaise) + seqno_, requested_.value_or(0));
    answer_request(now);
    return true;
}

// A raise costs an interval, of which a few are had in advance: whatever is requested, our seqno grows no faster than
// by kLargestRaise in each.
void RouteOrigin::answer_request(Instant now) {
    if (!requested_ || *requested_ <= seqno_) {
        requested_.reset();
        return;
    }
    const Instant after = std::max(raise_credit_, now) + config_.update_interval;
    if (after > now + kQuickRaises * config_.update_interval) {
        return;  // on_timeout() goes on
    }
    raise_credit_ = after;
    next(now, News::kUrgent, *requested_ - seqno_);
    requested_.reset();
}

// ---- the same key twice ----

void RouteOrigin::on_update(Instant now, const RouteUpdate& u) {
    if (!u.signature || u.serial != certificate_.serial) {
        return;
    }
    const auto known = others_.find(u.instance.boot);
    const bool ours = u.instance.boot == instance_.boot;
    const bool news = ours ? u.seqno > seqno_ : known == others_.end() || u.seqno > known->second;
    if (!news || !own_checks_.take(now) ||
        !verify(device_.public_key(), kRouteContext, RouteUpdate::signed_part(id_, u.seqno, u.serial, u.instance),
                *u.signature)) {
        return;
    }
    if (u.instance.epoch > instance_.epoch) {
        instance_.epoch = u.instance.epoch + (ours || u.instance.epoch == kLast ? 0 : 1);
        answer_ = true;
    }
    if (u.seqno > heard_seqno_.value_or(seqno_)) {
        heard_seqno_ = u.seqno;  // if our state was lost, we continue above it
        answer_ = true;
    }
    if (!ours) {
        on_other_instance(now, u);
    } else if (config_.boot != 0) {
        ++counters_.key_evidence;  // a copy of this process
        if (alarms_.evidence(now, id_)) {
            ++counters_.key_alarms;
            answer_ = true;
            answer_after_ = now;
        }
    }
    answer_other_instance(now);
}

// An earlier run of ours can have signed anything but our own number, which nobody knew before we started. Whoever
// signs that has run since, as we have.
void RouteOrigin::on_other_instance(Instant now, const RouteUpdate& u) {
    if (others_.count(u.instance.boot) == 0) {
        answer_ = true;  // the first time: answered at once
        answer_after_ = std::min(answer_after_, now);
        if (others_.size() >= kMaxOthers) {
            others_.erase(others_.begin());
        }
    }
    others_[u.instance.boot] = u.seqno;
    instance_.other = u.instance.boot;
    other_until_ = now + kOtherKept;
    if (u.instance.other == instance_.boot) {
        ++counters_.key_evidence;
        if (alarms_.evidence(now, id_)) {  // who relies on our key shall know soon
            ++counters_.key_alarms;
            answer_ = true;
            answer_after_ = now;
        }
    }
}

// At most once an update interval but for the first few, and once a second station is proven only with the regular
// change of the seqno: two stations that each insist on the newest would never come to rest.
void RouteOrigin::answer_other_instance(Instant now) {
    if (answer_ && (now >= answer_after_ || quick_answers_ > 0)) {
        quick_answers_ = std::max(0, quick_answers_ - 1);
        next(now, News::kUrgent);
        if (alarms_.own_standing()) {
            quick_answers_ = 0;
            answer_after_ = now + kDisputedRenewal;
        }
    }
}

void RouteOrigin::on_timeout(Instant now) {
    answer_other_instance(now);
    answer_request(now);
    if (!renew_at_) {
        renew_at_ = now + kRenewal;
        epoch_until_ = now + kEpoch;
    }
    if (now >= *renew_at_) {
        next(now, News::kRenewed);
    }
}

std::optional<Instant> RouteOrigin::next_timeout() const {
    std::optional<Instant> at = renew_at_;
    if (answer_) {
        at = earliest(at, answer_after_);
    }
    if (requested_) {
        at = earliest(at, raise_credit_ - (kQuickRaises - 1) * config_.update_interval);
    }
    return at;
}

}  // namespace meshnet::net
