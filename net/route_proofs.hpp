// SPDX-License-Identifier: MIT
// Whether an announcement comes from its destination: the certificate of the destination and the sequence numbers whose
// signatures were verified. Spec: docs/spec/net.md, "Routing".
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <optional>

#include "net/certificate.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {

class RouteProofs {
public:
    struct Verdict {
        bool genuine = false;
        bool new_certificate = false;  ///< the update brought one that replaced ours; neighbours lack it
        bool new_signature = false;    ///< its signature was verified now and not before
        bool outdated = false;         ///< signed in an epoch before the newest known
    };
    /// Verifies an update of this destination; costs nothing if its seqno was verified before. Adds what it had to
    /// verify to `verifications`.
    [[nodiscard]] Verdict verify(const RouteUpdate& update, std::uint64_t& verifications);
    /// A verified certificate that came by another way; taken if it is newer than ours.
    void learn(const Certificate& certificate);

    /// From a ledger: nothing of an earlier epoch is genuine.
    void restore(std::uint32_t epoch) noexcept { epoch_ = std::max(epoch_, epoch); }
    [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }

    [[nodiscard]] const Certificate* certificate() const noexcept { return certificate_ ? &*certificate_ : nullptr; }
    struct Proof {
        std::uint32_t seqno = 0;
        Instance instance;
        Signature signature{};
    };
    /// The destination's signature over this seqno under its present certificate, the newest if there are several;
    /// nothing if it was not verified, or long ago.
    [[nodiscard]] const Proof* find(std::uint32_t seqno) const noexcept;
    [[nodiscard]] const Signature* signature(std::uint32_t seqno) const noexcept {
        const Proof* proof = find(seqno);
        return proof == nullptr ? nullptr : &proof->signature;
    }

private:
    static constexpr std::size_t kKept = 4;
    std::optional<Certificate> certificate_;
    std::uint32_t epoch_ = 0;   // the newest that was verified
    std::deque<Proof> proofs_;  // all under certificate_, newest last
};

}  // namespace meshnet::net
