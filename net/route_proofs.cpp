// SPDX-License-Identifier: MIT
#include "net/route_proofs.hpp"

#include <algorithm>

namespace meshnet::net {

RouteProofs::Verdict RouteProofs::verify(const RouteUpdate& u, std::uint64_t& verifications) {
    Verdict verdict;
    if (u.certificate && (!certificate_ || certificate_->serial < u.certificate->serial) &&
        u.certificate->id() == u.destination) {
        Bytes encoded;
        u.certificate->encode(encoded);
        ++verifications;
        if (const auto certificate = Certificate::decode(encoded)) {
            certificate_ = certificate;
            proofs_.clear();
            verdict.new_certificate = true;
        }
    }
    if (!certificate_ || certificate_->serial != u.serial) {
        return verdict;
    }
    // One seqno may be signed twice: by two runs with the same key.
    const bool known = std::any_of(proofs_.begin(), proofs_.end(), [&](const Proof& p) {
        return p.seqno == u.seqno && (!u.signature || p.instance == u.instance);
    });
    if (known) {
        verdict.genuine = true;
        return verdict;
    }
    if (!u.signature) {
        return verdict;
    }
    if (u.instance.epoch < epoch_) {
        verdict.outdated = true;
        return verdict;
    }
    ++verifications;
    if (!net::verify(certificate_->signing, kRouteContext,
                     RouteUpdate::signed_part(u.destination, u.seqno, u.serial, u.instance), *u.signature)) {
        return verdict;
    }
    if (u.instance.epoch > epoch_) {
        epoch_ = u.instance.epoch;
        proofs_.clear();
    }
    proofs_.push_back({u.seqno, u.instance, *u.signature});
    if (proofs_.size() > kKept) {
        proofs_.pop_front();
    }
    verdict.genuine = true;
    verdict.new_signature = true;
    return verdict;
}

void RouteProofs::learn(const Certificate& certificate) {
    if (!certificate_ || certificate_->serial < certificate.serial) {
        certificate_ = certificate;
        proofs_.clear();
    }
}

const RouteProofs::Proof* RouteProofs::find(std::uint32_t seqno) const noexcept {
    const auto it = std::find_if(proofs_.rbegin(), proofs_.rend(), [&](const Proof& p) { return p.seqno == seqno; });
    return it == proofs_.rend() ? nullptr : &*it;
}

}  // namespace meshnet::net
