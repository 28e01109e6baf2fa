// SPDX-License-Identifier: MIT
// Channel scripts, PSBT, headers, proofs: what the vectors of the standards do not say.
#include <gtest/gtest.h>

#include <algorithm>

#include "bitcoin/header_chain.hpp"
#include "bitcoin/psbt.hpp"
#include "bitcoin/script.hpp"
#include "bitcoin/serial.hpp"
#include "core/random.hpp"

namespace meshnet::bitcoin {
namespace {

SecretKey secret_of(std::uint8_t n) {
    SecretBytes bytes{};
    bytes.back() = n;
    return *SecretKey::from_bytes(bytes);
}

// ---- serialisation, transactions ----

TEST(Serial, CompactSizesAreReadInTheirShortestFormOnly) {
    for (const std::uint64_t v :
         {0ULL, 0xFCULL, 0xFDULL, 0xFFFFULL, 0x10000ULL, 0xFFFFFFFFULL, 0x100000000ULL, ~0ULL}) {
        Bytes out;
        SerialWriter(out).compact(v);
        SerialReader r(out);
        EXPECT_EQ(r.compact(), v);
        EXPECT_TRUE(r.complete());
    }
    for (const Bytes& bad : {Bytes{0xFD, 0xFC, 0}, Bytes{0xFE, 0xFF, 0xFF, 0, 0}, Bytes{0xFF, 1, 0, 0, 0, 0, 0, 0, 0},
                             Bytes{0xFD, 1}, Bytes{}}) {
        SerialReader r(bad);
        (void)r.compact();
        EXPECT_TRUE(r.failed());
    }
}

Transaction sample() {
    Transaction tx;
    tx.inputs.resize(2);
    tx.inputs[0].previous.txid.fill(1);
    tx.inputs[1].previous = {Hash256{2}, 7};
    tx.inputs[1].sequence = 5;
    tx.outputs = {{1'000, p2wpkh(secret_of(1).public_key())}, {0, Bytes{0x6A, 1, 2}}};
    tx.lock_time = 99;
    return tx;
}

TEST(Transaction, IsReadBackAndRefusesEverythingElse) {
    Transaction tx = sample();
    const Hash256 id = tx.txid();
    for (const bool witness : {false, true}) {
        if (witness) {
            tx.inputs[1].witness = {Bytes{1, 2, 3}, Bytes{}};
        }
        const Bytes bytes = tx.encode();
        EXPECT_EQ(*Transaction::decode(bytes), tx);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            EXPECT_FALSE(Transaction::decode(ByteView(bytes).first(cut)));
        }
        Bytes longer = bytes;
        longer.push_back(0);
        EXPECT_FALSE(Transaction::decode(longer));
    }
    EXPECT_EQ(tx.txid(), id) << "the witness is not in the id";
    EXPECT_EQ(tx.weight(), 3 * tx.encode_without_witness().size() + tx.encode().size());
    Transaction much = sample();
    much.outputs = {{kMostSat, {}}, {1, {}}};
    EXPECT_FALSE(Transaction::decode(much.encode())) << "more than there is";
    much.outputs = {{-1, {}}};
    EXPECT_FALSE(Transaction::decode(much.encode()));
}

TEST(Keys, SignaturesAreStrictAndLow) {
    const SecretKey key = secret_of(5);
    Rng random(1);
    for (int i = 0; i < 50; ++i) {
        Hash256 hash{};
        random.fill(hash);
        const Bytes der = key.sign(hash);
        EXPECT_LE(der.size(), 71U);
        EXPECT_TRUE(verify(key.public_key(), hash, der));
        Bytes bad = der;
        bad[static_cast<std::size_t>(random.next_u64() % bad.size())] ^= 1;
        EXPECT_FALSE(verify(key.public_key(), hash, bad));
        bad = der;
        bad.push_back(0);
        EXPECT_FALSE(verify(key.public_key(), hash, bad));
        EXPECT_FALSE(verify(secret_of(6).public_key(), hash, der));
    }
    EXPECT_FALSE(SecretKey::from_bytes(SecretBytes{}));
    SecretBytes order{};
    order.fill(0xFF);
    EXPECT_FALSE(SecretKey::from_bytes(order));
    EXPECT_FALSE(valid(PublicKey{}));
}

// ---- scripts ----

TEST(ChannelScript, IsReadBackToTheByteOnly) {
    for (const std::uint32_t expiry : {1U, 16U, 17U, 127U, 128U, 255U, 32'767U, 32'768U, 840'000U, 1'800'000'000U}) {
        const ChannelScript channel{secret_of(1).public_key(), secret_of(2).public_key(), expiry};
        const Bytes script = channel.witness_script();
        const auto read = ChannelScript::parse(script);
        ASSERT_TRUE(read) << expiry;
        EXPECT_EQ(*read, channel);
        for (std::size_t i = 0; i < script.size(); ++i) {
            Bytes bad = script;
            bad[i] ^= 0x81;
            const auto other = ChannelScript::parse(bad);
            EXPECT_TRUE(!other || *other != channel) << i;
            EXPECT_FALSE(ChannelScript::parse(ByteView(script).first(i)));
        }
    }
    EXPECT_EQ(to_hex(push_number(840'000)), "0340d10c");
    EXPECT_EQ(dust_limit(p2wpkh(secret_of(1).public_key())), 294);
    EXPECT_EQ(dust_limit(p2wsh(Bytes{1})), 330);
    EXPECT_FALSE(dust_limit(Bytes{0x6A}));
}

// ---- PSBT ----

Psbt sample_psbt() {
    Psbt p(sample());
    const ChannelScript channel{secret_of(1).public_key(), secret_of(2).public_key(), 500};
    p.set_witness_utxo(0, {5'000, channel.output_script()});
    p.set_witness_script(0, channel.witness_script());
    p.set_witness_utxo(1, {700, p2wpkh(secret_of(3).public_key())});
    return p;
}

TEST(Psbt, GoesAroundThroughAllItsRoles) {
    const ChannelScript channel{secret_of(1).public_key(), secret_of(2).public_key(), 500};
    const Psbt made = sample_psbt();
    Psbt payer = *Psbt::from_text(made.to_text() + "\n"), payee = *Psbt::decode(made.encode());
    EXPECT_EQ(payer, made);
    const Hash256 hash = sighash_all(made.unsigned_tx(), 0, channel.witness_script(), made.spent(0)->sat);
    const auto signature = [&](std::uint8_t n) {
        Bytes out = secret_of(n).sign(hash);
        out.push_back(kSighashAll);
        return out;
    };
    payer.set_partial_signature(0, channel.payer, signature(1));
    payee.set_partial_signature(0, channel.payee, signature(2));
    ASSERT_TRUE(payer.combine(payee));
    EXPECT_EQ(payer.partial_signature(0, channel.payee), signature(2));
    EXPECT_FALSE(payer.extract());
    payer.finalize(0, channel_close_witness(channel, signature(1), signature(2)));
    payer.finalize(1, {Bytes{1}, Bytes{2}});
    const Psbt again = *Psbt::decode(payer.encode());
    const auto tx = again.extract();
    ASSERT_TRUE(tx);
    EXPECT_EQ(tx->inputs[0].witness.size(), 4U);
    EXPECT_EQ(tx->inputs[1].witness[1], Bytes{2});
    EXPECT_FALSE(again.partial_signature(0, channel.payer)) << "the finalizer leaves nothing else";
    EXPECT_EQ(tx->txid(), made.unsigned_tx().txid());
    Transaction other = sample();
    other.lock_time = 5;
    EXPECT_FALSE(payer.combine(Psbt(other)));
}

TEST(Psbt, RefusesWhatIsNotOne) {
    const Bytes good = sample_psbt().encode();
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        const auto out = Psbt::decode(ByteView(good).first(cut));
        ASSERT_FALSE(out) << cut;
        EXPECT_EQ(out.error().message.find('\n'), std::string::npos);
    }
    const auto with = [&](const Bytes& field, std::size_t behind) {
        Bytes out = good;
        out.insert(out.begin() + static_cast<std::ptrdiff_t>(behind), field.begin(), field.end());
        return Psbt::decode(out);
    };
    const std::size_t inputs = 5 + 3 + sample_psbt().global()[0].second.size() + 1;
    EXPECT_TRUE(with({2, 0xF0, 1, 1, 9}, 5)) << "an unknown field is kept";
    EXPECT_EQ(with({2, 0xF0, 1, 1, 9}, 5)->encode().size(), good.size() + 5);
    EXPECT_FALSE(with({1, 0, 1, 9}, 5)) << "two transactions";
    EXPECT_FALSE(with({1, 0xFB, 4, 2, 0, 0, 0}, 5)) << "version 2";
    EXPECT_TRUE(with({1, 0xFB, 4, 0, 0, 0, 0}, 5));
    EXPECT_FALSE(with({2, 1, 1, 1, 9}, inputs)) << "key data where there is none";
    EXPECT_FALSE(with({1, 3, 3, 1, 0, 0}, inputs)) << "a type of hash has four bytes";
    EXPECT_TRUE(with({1, 3, 4, 1, 0, 0, 0}, inputs));
    EXPECT_FALSE(with({2, 2, 2, 1, 9}, inputs)) << "a signature without a key";
    EXPECT_FALSE(with({1, 0, 1, 9}, inputs)) << "no transaction";
    EXPECT_FALSE(Psbt::from_text("cHNidP8!"));
    EXPECT_FALSE(Psbt::decode(sample().encode())) << "a transaction";
    Transaction other = sample();
    other.outputs[0].sat = 1;
    Bytes utxo{1, 0};
    SerialWriter(utxo).sized(other.encode());
    EXPECT_FALSE(with(utxo, inputs)) << "another transaction than the one that is spent";
}

// ---- headers ----

TEST(U256, Arithmetic) {
    const U256 max = ~U256{};
    EXPECT_EQ(max + U256(1), U256{});
    EXPECT_EQ(U256{} - U256(1), max);
    EXPECT_EQ((U256(5) << 200) >> 200, U256(5));
    EXPECT_EQ((U256(1) << 255).bits(), 256U);
    EXPECT_EQ(U256(1) << 256, U256{});
    EXPECT_EQ(U256(1'000'000'007).times(1'000'000'009) / U256(1'000'000'009), U256(1'000'000'007));
    EXPECT_EQ((U256(7) << 128) / (U256(7) << 64), U256(1) << 64);
    EXPECT_EQ(max / max, U256(1));
    EXPECT_EQ(U256(3) / U256(4), U256{});
    EXPECT_LT(U256(4), U256(1) << 64);
}

TEST(Target, CompactForm) {
    for (const std::uint32_t bits : {0x1D00FFFFU, 0x1B0404CBU, 0x207FFFFFU, 0x1E0377AEU, 0x170331DBU, 0x05009234U}) {
        EXPECT_EQ(bits_of(*target_of(bits)), bits);
    }
    EXPECT_FALSE(target_of(0x01FEDCBA)) << "negative";
    EXPECT_FALSE(target_of(0x04923456)) << "negative";
    EXPECT_FALSE(target_of(0x00000000));
    EXPECT_FALSE(target_of(0x03000000));
    EXPECT_FALSE(target_of(0xFF123456)) << "too large";
    EXPECT_EQ(work_of(*target_of(0x1D00FFFF)), U256(0x1'0001'0001)) << "a block of difficulty 1";
    EXPECT_EQ(work_of(*target_of(0x207FFFFF)), U256(2));
    EXPECT_EQ(bits_of(chain_rules(Network::kMainnet).easiest), 0x1D00FFFFU);
    EXPECT_EQ(bits_of(chain_rules(Network::kSignet).easiest), 0x1E0377AEU);
    EXPECT_EQ(bits_of(chain_rules(Network::kRegtest).easiest), 0x207FFFFFU);
}

// Block 32255 is the last of a period whose first is 30240; 32256 has 1d00d86a (the first change of difficulty).
TEST(Target, ChangesAsOnTheMainNetwork) {
    const ChainRules& rules = chain_rules(Network::kMainnet);
    EXPECT_EQ(retarget(rules, 0x1D00FFFF, 1'261'130'161, 1'262'152'739), 0x1D00D86AU);
    EXPECT_EQ(retarget(rules, 0x1D00FFFF, 0, 0xFFFF'FFFF), 0x1D00FFFFU) << "never easier than the easiest";
    EXPECT_EQ(retarget(rules, 0x1C05A3F4, 1'000, 1'000), 0x1C0168FDU) << "a quarter at most";
    EXPECT_EQ(retarget(rules, 0x1C387F6F, 0, 0xFFFF'FFFF), 0x1D00E1FDU) << "four times at most";
}

BlockHeader genesis_of_mainnet() {
    BlockHeader h;
    h.version = 1;
    h.merkle_root = *hash_from_shown("4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b");
    h.time = 1'231'006'505;
    h.bits = 0x1D00FFFF;
    h.nonce = 2'083'236'893;
    return h;
}

TEST(BlockHeader, TheFirstBlocks) {
    const BlockHeader genesis = genesis_of_mainnet();
    EXPECT_EQ(shown(genesis.hash()), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
    EXPECT_EQ(*BlockHeader::decode(genesis.encode()), genesis);
    EXPECT_FALSE(BlockHeader::decode(Bytes(79)));
    BlockHeader one;
    one.version = 1;
    one.previous = genesis.hash();
    one.merkle_root = *hash_from_shown("0e3e2357e806b6cdb1f70b54c3a3a17b6714ee1f0e68bebb44a74b1efd512098");
    one.time = 1'231'469'665;
    one.bits = 0x1D00FFFF;
    one.nonce = 2'573'394'689;
    HeaderChain chain(Network::kMainnet, {genesis, 0});
    BlockHeader bad = one;
    bad.nonce ^= 1;
    EXPECT_EQ(chain.add(bad, std::nullopt), HeaderChain::Added::kInvalid);
    EXPECT_EQ(chain.add(one, 1'231'469'665 - 7'201), HeaderChain::Added::kTooEarly);
    EXPECT_EQ(chain.add(one, std::nullopt), HeaderChain::Added::kExtends) << "a clock that is not trusted";
    EXPECT_EQ(chain.add(one, std::nullopt), HeaderChain::Added::kKnown);
    EXPECT_EQ(chain.height(), 1U);
    EXPECT_EQ(chain.confirmations(one.hash()), 1U);
    EXPECT_EQ(chain.confirmations(genesis.hash()), 2U);
}

/// Mines on regtest, where every second hash will do.
BlockHeader mine(const Hash256& previous, std::uint32_t time, std::uint8_t branch) {
    BlockHeader h;
    h.version = 4;
    h.previous = previous;
    h.merkle_root.fill(branch);
    h.time = time;
    h.bits = 0x207FFFFF;
    while (U256::from_bytes(h.hash()) > *target_of(h.bits)) {
        ++h.nonce;
    }
    return h;
}

struct Regtest {
    BlockHeader genesis = mine({}, 1'000, 0);
    HeaderChain chain{Network::kRegtest, {genesis, 0}};
    std::vector<BlockHeader> grow(const Hash256& from, std::uint32_t time, int n, std::uint8_t branch) {
        std::vector<BlockHeader> out;
        Hash256 previous = from;
        for (int i = 1; i <= n; ++i) {
            out.push_back(mine(previous, time + static_cast<std::uint32_t>(i), branch));
            previous = out.back().hash();
        }
        return out;
    }
};

TEST(HeaderChain, FollowsTheMostWork) {
    Regtest w;
    const auto first = w.grow(w.genesis.hash(), 1'000, 10, 1);
    for (const auto& h : first) {
        EXPECT_EQ(w.chain.add(h, std::nullopt), HeaderChain::Added::kExtends);
    }
    // Six blocks are replaced.
    const auto other = w.grow(first[3].hash(), 1'100, 7, 2);
    for (int i = 0; i < 6; ++i) {
        EXPECT_EQ(w.chain.add(other[static_cast<std::size_t>(i)], std::nullopt), HeaderChain::Added::kBeside) << i;
    }
    EXPECT_EQ(w.chain.tip(), first[9].hash()) << "as much work: the first stands";
    EXPECT_EQ(w.chain.add(other[6], std::nullopt), HeaderChain::Added::kExtends);
    EXPECT_EQ(w.chain.height(), 11U);
    EXPECT_EQ(w.chain.confirmations(first[9].hash()), 0U);
    EXPECT_EQ(w.chain.confirmations(first[3].hash()), 8U);
    EXPECT_EQ(w.chain.at(5)->hash(), other[0].hash());
    EXPECT_FALSE(w.chain.at(12));
    // And back.
    const auto back = w.grow(first[9].hash(), 2'000, 2, 1);
    EXPECT_EQ(w.chain.add(back[1], std::nullopt), HeaderChain::Added::kOrphan);
    EXPECT_EQ(w.chain.add(back[0], std::nullopt), HeaderChain::Added::kBeside);
    EXPECT_EQ(w.chain.add(back[1], std::nullopt), HeaderChain::Added::kExtends);
    EXPECT_EQ(w.chain.confirmations(first[9].hash()), 3U);
    EXPECT_EQ(w.chain.work(), U256(24));
}

TEST(HeaderChain, TimesGoForwardByTheMedian) {
    Regtest w;
    for (const auto& h : w.grow(w.genesis.hash(), 1'000, 11, 1)) {
        (void)w.chain.add(h, std::nullopt);
    }
    EXPECT_EQ(w.chain.median_time(), 1'006U);
    EXPECT_EQ(w.chain.add(mine(w.chain.tip(), 1'006, 2), std::nullopt), HeaderChain::Added::kInvalid);
    EXPECT_EQ(w.chain.add(mine(w.chain.tip(), 1'007, 2), std::nullopt), HeaderChain::Added::kExtends);
}

TEST(HeaderChain, AFloodOfBranchesIsBounded) {
    Regtest w;
    for (const auto& h : w.grow(w.genesis.hash(), 1'000, 40, 1)) {
        (void)w.chain.add(h, std::nullopt);
    }
    std::size_t refused = 0;
    for (std::uint32_t i = 0; i < HeaderChain::kMostBeside + 500; ++i) {
        refused += w.chain.add(mine(w.genesis.hash(), 2'000 + i, 3), std::nullopt) == HeaderChain::Added::kRefused;
    }
    EXPECT_EQ(refused, 500U);
    EXPECT_EQ(w.chain.size(), 41U + HeaderChain::kMostBeside);
    EXPECT_EQ(w.chain.height(), 40U);
    EXPECT_EQ(w.chain.add(mine(w.chain.tip(), 9'000, 1), std::nullopt), HeaderChain::Added::kExtends);
    // Old branches make room.
    for (const auto& h : w.grow(w.chain.tip(), 10'000, 2'100, 1)) {
        ASSERT_EQ(w.chain.add(h, std::nullopt), HeaderChain::Added::kExtends);
    }
    EXPECT_EQ(w.chain.add(mine(w.genesis.hash(), 500'000, 3), std::nullopt), HeaderChain::Added::kRefused)
        << "too deep";
    EXPECT_EQ(w.chain.size(), 1U + w.chain.height());
}

// ---- proofs ----

TEST(MerkleProof, ProvesWhatIsInAndNothingElse) {
    std::vector<Hash256> ids;
    for (std::uint8_t n = 1; n <= 21; ++n) {
        std::vector<Bytes> transactions;
        ids.clear();
        for (std::uint8_t i = 0; i < n; ++i) {
            Transaction tx = sample();
            tx.lock_time = i;
            transactions.push_back(tx.encode_without_witness());
            ids.push_back(tx.txid());
        }
        const Hash256 root = merkle_root(ids);
        for (std::uint32_t i = 0; i < n; ++i) {
            const MerkleProof proof = merkle_proof(ids, i);
            EXPECT_TRUE(proves(proof, transactions[i], root));
            EXPECT_EQ(*MerkleProof::decode(proof.encode()), proof);
            EXPECT_FALSE(proves(proof, transactions[(i + 1) % n], root) && n > 1);
            MerkleProof bad = proof;
            bad.index += 1U << proof.siblings.size();
            EXPECT_FALSE(proves(bad, transactions[i], root));
            if (!proof.siblings.empty()) {
                bad = proof;
                bad.siblings.back()[3] ^= 1;
                EXPECT_FALSE(proves(bad, transactions[i], root));
            }
        }
    }
    // The two halves of an inner node, shown as a transaction.
    Bytes inner(ids[0].begin(), ids[0].end());
    inner.insert(inner.end(), ids[1].begin(), ids[1].end());
    MerkleProof proof = merkle_proof(ids, 0);
    proof.siblings.erase(proof.siblings.begin());
    EXPECT_FALSE(proves(proof, inner, merkle_root(ids)));
    EXPECT_FALSE(MerkleProof::decode(Bytes{0, 0, 0, 0, 25}));
}

}  // namespace
}  // namespace meshnet::bitcoin
