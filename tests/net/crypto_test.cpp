// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "net/certificate.hpp"
#include "net/crypto.hpp"
#include "net/identity_secrets.hpp"
#include "net/link_session.hpp"
#include "net/noise.hpp"
#include "net/payment/amount.hpp"
#include "net/payment/hash_chain.hpp"
#include "net/replay_window.hpp"
#include "net/token_bucket.hpp"

namespace meshnet::net {
namespace {

/// Lives as long as the program: a handshake keeps no copy of its static secret.
const Key32& filled(std::uint8_t v) {
    static const auto kKeys = [] {
        std::array<Key32, 256> keys{};
        for (std::size_t i = 0; i < keys.size(); ++i) {
            keys[i].fill(static_cast<std::uint8_t>(i));
        }
        return keys;
    }();
    return kKeys[v];
}

// RFC 7693, appendix A: BLAKE2b-512("abc").
TEST(Crypto, Blake2bAsInRfc7693) {
    EXPECT_EQ(to_hex(blake2b<64>({as_bytes("a"), as_bytes("bc")})),
              "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
              "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
}

TEST(Crypto, AForgedByteIsNeverOpened) {
    const Key32 key = filled(9);
    Bytes sealed;
    aead_seal(key, 5, as_bytes("header"), as_bytes("secret"), sealed);
    ASSERT_TRUE(aead_open(key, 5, as_bytes("header"), sealed));
    EXPECT_FALSE(aead_open(key, 6, as_bytes("header"), sealed));
    EXPECT_FALSE(aead_open(key, 5, as_bytes("heade"), sealed));
    EXPECT_FALSE(aead_open(filled(8), 5, as_bytes("header"), sealed));
    for (auto& byte : sealed) {
        byte ^= 1;
        EXPECT_FALSE(aead_open(key, 5, as_bytes("header"), sealed));
        byte ^= 1;
    }
    EXPECT_FALSE(aead_open(key, 5, as_bytes("header"), ByteView(sealed).first(15)));
}

TEST(Crypto, ASignatureHoldsForItsContextOnly) {
    crypto_init();
    const SigningKey key(filled(1));
    const Signature s = key.sign("a", as_bytes("bc"));
    EXPECT_TRUE(verify(key.public_key(), "a", as_bytes("bc"), s));
    EXPECT_FALSE(verify(key.public_key(), "ab", as_bytes("c"), s));
    EXPECT_FALSE(verify(key.public_key(), "a", as_bytes("bd"), s));
    EXPECT_FALSE(verify(SigningKey(filled(2)).public_key(), "a", as_bytes("bc"), s));
}

struct Pair {
    NoiseHandshake initiator, responder;
};
Pair pair_of(NoisePattern pattern) {
    const auto prologue = as_bytes("prologue");
    std::optional<Key32> known;
    if (pattern == NoisePattern::kIK) known = dh_public(filled(2));
    return {NoiseHandshake(pattern, true, prologue, filled(1), filled(3), known),
            NoiseHandshake(pattern, false, prologue, filled(2), filled(4))};
}

/// Runs a handshake with the payloads "payload 0", ...; returns the messages and then "hello" sealed by each side.
std::vector<std::string> transcript(NoisePattern pattern) {
    auto [i, r] = pair_of(pattern);
    std::vector<std::string> out;
    for (int n = 0; !i.finished() || !r.finished(); ++n) {
        const std::string payload = "payload " + std::to_string(n);
        NoiseHandshake& from = n % 2 == 0 ? i : r;
        NoiseHandshake& to = n % 2 == 0 ? r : i;
        Bytes message;
        EXPECT_TRUE(from.write(as_bytes(payload), message));
        const auto read = to.read(message);
        EXPECT_TRUE(read && std::string(read->begin(), read->end()) == payload);
        out.push_back(to_hex(message));
    }
    EXPECT_EQ(i.split().hash, r.split().hash);
    EXPECT_EQ(i.split().send, r.split().receive);
    EXPECT_EQ(i.split().receive, r.split().send);
    EXPECT_EQ(*i.remote_static(), dh_public(filled(2)));
    EXPECT_EQ(*r.remote_static(), dh_public(filled(1)));
    for (const Key32& key : {i.split().send, r.split().send}) {
        Bytes sealed;
        aead_seal(key, 0, {}, as_bytes("hello"), sealed);
        out.push_back(to_hex(sealed));
    }
    return out;
}

// Made with an independent implementation, dissononce 0.34.3: static keys 32 x 01 (initiator) and 32 x 02, ephemeral
// keys 32 x 03 and 32 x 04, prologue "prologue", payloads "payload 0" and so on, "hello" as first transport message.
TEST(Noise, XxAsAnotherImplementationHasIt) {
    const std::vector<std::string> expected{
        "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef227061796c6f61642030",
        "ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10ba5e54d01ce8f2002c81fc8b2c23efdcf1a089a453fd78d"
        "9690d632e327df0931fe7d15303cdc8e54b8df14bd2a1e6b952d5cec88181efe3a22c6fa32e99abd7b80a275d9cacaf9a835",
        "fece4f740e1c8bde579102f77ee2080fc34f25ba04ee6ef4d7c8ac3234465e8f4a0ee51bad507ab23ba64c5ac7a2d699629f4ec344402e"
        "d352b548d35f6aa7e7de84970a8daad86b09",
        "c5f4d881764b8026543814456cc4cafeaa728a2666", "e74119d52d4ce0d91f2ae63ac23c821b79363f83c6"};
    EXPECT_EQ(transcript(NoisePattern::kXX), expected);
}

TEST(Noise, IkAsAnotherImplementationHasIt) {
    const std::vector<std::string> expected{
        "5dfedd3b6bd47f6fa28ee15d969d5bb0ea53774d488bdaf9df1c6e0124b3ef22067cf7be2bbd2098cca8cfa1902fe6de60a78362f04eed"
        "b3fb1789b2c570e6c5f493a550860c596baea50c05a224de9b92b7423c3851ab4c4c641fdd83fa8fd3f92604b7c81653e211",
        "ac01b2209e86354fb853237b5de0f4fab13c7fcbf433a61c019369617fecf10b336c62a9dd3dd229a571b9e95b0dc6c6b1ae75d3401fc4"
        "e6d7",
        "0f44d13199217fe88a4010a98b91ffc3bd646e30e8", "cc4b839fa8ea64da80416527a218e226dfc27250ee"};
    EXPECT_EQ(transcript(NoisePattern::kIK), expected);
}

TEST(Noise, ATamperedMessageIsRefusedAndACopyGoesOn) {
    auto [i, r] = pair_of(NoisePattern::kXX);
    Bytes first, second;
    ASSERT_TRUE(i.write({}, first));
    ASSERT_TRUE(r.read(first));
    ASSERT_TRUE(r.write(as_bytes("x"), second));
    for (std::size_t at = 0; at < second.size(); ++at) {
        Bytes forged = second;
        forged[at] ^= 0x40;
        NoiseHandshake copy = i;
        EXPECT_FALSE(copy.read(forged)) << at;
    }
    for (std::size_t cut = 0; cut < second.size(); ++cut) {
        NoiseHandshake copy = i;
        EXPECT_FALSE(copy.read(ByteView(second).first(cut))) << cut;
    }
    EXPECT_TRUE(i.read(second));
}

TEST(Noise, AKeyOfLowOrderIsRefused) {
    NoiseHandshake r(NoisePattern::kXX, false, {}, filled(2), filled(4));
    const Bytes zero(32, 0);
    ASSERT_TRUE(r.read(zero));
    Bytes second;
    EXPECT_FALSE(r.write({}, second));
}

TEST(Certificate, EveryByteIsProtected) {
    Rng rng(1);
    const Identity identity = Identity::generate(rng);
    const Certificate& c = identity.secrets().certificate;
    Bytes bytes;
    c.encode(bytes);
    ASSERT_EQ(bytes.size(), Certificate::kBytes);
    const auto decoded = Certificate::decode(bytes);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, c);
    EXPECT_EQ(decoded->id(), identity.id());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes forged = bytes;
        forged[i] ^= 4;
        EXPECT_FALSE(Certificate::decode(forged)) << i;
    }
    EXPECT_FALSE(Certificate::decode(ByteView(bytes).first(172)));
    bytes.push_back(0);
    EXPECT_FALSE(Certificate::decode(bytes));
}

TEST(Identity, TextGoesThereAndBack) {
    Rng rng(7);
    const Identity a = Identity::generate(rng);
    const std::string text = a.to_text();
    EXPECT_EQ(text.find('\n'), std::string::npos);
    const auto b = Identity::from_text("  " + text + "\r\n");
    ASSERT_TRUE(b.ok());
    EXPECT_EQ(b->id(), a.id());
    EXPECT_EQ(b->to_text(), text);
    EXPECT_EQ(b->secrets().certificate, a.secrets().certificate);
}

TEST(Identity, ABadKeyIsExplainedAndNeverShown) {
    Rng rng(7);
    const std::string text = Identity::generate(rng).to_text();
    std::vector<std::string> bad{"", "hello", text.substr(0, 100), text + "0", "meshnet-key-v2:" + text.substr(15)};
    for (std::size_t i = 0; i < text.size(); i += 7) {
        std::string one = text;
        one[i] = one[i] == '0' ? '1' : '0';
        bad.push_back(one);
    }
    for (const std::string& b : bad) {
        const auto r = Identity::from_text(b);
        ASSERT_FALSE(r.ok()) << b;
        EXPECT_EQ(r.error().message.find('\n'), std::string::npos);
        EXPECT_EQ(r.error().message.find(text.substr(20, 8)), std::string::npos);
    }
}

TEST(Identity, AddressIsFdAndTheBeginningOfTheId) {
    Rng rng(3);
    const Identity identity = Identity::generate(rng);
    const Address a = identity.address();
    EXPECT_EQ(a[0], 0xFD);
    EXPECT_TRUE(std::equal(a.begin() + 1, a.end(), identity.id().begin()));
    EXPECT_EQ(identity.station_id(), ByteReader(identity.id()).u32());
    EXPECT_EQ(node_id_from_string(to_string(identity.id())), identity.id());
    EXPECT_FALSE(node_id_from_string("abc"));
}

TEST(Identity, AddressTextIsRfc5952) {
    const auto text = [](std::string_view hex) {
        const Bytes b = *from_hex(hex);
        Address a{};
        std::copy(b.begin(), b.end(), a.begin());
        return to_string(a);
    };
    EXPECT_EQ(text("fd000000000000000000000000000001"), "fd00::1");
    EXPECT_EQ(text("fd010000000200030004000500060007"), "fd01:0:2:3:4:5:6:7");
    EXPECT_EQ(text("fd010000000000030000000000000007"), "fd01:0:0:3::7");
    EXPECT_EQ(text("fd010000000000030004000000000007"), "fd01::3:4:0:0:7");
    EXPECT_EQ(text("fdab0002000300040005000600000000"), "fdab:2:3:4:5:6::");
}

TEST(ReplayWindow, TruthTable) {
    ReplayWindow w;
    const auto accept = [&](std::uint64_t c) {
        if (!w.fresh(c)) return false;
        w.mark(c);
        return true;
    };
    EXPECT_TRUE(accept(0));
    EXPECT_FALSE(accept(0));
    EXPECT_TRUE(accept(2));
    EXPECT_TRUE(accept(1));
    EXPECT_FALSE(accept(1));
    EXPECT_TRUE(accept(2047 + 2));
    EXPECT_FALSE(accept(1));
    EXPECT_TRUE(accept(3));
    EXPECT_TRUE(accept(5'000));
    EXPECT_FALSE(accept(5'000 - 2'048));  // just outside
    EXPECT_TRUE(accept(5'001 - 2'048));   // the oldest inside
    EXPECT_FALSE(accept(5'001 - 2'048));
    EXPECT_TRUE(accept(0xFFFF'FFFF'FFFFULL));
    EXPECT_FALSE(accept(5'000));
    EXPECT_TRUE(accept(0xFFFF'FFFF'FFFEULL));
}

TEST(ReplayWindow, AgreesWithASetOfAllSeen) {
    Rng rng(4);
    ReplayWindow w;
    std::vector<bool> seen(100'000, false);
    std::uint64_t newest = 0;
    for (int i = 0; i < 200'000; ++i) {
        const std::uint64_t base = static_cast<std::uint64_t>(i) / 4;
        const std::uint64_t c = base + rng.below(3'000);
        const bool expected = !seen[c] && c + ReplayWindow::kWindow > newest;
        ASSERT_EQ(w.fresh(c), expected) << c;
        if (expected) {
            w.mark(c);
            seen[c] = true;
            newest = std::max(newest, c);
        }
    }
}

TEST(TokenBucket, BurstThenRate) {
    TokenBucket b(10, 3);
    Instant t = instant_from_ns(5'000'000'000);
    int taken = 0;
    for (int i = 0; i < 10; ++i) taken += b.take(t) ? 1 : 0;
    EXPECT_EQ(taken, 3);
    for (int i = 0; i < 1'000; ++i) taken += b.take(t += 10ms) ? 1 : 0;
    EXPECT_EQ(taken, 103);
    EXPECT_FALSE(b.take(instant_from_ns(0)));  // time never runs back, and if it did nothing would be gained
}

TEST(HashChain, PaywordsFollowEachOtherAndNothingElse) {
    const std::array<std::uint8_t, 16> flow{1}, other{2};
    Payword last{};
    last.fill(0x55);
    for (const std::uint32_t n : {1U, 63U, 64U, 65U, 1'000U}) {
        const HashChain chain(flow, n, last);
        EXPECT_EQ(chain.payword(n), last);
        for (std::uint32_t k = 0; k < n; ++k) {
            ASSERT_EQ(payword_before(flow, k + 1, chain.payword(k + 1)), chain.payword(k)) << n << " " << k;
        }
        const Payword w0 = chain.payword(0);
        EXPECT_TRUE(payword_follows(flow, 0, w0, n, last));
        EXPECT_FALSE(payword_follows(other, 0, w0, n, last));
        EXPECT_FALSE(payword_follows(flow, 0, w0, n + 1, last));
        EXPECT_FALSE(payword_follows(flow, n, last, n, last));
        Payword forged = last;
        forged[3] ^= 1;
        EXPECT_FALSE(payword_follows(flow, 0, w0, n, forged));
    }
}

TEST(Amount, DifferencesAddUpHoweverTheBytesArrive) {
    EXPECT_EQ(price_nsat(1'000, 1U << 20), 1'000 * kNsatPerMsat);
    EXPECT_EQ(price_nsat(0, ~0ULL), 0);
    EXPECT_EQ(price_nsat(1, 1), 0);
    EXPECT_EQ(price_nsat(2, 1), 1);
    EXPECT_EQ(price_nsat(0xFFFF'FFFE, ~0ULL), INT64_MAX);
    Rng rng(1);
    std::int64_t sum = 0;
    std::uint64_t at = 0;
    while (at < 10'000'000) {
        const std::uint64_t next = at + rng.below(5'000);
        sum += price_nsat(777, next) - price_nsat(777, at);
        at = next;
    }
    EXPECT_EQ(sum, price_nsat(777, at));
    EXPECT_EQ(to_msat(1'499'999), 1);
    EXPECT_EQ(to_msat(1'500'000), 2);
    EXPECT_EQ(to_msat(-1'500'000), -2);
    EXPECT_EQ(to_msat(-499'999), 0);
}

TEST(LinkSession, OpensOnceInAnyOrder) {
    LinkSession a(filled(1), filled(2), 5, 9), b(filled(2), filled(1), 9, 5);
    std::vector<Bytes> frames;
    for (int i = 0; i < 50; ++i) frames.push_back(*a.seal(as_bytes("packet")));
    EXPECT_EQ(frames[0].size(), 6 + LinkSession::kOverheadBytes);
    for (std::size_t i = frames.size(); i-- > 0;) {
        EXPECT_EQ(b.open(frames[i]).refusal, LinkSession::Refusal::kNone);
        EXPECT_EQ(b.open(frames[i]).refusal, LinkSession::Refusal::kReplayed);
    }
    Bytes forged = *a.seal(as_bytes("packet"));
    for (std::size_t i = 0; i < forged.size(); ++i) {
        forged[i] ^= 1;
        EXPECT_NE(b.open(forged).refusal, LinkSession::Refusal::kNone) << i;
        forged[i] ^= 1;
    }
    EXPECT_EQ(b.open(forged).refusal, LinkSession::Refusal::kNone);
    EXPECT_EQ(b.open({}).refusal, LinkSession::Refusal::kForged);
}

}  // namespace
}  // namespace meshnet::net
