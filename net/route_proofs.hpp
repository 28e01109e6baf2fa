// SPDX-License-Identifier: MIT
// Whether an announcement comes from its destination: the certificate of the destination and the sequence numbers whose
// signatures were verified. Spec: docs/spec/net.md, "Routing".
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "net/certificate.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {

class RouteProofs {
public:
    struct Proof {
        std::uint32_t seqno = 0;
        Instance instance;
        Signature signature{};
    };
    struct Verdict {
        bool genuine = false;
        bool new_certificate = false;  ///< the update brought one that replaced ours; neighbours lack it
        bool new_signature = false;    ///< its signature was verified now and not before
        bool outdated = false;         ///< signed in an epoch, or under a serial, before the newest known
        bool needs_certificate = false, needs_signature = false;
    };
    /// How many signatures verify() would check: 0..2.
    [[nodiscard]] int effort(const NodeId& id, const RouteUpdate& update) const;
    /// Verifies an update of `id`; costs nothing if a seqno as new was verified before. Adds what it had to verify to
    /// `verifications`.
    [[nodiscard]] Verdict verify(const NodeId& id, const RouteUpdate& update, std::uint64_t& verifications);
    /// A verified certificate that came by another way; taken if it is newer than ours. True if it was.
    bool learn(const Certificate& certificate);
    /// From a ledger: nothing of an earlier epoch is genuine; the proof counts once its certificate is known.
    void restore(std::uint32_t epoch, std::uint32_t serial, const std::optional<Proof>& proof);

    [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }
    /// Nothing if none is known; also one that revokes the key.
    [[nodiscard]] const Certificate* certificate() const noexcept { return certificate_.get(); }
    /// The destination's signature over this seqno under its present certificate, the newest if there are several;
    /// nothing if it was not verified, or long ago.
    [[nodiscard]] const Proof* find(std::uint32_t seqno) const noexcept;
    [[nodiscard]] const Proof* find(std::uint32_t seqno, std::uint16_t run) const noexcept;
    /// This run of the destination is known to have signed this seqno, or a newer one.
    [[nodiscard]] bool covers(std::uint32_t seqno, std::uint16_t run) const noexcept;
    [[nodiscard]] const Signature* signature(std::uint32_t seqno) const noexcept {
        const Proof* proof = find(seqno);
        return proof == nullptr ? nullptr : &proof->signature;
    }
    /// The one of the highest seqno.
    [[nodiscard]] const Proof* newest() const noexcept;

private:
    [[nodiscard]] bool takes(const NodeId& id, const RouteUpdate& update) const;
    [[nodiscard]] bool known(const RouteUpdate& update) const;

    static constexpr std::size_t kKept = 4;
    std::unique_ptr<Certificate> certificate_;
    std::uint32_t epoch_ = 0;            // the newest that was verified
    std::uint32_t restored_serial_ = 0;  // of a proof from the ledger, until the certificate is known
    std::vector<Proof> proofs_;          // all under certificate_, newest last
};

}  // namespace meshnet::net
