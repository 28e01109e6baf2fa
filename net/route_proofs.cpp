// SPDX-License-Identifier: MIT
#include "net/route_proofs.hpp"

namespace meshnet::net {

bool RouteProofs::takes(const NodeId& id, const RouteUpdate& u) const {
    return u.certificate && (!certificate_ || certificate_->serial < u.certificate->serial) &&
           u.certificate->id() == id;
}

// Numbers below one that a run signed have been its own; one seqno may be signed twice, by two runs with the same key.
bool RouteProofs::known(const RouteUpdate& u) const {
    return u.signature ? std::any_of(proofs_.begin(), proofs_.end(),
                                     [&](const Proof& p) { return p.seqno == u.seqno && p.instance == u.instance; })
                       : covers(u.seqno, u.run);
}

int RouteProofs::effort(const NodeId& id, const RouteUpdate& u) const {
    const bool certificate = takes(id, u);
    const std::uint32_t serial = certificate ? u.certificate->serial : certificate_ ? certificate_->serial : 0;
    const bool signature =
        u.signature && u.serial == serial && u.instance.epoch >= epoch_ && (certificate || !known(u));
    return (certificate ? 1 : 0) + (signature ? 1 : 0);
}

RouteProofs::Verdict RouteProofs::verify(const NodeId& id, const RouteUpdate& u, std::uint64_t& verifications) {
    Verdict verdict;
    if (takes(id, u)) {
        Bytes encoded;
        u.certificate->encode(encoded);
        ++verifications;
        if (const auto certificate = Certificate::decode(encoded)) {
            verdict.new_certificate = learn(*certificate);
        }
    }
    if (!certificate_) {
        verdict.needs_certificate = true;
        return verdict;
    }
    if (u.signature && u.serial != certificate_->serial) {
        verdict.outdated = u.serial < certificate_->serial;
        verdict.needs_certificate = !verdict.outdated;
        return verdict;
    }
    if (u.signature && u.instance.epoch < epoch_) {
        verdict.outdated = true;
        return verdict;
    }
    if (known(u)) {
        verdict.genuine = true;
        return verdict;
    }
    if (!u.signature) {
        verdict.needs_signature = true;
        return verdict;
    }
    ++verifications;
    if (!net::verify(certificate_->signing, kRouteContext, RouteUpdate::signed_part(id, u.seqno, u.serial, u.instance),
                     *u.signature)) {
        return verdict;
    }
    if (u.instance.epoch > epoch_) {
        epoch_ = u.instance.epoch;
        proofs_.clear();
    }
    if (proofs_.size() >= kKept) {
        proofs_.erase(proofs_.begin());
    }
    proofs_.push_back({u.seqno, u.instance, *u.signature});
    verdict.genuine = true;
    verdict.new_signature = true;
    return verdict;
}

bool RouteProofs::learn(const Certificate& certificate) {
    const bool revokes_ours =
        certificate_ && certificate.revokes() && !certificate_->revokes() && certificate.serial == certificate_->serial;
    if (certificate_ && certificate_->serial >= certificate.serial && !revokes_ours) {
        return false;
    }
    if (certificate_ || certificate.serial != restored_serial_) {
        proofs_.clear();
    }
    restored_serial_ = 0;
    certificate_ = std::make_unique<Certificate>(certificate);
    return true;
}

void RouteProofs::restore(std::uint32_t epoch, std::uint32_t serial, const std::optional<Proof>& proof) {
    epoch_ = std::max(epoch_, epoch);
    if (proof && (!certificate_ || certificate_->serial == serial)) {
        restored_serial_ = certificate_ ? 0 : serial;
        proofs_.push_back(*proof);
    }
}

const RouteProofs::Proof* RouteProofs::find(std::uint32_t seqno) const noexcept {
    const auto it = std::find_if(proofs_.rbegin(), proofs_.rend(), [&](const Proof& p) { return p.seqno == seqno; });
    return it == proofs_.rend() ? nullptr : &*it;
}

const RouteProofs::Proof* RouteProofs::find(std::uint32_t seqno, std::uint16_t run) const noexcept {
    const auto it = std::find_if(proofs_.rbegin(), proofs_.rend(),
                                 [&](const Proof& p) { return p.seqno == seqno && p.instance.tag() == run; });
    return it == proofs_.rend() ? nullptr : &*it;
}

bool RouteProofs::covers(std::uint32_t seqno, std::uint16_t run) const noexcept {
    return std::any_of(proofs_.begin(), proofs_.end(),
                       [&](const Proof& p) { return p.seqno >= seqno && p.instance.tag() == run; });
}

const RouteProofs::Proof* RouteProofs::newest() const noexcept {
    const auto it = std::max_element(proofs_.begin(), proofs_.end(),
                                     [](const Proof& a, const Proof& b) { return a.seqno < b.seqno; });
    return it == proofs_.end() ? nullptr : &*it;
}

}  // namespace meshnet::net
