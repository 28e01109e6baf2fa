// SPDX-License-Identifier: MIT
// The burst format: the vectors of docs/spec/mac.md, round trips, damage, hostile lengths.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <sstream>
#include <string>

#include "core/random.hpp"
#include "mac/crc.hpp"
#include "mac/frame_format.hpp"

namespace meshnet::mac {
namespace {

/// The lines of hexadecimal after "vector: NAME" in docs/spec/mac.md.
Bytes vector_of(const std::string& name) {
    std::ifstream file(std::string(MESHNET_SOURCE_DIR) + "/docs/spec/mac.md");
    std::string line;
    std::string hex;
    bool found = false;
    while (std::getline(file, line)) {
        if (line == "vector: " + name) {
            found = true;
            continue;
        }
        if (found) {
            if (line.empty() || line.find_first_not_of("0123456789abcdef ") != std::string::npos) {
                break;
            }
            for (const char c : line) {
                if (c != ' ') hex.push_back(c);
            }
        }
    }
    const auto bytes = from_hex(hex);
    return found && bytes ? *bytes : Bytes{};
}

const Bytes kText{'m', 'e', 's', 'h'};
const Bytes kMore{'n', 'e', 't'};

Burst data_burst() {
    Burst b;
    b.header = {0x01020304,
                0xBEEF,
                7,
                15,
                true,
                7ms,
                0x0A0B0C0D,
                16ms,
                25'600us,
                1'280,
                {{0x0A0B0C0D, 0x1234, 0xFFFE}, {kBroadcast, 0xBEEF, 3}}};
    BlockAck ack;
    ack.peer = 0x0A0B0C0D;
    ack.session = 0x4321;
    ack.burst = 200;
    ack.snr_db = 12.25F;
    ack.base = 100;
    ack.bitmap = {0x40, 0x01};
    b.acks.push_back(ack);
    b.fragments.push_back({0, Priority::kInteractive, 0xFFFF, 9, 1, 2, kText});
    b.fragments.push_back({1, Priority::kControl, 3, 0, 0, 1, kMore});
    return b;
}

Burst hello_burst() {
    Burst b;
    b.header.sender = 0x01020304;
    b.header.epoch = 0xBEEF;
    b.header.burst = 8;
    b.header.chain_left = 15;
    b.header.gap = 7ms;
    Hello h;
    h.number = 42;
    h.sent = Duration{0x123456789ABC};
    h.interval = 1008ms;
    h.jitter = 23ms;
    h.recovery = 60ms;
    h.heard.push_back({0x0A0B0C0D, -3.5F, 41, Duration{0x123400000001}, 590us});
    b.hello = h;
    return b;
}

TEST(MacCrc, KnownAnswers) {
    const Bytes digits{'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    EXPECT_EQ(crc8(digits), 0xF4);
    EXPECT_EQ(crc32(digits), 0xCBF43926U);
}

TEST(MacFormat, VectorsOfTheSpecification) {
    EXPECT_EQ(to_hex(encode_burst(data_burst(), false)), to_hex(vector_of("data")));
    EXPECT_EQ(to_hex(encode_burst(hello_burst(), false)), to_hex(vector_of("hello")));
}

// The burst `tagged` of the specification: a target, a witness, an acknowledgement, a hello and an open frame.
Burst tagged_burst() {
    Burst b;
    b.header.sender = 0x01020304;
    b.header.burst = 0xA0B0C0D0;
    b.header.chain_left = 3;
    b.header.gap = 7ms;
    b.header.grantee = 0x0A0B0C0D;
    b.header.grant = 16ms;
    b.header.nav = 25'600us;
    b.header.targets = {{0x0A0B0C0D, 0x1234, 5}, {0x00000011, 2, 3}};
    b.header.witnesses = 1;
    b.header.authenticated = true;
    b.acks = data_burst().acks;
    b.acks[0].burst = 51'400;
    b.hello = hello_burst().hello;
    Beacon beacon;
    beacon.number = 0x0102;
    beacon.period = 320ms;
    beacon.open = 256ms;
    beacon.members = {0x01020304, 0x0A0B0C0D};
    beacon.slots = {{0, 0ms, 64ms}, {1, 65'600us, 128ms}};
    b.beacon = beacon;
    static const Bytes text{'o', 'p', 'e', 'n'};
    b.opens.push_back({0x0A0B0C0D, text});
    return b;
}

TagKey counting_key() {
    TagKey key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<std::uint8_t>(i);
    }
    return key;
}

TEST(MacFormat, TheTaggedVectorOfTheSpecification) {
    const TagKey key = counting_key();
    const Bytes bytes = encode_burst(tagged_burst(), false, [&](StationId) { return &key; });
    EXPECT_EQ(to_hex(bytes), to_hex(vector_of("tagged")));
    const auto b = parse_burst(bytes);
    ASSERT_TRUE(b && b->hello);
    EXPECT_EQ(b->header.burst, 0xA0B0C0D0U);
    EXPECT_EQ(b->header.witnesses, 1);
    ASSERT_EQ(b->opens.size(), 1U);
    EXPECT_EQ(b->opens[0].data.size(), 4U);
    ASSERT_EQ(b->acks.size(), 1U);
    EXPECT_EQ(b->acks[0].burst, 51'400);
    const auto holds = [&](TagKind kind, const TaggedEntry& t) {
        return tag_holds(key, kind, b->common, t.entry, t.tag);
    };
    ASSERT_EQ(b->target_proofs.size(), 2U);
    EXPECT_TRUE(holds(TagKind::kTarget, b->target_proofs[0]) && holds(TagKind::kTarget, b->target_proofs[1]));
    EXPECT_TRUE(holds(TagKind::kAck, b->ack_proofs.at(0)));
    EXPECT_TRUE(holds(TagKind::kHeard, b->heard_proofs.at(0)));
    ASSERT_TRUE(b->beacon);
    EXPECT_EQ(b->beacon->number, 0x0102);
    EXPECT_EQ(b->beacon->period, 320ms);
    EXPECT_EQ(b->beacon->open, 256ms);
    ASSERT_EQ(b->beacon->slots.size(), 2U);
    EXPECT_EQ(b->beacon->slots[1].start, 65'600us);
    EXPECT_EQ(b->beacon->slots[1].length, 128ms);
    ASSERT_EQ(b->beacon_proofs.size(), 2U);
    EXPECT_TRUE(holds(TagKind::kBeacon, b->beacon_proofs[0]) && holds(TagKind::kBeacon, b->beacon_proofs[1]));
    EXPECT_FALSE(holds(TagKind::kAck, b->target_proofs[0]));
    EXPECT_FALSE(holds(TagKind::kTarget, {b->target_proofs[1].entry, b->target_proofs[0].tag}));
}

TEST(MacFormat, TagsCostEightBytesATargetAtMost) {
    for (std::size_t n = 1; n <= kMaxTargets; ++n) {
        EXPECT_LE(header_bytes(n, true), header_bytes(n) + 8 * n);
    }
    EXPECT_LE(ack_bytes(10, true), ack_bytes(10) + 8);
    const TagKey key = counting_key();
    const Burst b = tagged_burst();
    EXPECT_EQ(
        encode_burst(b, false, [&](StationId) { return &key; }).size(),
        header_bytes(2, true) + ack_bytes(2, true) + hello_bytes(1, true) + beacon_bytes(2, 2, true) + open_bytes(4));
    EXPECT_LE(header_bytes(1, true) + hello_bytes(kMaxHeardTagged, true), kSmallestBurstBytes);
}

TEST(MacFormat, RoundTrip) {
    const Bytes bytes = encode_burst(data_burst(), true);
    const auto b = parse_burst(bytes);
    ASSERT_TRUE(b);
    EXPECT_EQ(b->header.sender, 0x01020304U);
    EXPECT_EQ(b->header.epoch, 0xBEEF);
    EXPECT_EQ(b->header.burst, 7);
    EXPECT_EQ(b->header.chain_left, 15);
    EXPECT_TRUE(b->header.wants_txop);
    EXPECT_EQ(b->header.gap, 7ms);
    EXPECT_EQ(b->header.grantee, 0x0A0B0C0DU);
    EXPECT_EQ(b->header.grant, 16ms);
    EXPECT_EQ(b->header.nav, 25'600us);
    EXPECT_EQ(b->header.backlog_bytes, 1'280U);
    ASSERT_EQ(b->header.targets.size(), 2U);
    EXPECT_EQ(b->header.targets[0].session, 0x1234);
    EXPECT_EQ(b->header.targets[0].floor, 0xFFFE);
    ASSERT_EQ(b->acks.size(), 1U);
    EXPECT_FLOAT_EQ(b->acks[0].snr_db, 12.25F);
    EXPECT_EQ(b->acks[0].base, 100);
    EXPECT_EQ(b->acks[0].bitmap, (Bytes{0x40, 0x01}));
    ASSERT_EQ(b->fragments.size(), 2U);
    EXPECT_EQ(b->fragments[0].priority, Priority::kInteractive);
    EXPECT_EQ(b->fragments[0].sequence, 0xFFFF);
    EXPECT_EQ(Bytes(b->fragments[0].data.begin(), b->fragments[0].data.end()), kText);
    const auto h = parse_burst(encode_burst(hello_burst(), false));
    ASSERT_TRUE(h && h->hello);
    EXPECT_EQ(h->hello->sent, Duration{0x123456789ABC});
    EXPECT_EQ(h->hello->jitter, 23ms);
    EXPECT_EQ(h->hello->recovery, 60ms);
    ASSERT_EQ(h->hello->heard.size(), 1U);
    EXPECT_FLOAT_EQ(h->hello->heard[0].snr_db, -3.5F);
}

// Steps of 250 us below 32 ms, of 4 ms beyond, always up: a gap is never advertised shorter than it is.
TEST(MacFormat, GapsAreRoundedUpAndCutAtTheLongest) {
    const auto travels_as = [](Duration gap) {
        Burst b = hello_burst();
        b.header.gap = gap;
        return parse_burst(encode_burst(b, false))->header.gap;
    };
    EXPECT_EQ(travels_as(0ms), 0ms);
    EXPECT_EQ(travels_as(Duration{1}), 250us);
    EXPECT_EQ(travels_as(31'750us), 31'750us);
    EXPECT_EQ(travels_as(31'751us), 32ms);
    EXPECT_EQ(travels_as(32ms), 32ms);
    EXPECT_EQ(travels_as(32'001us), 36ms);
    EXPECT_EQ(travels_as(107ms), 108ms);
    EXPECT_EQ(travels_as(kMostGap), kMostGap);
    EXPECT_EQ(travels_as(2s), kMostGap);
}

TEST(MacFormat, SizesAreWhatTheSizeFunctionsReturn) {
    const Burst b = data_burst();
    const std::size_t fragments = 2 * kFragmentOverhead + kText.size() + kMore.size();
    EXPECT_EQ(encode_burst(b, false).size(), header_bytes(2) + ack_bytes(2) + fragments);
    EXPECT_EQ(encode_burst(b, true).size(), 2 * header_bytes(2) + ack_bytes(2) + fragments);
    EXPECT_EQ(encode_burst(hello_burst(), false).size(), header_bytes(0) + hello_bytes(1));
}

// The derivation of the smallest burst: one target and a hello that lists as many neighbours as it can.
TEST(MacFormat, TheSmallestBurstHoldsAHeaderAndAFullHello) {
    EXPECT_EQ(header_bytes(1), 36U);
    EXPECT_EQ(hello_bytes(kMaxHeard), 351U);
    EXPECT_LE(header_bytes(1) + hello_bytes(kMaxHeard), kSmallestBurstBytes);
    Burst b = hello_burst();
    b.header.targets.assign(1, {7, 0, 0});
    b.hello->heard.assign(kMaxHeard, b.hello->heard.at(0));
    EXPECT_LE(encode_burst(b, false).size(), kSmallestBurstBytes);
}

// A lost code block takes the sub-frames it touches and no other.
TEST(MacFormat, SubFramesOutsideTheDamageSurvive) {
    Burst b = data_burst();
    b.fragments.clear();
    const Bytes filling(700, 0xD7);  // all magic bytes: the scan must not be led astray
    for (std::uint16_t i = 0; i < 20; ++i) {
        b.fragments.push_back({0, Priority::kBulk, i, i, 0, 1, filling});
    }
    const Bytes clean = encode_burst(b, true);
    Rng rng(3);
    for (std::size_t block = 0; block * 1'000 < clean.size(); ++block) {
        Bytes damaged = clean;
        const std::size_t from = block * 1'000;
        const std::size_t to = std::min(from + 1'000, clean.size());
        for (std::size_t i = from; i < to; ++i) {
            damaged[i] = static_cast<std::uint8_t>(rng.next_u64());
        }
        const auto parsed = parse_burst(damaged);
        ASSERT_TRUE(parsed) << "one of the two headers is intact, block " << block;
        EXPECT_GE(parsed->fragments.size(), 17U);
        for (const auto& f : parsed->fragments) {
            EXPECT_EQ(f.data.size(), filling.size());
        }
    }
}

TEST(MacFormat, EveryFlippedBitIsNoticed) {
    const Bytes clean = encode_burst(hello_burst(), false);
    for (std::size_t bit = 0; bit < clean.size() * 8; ++bit) {
        Bytes flipped = clean;
        flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        const auto parsed = parse_burst(flipped);
        const bool header_hit = bit / 8 < header_bytes(0);
        EXPECT_EQ(parsed.has_value(), !header_hit) << bit;
        if (parsed) {
            EXPECT_FALSE(parsed->hello.has_value()) << bit;
        }
    }
}

TEST(MacFormat, HostileBytesCostLittle) {
    // Delimiters that announce the most, whose checks all fail.
    Bytes hostile;
    ByteWriter w(hostile);
    while (hostile.size() < 24'576) {
        const std::size_t at = hostile.size();
        w.u8(kDelimiterMagic);
        w.u16(0x3FFF);
        w.u8(crc8(ByteView(hostile).subspan(at, 3)));
    }
    std::size_t failed = 0;
    EXPECT_FALSE(parse_burst(hostile, &failed));
    EXPECT_EQ(failed, 64U);
    for (std::size_t n = 0; n < 64; ++n) {
        EXPECT_FALSE(parse_burst(Bytes(n, kDelimiterMagic)));
    }
}

TEST(MacFormat, ABeaconThatNoCoordinatorSendsIsDropped) {
    const TagKey key = counting_key();
    const auto travels = [&](const std::function<void(Beacon&)>& change) {
        Burst b = tagged_burst();
        change(*b.beacon);
        const auto parsed = parse_burst(encode_burst(b, false, [&](StationId) { return &key; }));
        return parsed && parsed->beacon;
    };
    EXPECT_TRUE(travels([](Beacon&) {}));
    EXPECT_FALSE(travels([](Beacon& b) { b.members[0] = 7; }));          // not the sender's
    EXPECT_FALSE(travels([](Beacon& b) { b.slots[1].member = 2; }));     // of nobody
    EXPECT_FALSE(travels([](Beacon& b) { b.slots[0].start = 66ms; }));   // out of order
    EXPECT_FALSE(travels([](Beacon& b) { b.slots[1].start = 321ms; }));  // beyond the period
    EXPECT_FALSE(travels([](Beacon& b) { b.open = 321ms; }));
    EXPECT_FALSE(travels([](Beacon& b) { b.members.clear(), b.slots.clear(); }));
    // One without tags in a burst with tags counts for nothing.
    Burst bare = hello_burst();
    bare.beacon = tagged_burst().beacon;
    EXPECT_TRUE(parse_burst(encode_burst(bare, false))->beacon);
    const Bytes tagged = encode_burst(tagged_burst(), false, [&](StationId) { return &key; });
    Bytes spliced(tagged.begin(), tagged.begin() + static_cast<std::ptrdiff_t>(header_bytes(2, true)));
    const Bytes whole = encode_burst(bare, false);
    spliced.insert(spliced.end(), whole.begin() + static_cast<std::ptrdiff_t>(header_bytes(0)), whole.end());
    EXPECT_FALSE(parse_burst(spliced)->beacon);
}

TEST(MacFormat, ImpossibleFieldsAreDropped) {
    Burst b = data_burst();
    b.header.sender = 0;
    EXPECT_FALSE(parse_burst(encode_burst(b, false)));
    b.header.sender = kBroadcast;
    EXPECT_FALSE(parse_burst(encode_burst(b, false)));
    // A fragment that names a target the (other) header does not have.
    Burst two = data_burst();
    const Bytes whole = encode_burst(two, false);
    Burst one = data_burst();
    one.header.targets.clear();
    one.acks.clear();
    one.fragments.clear();
    Bytes spliced = encode_burst(one, false);
    spliced.insert(spliced.end(), whole.begin() + static_cast<std::ptrdiff_t>(header_bytes(2)), whole.end());
    const auto parsed = parse_burst(spliced);
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->fragments.empty());
}

}  // namespace
}  // namespace meshnet::mac
