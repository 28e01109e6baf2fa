// SPDX-License-Identifier: MIT
// Who wrote what a burst says: short tags under the keys of a pair of stations, and which keys count at the moment.
//
//     keys of a session -> [LinkAuth] -> tags of what we send, proof of what we hear
//
// A tag is SipHash-2-4 over the fields of the header that are common to all, and the entry it stands in; it shows that
// the station whose number the header carries wrote both. The counter of the header makes it count once.
// Spec:   docs/spec/mac.md, 3 "Proof".
// Source: J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF" (2012), as libsodium has it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

using TagKey = std::array<std::uint8_t, 16>;

/// What a tag stands in, so that one kind never counts as another.
enum class TagKind : std::uint8_t { kTarget = 1, kAck = 2, kHeard = 3, kBeacon = 4 };

/// Tags of targets, acknowledgements and members of a superframe are the first 7 bytes, those of stations heard the
/// first 4.
inline constexpr std::size_t kTagBytes = 7;
inline constexpr std::size_t kHeardTagBytes = 4;

/// The whole tag of `entry` in a burst whose header begins with `common` (kCommonBytes of frame_format.hpp).
[[nodiscard]] std::array<std::uint8_t, 8> make_tag(const TagKey& key, TagKind kind, ByteView common, ByteView entry);
/// True if `tag` (1..8 bytes) begins that tag.
[[nodiscard]] bool tag_holds(const TagKey& key, TagKind kind, ByteView common, ByteView entry, ByteView tag);

/// The keys shared with one neighbour: those in use and, while they change, others that are accepted.
class LinkAuth {
public:
    /// Keys that others have replaced are accepted so long.
    static constexpr Duration kPreviousKept = 10s;
    /// Keys that the neighbour may have are accepted so long without its using them.
    static constexpr Duration kProposedKept = 30s;

    LinkAuth() = default;
    ~LinkAuth();
    LinkAuth(const LinkAuth&) = default;
    LinkAuth& operator=(const LinkAuth&) = default;

    /// New keys. `in_use`: the neighbour has them for certain, so they tag what we send from now on; otherwise only
    /// from the first burst on that it proves with them.
    void set(Instant now, const LinkKeys& keys, bool in_use);
    void forget();
    [[nodiscard]] bool known() const noexcept { return !slots_.empty(); }
    /// The neighbour has shown that it holds the keys in use, or the layer above knows it does.
    [[nodiscard]] bool confirmed() const noexcept { return known() && !slots_.front().proposed; }
    /// For tags of what we send. Null: no keys.
    [[nodiscard]] const TagKey* send_key() const noexcept { return known() ? &slots_.front().keys.send : nullptr; }

    /// The keys that made the tag; nothing if none of ours did.
    [[nodiscard]] std::optional<LinkKeys> made_by(TagKind kind, ByteView common, ByteView entry, ByteView tag) const;
    /// A tag of these keys held in a burst numbered `counter`: true if that is newer than all before, and remembers it.
    [[nodiscard]] bool accept(Instant now, const LinkKeys& keys, std::uint32_t counter);
    void on_timeout(Instant now);

private:
    static constexpr std::size_t kMostSlots = 6;
    struct Slot {
        LinkKeys keys;
        std::optional<std::uint32_t> newest;
        Instant until{};        // of those behind the first
        bool proposed = false;  // the first burst proven with them brings them into use
    };
    void use(Instant now, std::size_t index);

    std::vector<Slot> slots_;  // the first is in use
};

}  // namespace meshnet::mac
