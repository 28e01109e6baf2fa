// SPDX-License-Identifier: MIT
#include "net/link_peer.hpp"

#include <algorithm>
#include <cassert>

#include "net/deadline.hpp"
#include "net/packet_format.hpp"

namespace meshnet::net {

namespace {

constexpr std::uint8_t kFirst = 1;
constexpr std::uint8_t kSecond = 2;
constexpr std::uint8_t kThird = 3;
constexpr std::size_t kCoreBytes = 32 + 1;  // of a first message: e and tag
static_assert(LinkPeer::kSecondBytes == 1 + 32 + 48 + 1 + 8 + kAeadTagBytes);
static_assert(LinkPeer::kThirdBytes == 1 + 8 + kCoreBytes + 48 + Certificate::kBytes + 1 + kAeadTagBytes);
static_assert(LinkPeer::kFirstBytes >= LinkPeer::kSecondBytes, "an answer is no longer than what caused it");

constexpr std::size_t kOutgoingLimit = 8;
constexpr std::size_t kProposalLimit = 4;
constexpr Duration kInterval = 350ms;
constexpr Duration kLongestInterval = 4s;
constexpr int kQuickSends = 8;           // before the interval grows
constexpr int kThirdRepeats = 6;         // unanswered third messages before a proposal is dropped
constexpr Duration kPreviousKept = 10s;  // frames sealed before the change may still arrive
constexpr Duration kEndedKept = 5s;
constexpr Duration kLive = 15s;  // a session heard in so long keeps its number

LinkKeys mac_keys(const NoiseHandshake::Keys& keys) {
    const auto make = [&](const Key32& key) {
        return blake2b<16>({as_bytes("meshnet mac keys v2"), ByteView(key), ByteView(keys.hash)});
    };
    return {make(keys.send), make(keys.receive)};
}

}  // namespace

LinkPeer::LinkPeer(const Certificate& certificate, const Key32& exchange_secret, NeighborId self, NeighborId peer,
                   RandomSource& random, HandshakeShared& shared, Admission admission)
    : own_certificate_(certificate),
      exchange_secret_(exchange_secret),
      self_(self),
      peer_(peer),
      random_(random),
      shared_(shared),
      admission_(std::move(admission)) {}

Bytes LinkPeer::prologue(bool initiator) const {
    Bytes out;
    out.reserve(64);
    ByteWriter w(out);
    w.bytes(as_bytes("meshnet link v2"));
    w.u32(initiator ? self_ : peer_);
    w.u32(initiator ? peer_ : self_);
    return out;
}

void LinkPeer::send(Bytes frame, bool answer) {
    if (outgoing_.size() < kOutgoingLimit) {
        outgoing_.push_back({std::move(frame), answer});
    }
}

void LinkPeer::start(Instant now) {
    if (attempt_ && !attempt_->ended) {
        return;
    }
    const auto tag = static_cast<std::uint8_t>(random_.below(LinkSession::kTagMask + 1U));
    Attempt attempt{NoiseHandshake(NoisePattern::kXX, true, prologue(true), exchange_secret_, random_key(random_)),
                    tag,
                    {},
                    now,
                    0,
                    {},
                    std::nullopt,
                    false};
    attempt.first.push_back(kFirst);
    const std::array<std::uint8_t, 1> payload{tag};
    const bool written = attempt.noise.write(payload, attempt.first);
    assert(written);
    (void)written;
    attempt.first.resize(kFirstBytes);
    attempt_.emplace(std::move(attempt));
    on_timeout(now);
}

void LinkPeer::stop() {
    attempt_.reset();
    outgoing_.clear();
}

std::optional<LinkPeer::Handshake> LinkPeer::poll_handshake() {
    if (outgoing_.empty()) {
        return std::nullopt;
    }
    Handshake frame = std::move(outgoing_.front());
    outgoing_.erase(outgoing_.begin());
    return frame;
}

std::optional<LinkPeer::KeyChange> LinkPeer::poll_keys() {
    if (key_changes_.empty()) {
        return std::nullopt;
    }
    KeyChange change = key_changes_.front();
    key_changes_.erase(key_changes_.begin());
    return change;
}

void LinkPeer::on_timeout(Instant now) {
    if (attempt_ && attempt_->ended && now >= *attempt_->ended + kEndedKept) {
        attempt_.reset();
    }
    if (attempt_ && !attempt_->ended && now >= attempt_->next_send) {
        Attempt& a = *attempt_;
        const bool had_proposals = !a.proposals.empty();
        std::erase_if(a.proposals, [](const Proposal& p) { return p.repeats >= kThirdRepeats; });
        if (had_proposals && a.proposals.empty()) {
            attempt_.reset();
            start(now);  // with new keys
            return;
        }
        for (Proposal& p : a.proposals) {
            send(p.third, false);
            ++p.repeats;
        }
        // A proposal may be of somebody else: the neighbour is called all the same.
        if (a.proposals.empty() || a.sends % 3 == 2) {
            send(a.first, false);
        }
        // Jitter, so that two stations that collided once do not keep colliding.
        const auto jitter = Duration{static_cast<std::int64_t>(random_.below(150'000'000))};
        const int doublings = std::clamp(a.sends - kQuickSends, 0, 4);
        a.next_send = now + std::min(Duration{kInterval} * (1 << doublings), Duration{kLongestInterval}) + jitter;
        ++a.sends;
    }
    if (previous_ && now >= previous_until_) {
        previous_.reset();
    }
}

std::optional<Instant> LinkPeer::next_timeout() const {
    std::optional<Instant> next;
    if (attempt_) {
        next = attempt_->ended ? *attempt_->ended + kEndedKept : attempt_->next_send;
    }
    if (previous_) {
        next = earliest(next, previous_until_);
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

std::optional<Certificate> LinkPeer::admitted(Instant now, const Key32& exchange, ByteView certificate,
                                              Event& why) const {
    const auto c = Certificate::decode(certificate);
    if (!c || c->exchange != exchange) {
        why = Event::kForged;
        return std::nullopt;
    }
    const NodeId id = c->id();
    why = Event::kRefused;
    if (c->master == own_certificate_.master || !admission_(id)) {
        return std::nullopt;
    }
    if (current_ && current_->id != id && now < heard_at_ + kLive) {
        return std::nullopt;  // the number is taken
    }
    if (current_ && current_->id == id && c->serial < current_->certificate->serial) {
        return std::nullopt;  // a device certificate that a newer one has replaced
    }
    return c;
}

void LinkPeer::establish(Instant now, Established next) {
    next.since = now;
    previous_ = std::move(current_);
    previous_until_ = now + kPreviousKept;
    current_.emplace(std::move(next));
    heard_at_ = now;
    key_changes_.push_back({current_->mac, true});
    ++handshakes_;
}

// ---- responder ----

std::optional<LinkPeer::Answered> LinkPeer::answer(Instant now, std::uint64_t stamp, ByteView first_core) {
    auto secret = shared_.derive(now, stamp, peer_, first_core);
    if (!secret) {
        return std::nullopt;
    }
    const auto tag = static_cast<std::uint8_t>(blake2b<16>({as_bytes("meshnet link tag v2"), ByteView(*secret)})[0] &
                                               LinkSession::kTagMask);
    Answered out{NoiseHandshake(NoisePattern::kXX, false, prologue(false), exchange_secret_, *secret), tag, 0, {}};
    wipe(*secret);
    const auto payload = out.noise.read(first_core);
    if (!payload || payload->size() != 1 || (*payload)[0] > LinkSession::kTagMask) {
        return std::nullopt;
    }
    out.peer_tag = (*payload)[0];
    out.second.push_back(kSecond);
    Bytes own;
    ByteWriter w(own);
    w.u8(tag);
    w.u64(stamp);
    if (!out.noise.write(own, out.second)) {
        return std::nullopt;
    }
    return out;
}

LinkPeer::Outcome LinkPeer::on_first(Instant now, ByteView frame) {
    if (frame.size() != kFirstBytes) {
        return {Event::kMalformed, {}};
    }
    if (outgoing_.size() >= kOutgoingLimit || !firsts_.take(now) || !shared_.firsts.take(now)) {
        return {Event::kLimited, {}};
    }
    auto answered = answer(now, shared_.stamp(now), frame.subspan(1, kCoreBytes));
    if (!answered) {
        return {Event::kMalformed, {}};
    }
    send(std::move(answered->second), true);
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
    ByteReader r(frame.subspan(1));
    const std::uint64_t stamp = r.u64();
    const ByteView core = r.bytes(kCoreBytes);
    if (stamp <= newest_third_) {
        return {Event::kReplayed, {}};
    }
    if (!thirds_.take(now) || !shared_.thirds.take(now)) {
        return {Event::kLimited, {}};
    }
    auto answered = answer(now, stamp, core);
    if (!answered) {
        return {Event::kForged, {}};
    }
    const auto payload = answered->noise.read(r.rest());
    if (!payload || payload->size() != Certificate::kBytes + 1) {
        return {Event::kForged, {}};
    }
    Event why = Event::kNone;
    const auto certificate =
        admitted(now, *answered->noise.remote_static(), ByteView(*payload).first(Certificate::kBytes), why);
    if (!certificate) {
        return {why, {}};
    }
    const auto keys = answered->noise.split();
    newest_third_ = stamp;
    establish(now,
              {LinkSession(keys.send, keys.receive, answered->tag, answered->peer_tag), mac_keys(keys),
               *answered->noise.remote_static(), *certificate, certificate->id(), now, false, payload->back() == 1});
    last_third_ = digest;
    outgoing_.clear();
    if (attempt_ && !attempt_->proposals.empty()) {
        attempt_->ended = now;
        attempt_->crossed = true;
    } else {
        attempt_.reset();
    }
    return {Event::kUp, {}};
}

std::optional<Bytes> LinkPeer::greeting() {
    Bytes message{static_cast<std::uint8_t>(MessageType::kCertificate)};
    own_certificate_.encode(message);
    return current_->session.seal(message);
}

// ---- initiator ----

LinkPeer::Outcome LinkPeer::on_second(Instant now, ByteView frame) {
    if (frame.size() != kSecondBytes) {
        return {Event::kMalformed, {}};
    }
    if (!attempt_ || attempt_->ended) {
        return {};  // late or repeated
    }
    if (!seconds_.take(now)) {
        return {Event::kLimited, {}};
    }
    NoiseHandshake noise = attempt_->noise;
    const auto payload = noise.read(frame.subspan(1));
    if (!payload || payload->size() != 1 + 8 || (*payload)[0] > LinkSession::kTagMask) {
        return {Event::kForged, {}};
    }
    const std::uint64_t stamp = ByteReader(ByteView(*payload).subspan(1)).u64();
    const Key32 exchange = *noise.remote_static();
    auto& proposals = attempt_->proposals;
    for (const Proposal& p : proposals) {
        if (p.session.exchange == exchange && p.repeats < 3) {
            return {};  // answered twice: the third message to the other answer is on its way
        }
    }
    Bytes third;
    ByteWriter w(third);
    w.u8(kThird);
    w.u64(stamp);
    w.bytes(ByteView(attempt_->first).subspan(1, kCoreBytes));
    Bytes mine;
    own_certificate_.encode(mine);
    // Whom we know needs no introduction.
    const bool known = current_ && current_->exchange == exchange;
    mine.push_back(known ? 1 : 0);
    if (!noise.write(mine, third)) {
        return {Event::kForged, {}};
    }
    const auto keys = noise.split();
    Proposal p{{LinkSession(keys.send, keys.receive, attempt_->tag, (*payload)[0]), mac_keys(keys), exchange,
                std::nullopt, NodeId{}, now, false, true},
               third,
               1};
    if (known) {
        p.session.certificate = current_->certificate;
        p.session.id = current_->id;
    }
    key_changes_.push_back({p.session.mac, false});
    send(std::move(third), false);
    if (proposals.size() >= kProposalLimit) {
        // Any of them may be the genuine one.
        proposals.erase(proposals.begin() + static_cast<std::ptrdiff_t>(random_.below(proposals.size())));
    }
    proposals.push_back(std::move(p));
    return {};
}

// The neighbour has sealed something in a session we proposed, so it has our third message.
LinkPeer::Outcome LinkPeer::on_proposed(Instant now, std::size_t index, Bytes plain) {
    Established& proposed = attempt_->proposals[index].session;
    bool greeted = false;
    if (!plain.empty() && plain[0] == static_cast<std::uint8_t>(MessageType::kCertificate)) {
        Event why = Event::kNone;
        const auto certificate = admitted(now, proposed.exchange, ByteView(plain).subspan(1), why);
        if (!certificate) {
            attempt_->proposals.erase(attempt_->proposals.begin() + static_cast<std::ptrdiff_t>(index));
            return {why, {}};
        }
        proposed.certificate = *certificate;
        proposed.id = certificate->id();
        greeted = true;
    }
    if (!proposed.certificate) {
        return {};  // its certificate was lost; our third message, repeated, brings it again
    }
    proposed.heard = true;
    Established next = std::move(proposed);
    const bool yields = attempt_->crossed && self_ > peer_;
    // The neighbour may have answered twice, and then uses the newer session: what it uses last counts.
    auto& others = attempt_->proposals;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(index));
    std::erase_if(others, [&](const Proposal& p) { return p.session.exchange != next.exchange; });
    for (Proposal& p : others) {
        p.session.certificate = next.certificate;
        p.session.id = next.id;
    }
    if (!attempt_->ended) {
        attempt_->ended = now;
        outgoing_.clear();
    }
    if (yields) {
        // Both began: this session is read for a while, the other one stays.
        previous_.emplace(std::move(next));
        previous_until_ = now + kPreviousKept;
        return greeted ? Outcome{} : Outcome{Event::kData, std::move(plain), false};
    }
    last_third_ = {};
    establish(now, std::move(next));
    return greeted ? Outcome{Event::kUp, {}} : Outcome{Event::kUpAndData, std::move(plain)};
}

LinkPeer::Outcome LinkPeer::on_data(Instant now, ByteView frame) {
    const std::uint8_t tag = LinkSession::tag_of(frame);
    bool replayed = false;
    const auto open = [&](LinkSession& session) -> std::optional<Bytes> {
        if (session.our_tag() != tag) {
            return std::nullopt;
        }
        auto opened = session.open(frame);
        replayed = replayed || opened.refusal == LinkSession::Refusal::kReplayed;
        return opened.refusal == LinkSession::Refusal::kNone ? std::optional(std::move(opened.plain)) : std::nullopt;
    };
    const auto is_greeting = [](const Bytes& plain) {
        return !plain.empty() && plain[0] == static_cast<std::uint8_t>(MessageType::kCertificate);
    };
    if (current_) {
        if (auto plain = open(current_->session)) {
            heard_at_ = now;
            current_->heard = true;
            if (is_greeting(*plain)) {  // again: nothing of ours has arrived
                return {confirms_.take(now) ? Event::kConfirm : Event::kLimited, {}};
            }
            return {Event::kData, std::move(*plain), false};
        }
    }
    for (std::size_t i = 0; attempt_ && i < attempt_->proposals.size(); ++i) {
        if (auto plain = open(attempt_->proposals[i].session.session)) {
            return on_proposed(now, i, std::move(*plain));
        }
    }
    if (previous_) {
        if (auto plain = open(previous_->session)) {
            return is_greeting(*plain) ? Outcome{} : Outcome{Event::kData, std::move(*plain), true};
        }
    }
    return {replayed ? Event::kReplayed : Event::kForged, {}};
}

std::optional<Bytes> LinkPeer::seal(ByteView plain) {
    assert(up());
    return current_->session.seal(plain);
}

}  // namespace meshnet::net
