// SPDX-License-Identifier: MIT
// The bytes of one burst: a header and sub-frames, each with a delimiter and a CRC of its own, so that what lies in
// intact code blocks survives when others fail.
//
//     Burst -> [encode_burst] -> phy payload          phy payload with block errors or hostile -> [parse_burst] ->
//     Burst
//
// Spec:   docs/spec/mac.md, 2 "Burst format".
// Source: the idea of delimiters to resynchronise at is that of the A-MPDU, IEEE Std 802.11-2020 clause 9.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"
#include "mac/link_auth.hpp"
#include "mac/mac.hpp"

namespace meshnet::mac {

inline constexpr std::uint8_t kFormatVersion = 2;
inline constexpr std::uint8_t kDelimiterMagic = 0xD7;
inline constexpr std::size_t kDelimiterBytes = 4;    ///< magic, type and length, CRC-8
inline constexpr std::size_t kSubFrameOverhead = 8;  ///< delimiter and CRC-32
inline constexpr std::size_t kMaxSubFrameBody = 8'191;
inline constexpr std::size_t kMaxTargets = 7;
inline constexpr std::size_t kMaxHeard = 24;         ///< heard list entries in one hello
inline constexpr std::size_t kMaxHeardTagged = 18;   ///< of those in a hello with tags, so that it is no longer
inline constexpr std::size_t kMaxBitmapBytes = 128;  ///< of a block acknowledgement: 1024 fragments
inline constexpr std::size_t kMaxFragments = 64;     ///< of one SDU
inline constexpr std::size_t kFragmentHeader = 7;
inline constexpr std::size_t kMaxOpenBytes = 511;         ///< of an open frame to one station
inline constexpr std::size_t kMaxOpenToAllBytes = 1'500;  ///< of one to everybody
/// The header up to its targets, with tags: what each tag of the burst covers first.
inline constexpr std::size_t kCommonBytes = 21;
/// Bytes one fragment costs beyond its data.
inline constexpr std::size_t kFragmentOverhead = kSubFrameOverhead + kFragmentHeader;

/// Gap, jitter and recovery travel as one byte: steps of 250 us below 32 ms, of 4 ms from there.
inline constexpr Duration kMostGap = 540ms;

/// A receiver of fragments in this burst and the state of the ARQ towards it.
struct Target {
    StationId peer = 0;         ///< kBroadcast: everybody, unacknowledged
    std::uint16_t session = 0;  ///< changes when the sender starts anew
    std::uint16_t floor = 0;    ///< every fragment before this number is acknowledged or given up
};

/// The first sub-frame of every burst, repeated as the last of a long one.
struct BurstHeader {
    StationId sender = 0;
    std::uint16_t epoch = 0;      ///< drawn at each start of the sender's MAC; does not travel with tags
    std::uint32_t burst = 0;      ///< counts the sender's bursts; without tags its low 8 bits travel
    std::uint8_t chain_left = 0;  ///< 0..15: bursts that may follow without contention
    bool wants_txop = false;      ///< grant me again when you are done: I have others to serve
    Duration gap{};         ///< end of a frame heard to the start of the sender's answer, at most; at most kMostGap
    StationId grantee = 0;  ///< who answers next; 0 nobody
    Duration grant{};       ///< longest answer, 16 us steps, at most 1.048 s
    Duration nav{};         ///< after the end of this burst, for all others; 16 us steps
    std::size_t backlog_bytes = 0;  ///< still waiting at the sender; 64-byte steps, at most 4 194 240
    std::vector<Target> targets;    ///< at most kMaxTargets
    std::uint8_t witnesses = 0;     ///< so many of the last targets get nothing: the reservation is proven to them
    bool authenticated = false;     ///< targets, acknowledgements and hello carry tags (mac/link_auth.hpp)
};

/// One piece of an SDU. The fragments of one SDU have consecutive numbers.
struct FragmentView {
    std::uint8_t target = 0;  ///< index into BurstHeader::targets
    Priority priority{};
    std::uint16_t sequence = 0;  ///< per link, or per sender for broadcasts
    std::uint16_t sdu = 0;       ///< counts SDUs of one link and priority
    std::uint8_t index = 0;      ///< 0..count - 1
    std::uint8_t count = 1;      ///< 1..kMaxFragments
    ByteView data;               ///< 1.. bytes; within the payload parsed or the SDU sent
};

/// Block acknowledgement.
struct BlockAck {
    StationId peer = 0;  ///< whose fragments
    std::uint16_t session = 0;
    std::uint16_t burst = 0;  ///< last burst of that peer heard before this was written; low 8 bits without tags
    float snr_db = 0.0F;      ///< at which that peer is heard here; 0.25 dB steps, -32..31.75
    std::uint16_t base = 0;   ///< every fragment before it has arrived or was given up
    Bytes bitmap;             ///< bit 7 of byte 0: fragment base, then base + 1, ...; at most kMaxBitmapBytes
};

/// One neighbour in a hello.
struct Heard {
    StationId peer = 0;
    float snr_db = 0.0F;
    std::uint16_t hello = 0;  ///< number of its last hello heard
    Duration received{};      ///< when it arrived, on the sender's clock, modulo 2^48 ns
};

/// Who is there, whom it hears, and the time stamps of ranging.
struct Hello {
    std::uint16_t number = 0;
    Duration sent{};           ///< start of this burst at the antenna, the sender's clock, modulo 2^48 ns
    Duration interval{};       ///< of hellos; 16 ms steps, at most 4.08 s
    Duration jitter{};         ///< of the sender's radio (RadioTiming); as gap
    Duration recovery{};       ///< the same
    bool truncated = false;    ///< not all heard neighbours are listed
    std::vector<Heard> heard;  ///< at most kMaxHeard
};

/// A frame outside of any session, whole and unacknowledged: handshakes, and what its reader checks itself.
struct OpenFrame {
    StationId to = 0;  ///< or kBroadcast
    ByteView data;     ///< 1..kMaxOpenBytes, to everybody 1..kMaxOpenToAllBytes
};

/// What one tag covers beside the common part of the header, and the tag.
struct TaggedEntry {
    ByteView entry;
    ByteView tag;
};

/// A burst taken apart. Views point into the payload it was parsed from.
struct Burst {
    BurstHeader header;
    std::vector<BlockAck> acks;
    std::optional<Hello> hello;
    std::vector<FragmentView> fragments;
    std::vector<OpenFrame> opens;

    // Set by parse_burst() if the header is authenticated.
    ByteView common;                         ///< kCommonBytes of the header
    std::vector<TaggedEntry> target_proofs;  ///< one for each target
    std::vector<TaggedEntry> ack_proofs;     ///< one for each acknowledgement
    std::vector<TaggedEntry> heard_proofs;  ///< one for each station heard; their entry is the whole hello without tags
};

/// The key that tags what is for `peer`; null if there is none: its tag is zero bytes.
using SendKeys = std::function<const TagKey*(StationId peer)>;

/// Bytes of the sub-frames, delimiter and CRC included.
[[nodiscard]] std::size_t header_bytes(std::size_t targets, bool tagged = false) noexcept;
[[nodiscard]] std::size_t ack_bytes(std::size_t bitmap_bytes, bool tagged = false) noexcept;
[[nodiscard]] std::size_t hello_bytes(std::size_t heard, bool tagged = false) noexcept;
[[nodiscard]] std::size_t open_bytes(std::size_t data) noexcept;

/// Payloads of more than this many bytes repeat the header at their end.
inline constexpr std::size_t kRepeatHeaderBeyond = 1'500;

/// The payload of `burst`: header, acknowledgements, hello, open frames, fragments, and the header again if
/// `repeat_header`. Preconditions (assert): counts and sizes within the limits above. Quantities are rounded to their
/// steps: times up, SNR to nearest. An authenticated header needs `keys`.
[[nodiscard]] Bytes encode_burst(const Burst& burst, bool repeat_header, const SendKeys& keys = {});

/// Takes any bytes apart; nothing if no header is readable. Sub-frames whose CRC fails are skipped; their number is
/// added to `*failed` if given. Fragments that name a target not in the header, or with impossible fields, are dropped.
/// Work is linear: at most 64 failed CRC-32 checks a payload. With `reader`, the fragments of a burst that has none for
/// it are passed over by their delimiters, unchecked.
[[nodiscard]] std::optional<Burst> parse_burst(ByteView payload, std::size_t* failed = nullptr,
                                               std::optional<StationId> reader = std::nullopt);

}  // namespace meshnet::mac
