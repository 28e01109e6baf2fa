// SPDX-License-Identifier: MIT
#include "net/link_peer.hpp"

#include <algorithm>
#include <cassert>

#include "net/deadline.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kFirst = 1;
constexpr std::uint8_t kSecond = 2;
constexpr std::uint8_t kThird = 3;
constexpr std::size_t kFirstBytes = 1 + 32 + 1;
constexpr std::size_t kSecondBytes = 1 + 32 + 48 + Certificate::kBytes + 1 + kAeadTagBytes;
constexpr std::size_t kThirdBytes = 1 + 48 + Certificate::kBytes + kAeadTagBytes;
constexpr std::size_t kHalfOpenLimit = 4;
constexpr std::size_t kOutgoingLimit = 4;
constexpr Duration kFirstInterval = 400ms;
constexpr Duration kLongestInterval = 4s;
constexpr int kThirdRepeats = 6;         // unanswered third messages before starting over
constexpr Duration kPreviousKept = 10s;  // frames sealed before the change may still arrive
constexpr Duration kHalfOpenKept = 10s;

}  // namespace

LinkPeer::LinkPeer(const Certificate& certificate, const Key32& exchange_secret, NeighborId self, NeighborId peer,
                   RandomSource& random, Admission admission)
    : own_certificate_(certificate),
      exchange_secret_(exchange_secret),
      self_(self),
      peer_(peer),
      random_(random),
      admission_(std::move(admission)) {}

Bytes LinkPeer::prologue(bool initiator) const {
    Bytes out;
    out.reserve(64);
    ByteWriter w(out);
    w.bytes(as_bytes("meshnet link v1"));
    w.u32(initiator ? self_ : peer_);
    w.u32(initiator ? peer_ : self_);
    return out;
}

std::uint8_t LinkPeer::unused_tag() {
    // Few are in use at once (two sessions, one attempt, four half-open), so this ends soon.
    for (;;) {
        const auto tag = static_cast<std::uint8_t>(random_.below(LinkSession::kTagMask + 1U));
        const bool used =
            (current_ && current_->session.our_tag() == tag) || (previous_ && previous_->session.our_tag() == tag) ||
            (attempt_ && attempt_->tag == tag) ||
            std::any_of(half_open_.begin(), half_open_.end(), [&](const auto& h) { return h.tag == tag; });
        if (!used) {
            return tag;
        }
    }
}

void LinkPeer::start(Instant now) {
    if (attempt_) {
        return;
    }
    const std::uint8_t tag = unused_tag();
    Attempt attempt{NoiseHandshake(NoisePattern::kXX, true, prologue(true), exchange_secret_, random_key(random_)),
                    tag,
                    {},
                    now,
                    kFirstInterval,
                    0,
                    {}};
    attempt.frame.push_back(kFirst);
    const std::array<std::uint8_t, 1> payload{tag};
    const bool written = attempt.noise.write(payload, attempt.frame);
    assert(written);
    (void)written;
    attempt_.emplace(std::move(attempt));
    on_timeout(now);
}

void LinkPeer::stop() {
    attempt_.reset();
    half_open_.clear();
    outgoing_.clear();
}

std::optional<Bytes> LinkPeer::poll_handshake() {
    if (outgoing_.empty()) {
        return std::nullopt;
    }
    Bytes frame = std::move(outgoing_.front());
    outgoing_.erase(outgoing_.begin());
    return frame;
}

void LinkPeer::on_timeout(Instant now) {
    if (attempt_ && now >= attempt_->next_send) {
        if (attempt_->proposed && attempt_->repeats >= kThirdRepeats) {
            attempt_.reset();
            start(now);
            return;
        }
        if (outgoing_.size() < kOutgoingLimit) {
            outgoing_.push_back(attempt_->frame);
        }
        ++attempt_->repeats;
        // Jitter, so that two stations that collided once do not keep colliding.
        const auto jitter = Duration{static_cast<std::int64_t>(random_.below(100'000'000))};
        attempt_->next_send = now + attempt_->interval + jitter;
        attempt_->interval = std::min(2 * attempt_->interval, Duration{kLongestInterval});
    }
    if (previous_ && now >= previous_until_) {
        previous_.reset();
    }
    std::erase_if(half_open_, [&](const HalfOpen& h) { return now >= h.since + kHalfOpenKept; });
}

std::optional<Instant> LinkPeer::next_timeout() const {
    std::optional<Instant> next;
    if (attempt_) {
        next = earliest(next, attempt_->next_send);
    }
    if (previous_) {
        next = earliest(next, previous_until_);
    }
    for (const HalfOpen& h : half_open_) {
        next = earliest(next, h.since + kHalfOpenKept);
    }
    return next;
}

LinkPeer::Outcome LinkPeer::on_frame(Instant now, ByteView frame) {
    if (LinkSession::is_data(frame)) {
        return on_data(now, frame);
    }
    switch (frame.empty() ? std::uint8_t{0} : frame[0]) {
        case kFirst:
            return on_first(now, frame);
        case kSecond:
            return on_second(now, frame);
        case kThird:
            return on_third(now, frame);
        default:
            return {Event::kMalformed, {}};
    }
}

std::optional<Certificate> LinkPeer::admitted(const NoiseHandshake& noise, ByteView certificate, Event& why) const {
    const auto c = Certificate::decode(certificate);
    if (!c || !noise.remote_static() || c->exchange != *noise.remote_static()) {
        why = Event::kForged;
        return std::nullopt;
    }
    const NodeId id = c->id();
    const std::uint32_t station = ByteReader(id).u32();
    if (station != peer_ || c->master == own_certificate_.master || !admission_(id)) {
        why = Event::kRefused;
        return std::nullopt;
    }
    if (current_ && current_->id == id && c->serial < current_->certificate.serial) {
        why = Event::kRefused;  // a device certificate that a newer one has replaced
        return std::nullopt;
    }
    return c;
}

void LinkPeer::establish(Instant now, Established next) {
    previous_ = std::move(current_);
    previous_until_ = now + kPreviousKept;
    current_.emplace(std::move(next));
    ++handshakes_;
}

LinkPeer::Outcome LinkPeer::on_first(Instant now, ByteView frame) {
    if (frame.size() != kFirstBytes) {
        return {Event::kMalformed, {}};
    }
    for (const HalfOpen& h : half_open_) {  // our answer was lost: the same one again
        if (std::equal(frame.begin(), frame.end(), h.first.begin(), h.first.end())) {
            if (first_messages_.take(now) && outgoing_.size() < kOutgoingLimit) {
                outgoing_.push_back(h.second);
                return {};
            }
            return {Event::kLimited, {}};
        }
    }
    if (attempt_ && !attempt_->proposed && self_ < peer_) {
        return {};  // both called at once: the neighbour will answer ours
    }
    if (!first_messages_.take(now)) {
        return {Event::kLimited, {}};
    }
    HalfOpen half{NoiseHandshake(NoisePattern::kXX, false, prologue(false), exchange_secret_, random_key(random_)),
                  unused_tag(),
                  0,
                  Bytes(frame.begin(), frame.end()),
                  {},
                  now};
    const auto payload = half.noise.read(frame.subspan(1));
    if (!payload || payload->size() != 1 || (*payload)[0] > LinkSession::kTagMask) {
        return {Event::kMalformed, {}};
    }
    half.peer_tag = (*payload)[0];
    half.second.push_back(kSecond);
    Bytes answer;
    own_certificate_.encode(answer);
    answer.push_back(half.tag);
    if (!half.noise.write(answer, half.second)) {
        return {Event::kForged, {}};
    }
    if (attempt_ && !attempt_->proposed) {
        attempt_.reset();
        outgoing_.clear();
    }
    if (outgoing_.size() < kOutgoingLimit) {
        outgoing_.push_back(half.second);
    }
    if (half_open_.size() >= kHalfOpenLimit) {
        half_open_.erase(half_open_.begin());
    }
    half_open_.push_back(std::move(half));
    return {};
}

LinkPeer::Outcome LinkPeer::on_second(Instant now, ByteView frame) {
    if (frame.size() != kSecondBytes) {
        return {Event::kMalformed, {}};
    }
    if (!attempt_ || attempt_->proposed) {
        return {};  // late or repeated
    }
    NoiseHandshake noise = attempt_->noise;
    const auto payload = noise.read(frame.subspan(1));
    if (!payload || payload->size() != Certificate::kBytes + 1 || payload->back() > LinkSession::kTagMask) {
        return {Event::kForged, {}};
    }
    Event why = Event::kNone;
    const auto certificate = admitted(noise, ByteView(*payload).first(Certificate::kBytes), why);
    if (!certificate) {
        return {why, {}};
    }
    Bytes third{kThird};
    Bytes mine;
    own_certificate_.encode(mine);
    if (!noise.write(mine, third)) {
        return {Event::kForged, {}};
    }
    const auto keys = noise.split();
    attempt_->proposed.emplace(Established{LinkSession(keys.send, keys.receive, attempt_->tag, payload->back()),
                                           *certificate, certificate->id()});
    attempt_->frame = std::move(third);
    attempt_->next_send = now;
    attempt_->interval = kFirstInterval;
    attempt_->repeats = 0;
    on_timeout(now);
    return {};
}

LinkPeer::Outcome LinkPeer::on_third(Instant now, ByteView frame) {
    if (frame.size() != kThirdBytes) {
        return {Event::kMalformed, {}};
    }
    const auto digest = blake2b<16>({frame});
    if (current_ && digest == last_third_) {
        return {confirms_.take(now) ? Event::kConfirm : Event::kLimited, {}};
    }
    for (const HalfOpen& h : half_open_) {
        NoiseHandshake noise = h.noise;
        const auto payload = noise.read(frame.subspan(1));
        if (!payload) {
            continue;
        }
        Event why = Event::kNone;
        const auto certificate = admitted(noise, *payload, why);
        if (!certificate) {
            return {why, {}};
        }
        const auto keys = noise.split();
        establish(now, {LinkSession(keys.send, keys.receive, h.tag, h.peer_tag), *certificate, certificate->id()});
        last_third_ = digest;
        stop();
        return {Event::kUp, {}};
    }
    return {Event::kForged, {}};
}

LinkPeer::Outcome LinkPeer::on_data(Instant now, ByteView frame) {
    const std::uint8_t tag = LinkSession::tag_of(frame);
    LinkSession* session = nullptr;
    bool proposed = false;
    if (attempt_ && attempt_->proposed && attempt_->tag == tag) {
        session = &attempt_->proposed->session;
        proposed = true;
    } else if (current_ && current_->session.our_tag() == tag) {
        session = &current_->session;
    } else if (previous_ && previous_->session.our_tag() == tag) {
        session = &previous_->session;
    }
    if (session == nullptr) {
        return {Event::kForged, {}};
    }
    auto opened = session->open(frame);
    if (opened.refusal != LinkSession::Refusal::kNone) {
        return {opened.refusal == LinkSession::Refusal::kReplayed ? Event::kReplayed : Event::kForged, {}};
    }
    if (proposed) {  // only the neighbour can have sealed it, so it has our third message
        establish(now, std::move(*attempt_->proposed));
        last_third_ = {};
        stop();
        return {Event::kUpAndData, std::move(opened.plain)};
    }
    return {Event::kData, std::move(opened.plain), session != &current_->session};
}

std::optional<Bytes> LinkPeer::seal(ByteView plain) {
    assert(up());
    return current_->session.seal(plain);
}

}  // namespace meshnet::net
