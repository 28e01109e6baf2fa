// SPDX-License-Identifier: MIT
// Prints what this project computes, one JSON object a line, for judge.js: another implementation of the consensus says
// whether it is right.
#include <cstdio>
#include <string>
#include <vector>

#include "bitcoin/block_header.hpp"
#include "bitcoin/hd_key.hpp"
#include "bitcoin/mnemonic.hpp"
#include "bitcoin/script.hpp"
#include "bitcoin/transaction.hpp"
#include "core/random.hpp"

using namespace meshnet;
using namespace meshnet::bitcoin;

namespace {

Rng rng(20'260'101);

Bytes random_bytes(std::size_t n) {
    Bytes out(n);
    rng.fill(out);
    return out;
}
SecretKey random_key() {
    for (;;) {
        SecretBytes bytes{};
        rng.fill(bytes);
        if (const auto key = SecretKey::from_bytes(bytes)) {
            return *key;
        }
    }
}
std::string hex(ByteView bytes) {
    return to_hex(bytes);
}

void keys() {
    // The seeds of vectors 3 and 4 of BIP 32 (leading zeros), then random ones.
    std::vector<Bytes> seeds{
        *from_hex(
            "4b381541583be4423346c643850da4b320e46a87ae3d2a4e6da11eba819cd4acba45d239319ac14f863b8d5ab5a0d0c64d2e8a1e7"
            "d1457df2e5a3c51c73235be"),
        *from_hex("3ddd5602285899a946114506157c7997e5444528f3003f6134712147db19b678")};
    for (int i = 0; i < 40; ++i) {
        seeds.push_back(random_bytes(16 + static_cast<std::size_t>(rng.next_u64() % 49)));
    }
    for (const Bytes& seed : seeds) {
        const KeyPath path{static_cast<std::uint32_t>(rng.next_u64() % 3) | kHardened,
                           static_cast<std::uint32_t>(rng.next_u64()), 1'000'000'000 | kHardened, 2};
        const auto key = HdKey::from_seed(seed)->derive(path);
        std::printf(R"({"fact":"key","seed":"%s","path":"%s","xprv":"%s","xpub":"%s","address":"%s"})"
                    "\n",
                    hex(seed).c_str(), to_string(path).c_str(), key->to_text(Network::kMainnet).c_str(),
                    key->public_only().to_text(Network::kMainnet).c_str(),
                    address_of(Network::kMainnet, p2wpkh(key->public_key()))->c_str());
    }
    for (int i = 0; i < 20; ++i) {
        const Bytes entropy = random_bytes(16 + 4 * static_cast<std::size_t>(i % 5));
        const std::string words = words_of(entropy);
        std::printf(R"({"fact":"words","entropy":"%s","words":"%s","seed":"%s"})"
                    "\n",
                    hex(entropy).c_str(), words.c_str(), hex(seed_of(words, "x" + std::to_string(i))).c_str());
    }
}

/// A channel's output, and a transaction that spends it in one of the ways that are right or wrong.
void channels() {
    enum Way { kClose, kRefund, kEarlyRefund, kFinalRefund, kPayeeAlone, kOtherKey, kOtherAmount, kWays };
    for (int i = 0; i < 10 * kWays; ++i) {
        const int way = i % kWays;
        const SecretKey payer = random_key(), payee = random_key();
        const std::uint32_t expiry =
            1 + static_cast<std::uint32_t>(rng.next_u64() % (i % 2 == 0 ? 900'000 : 0x7FFF'FFFF));
        const ChannelScript channel{payer.public_key(), payee.public_key(), expiry};
        const Sat funded = 10'000 + static_cast<Sat>(rng.next_u64() % kMostSat) / 1'000;
        Transaction tx;
        tx.inputs.resize(1);
        rng.fill(tx.inputs[0].previous.txid);
        tx.inputs[0].sequence = way == kClose || way == kFinalRefund ? kFinalSequence : kFinalSequence - 1;
        tx.outputs = {{funded / 2, p2wpkh(payee.public_key())}, {funded / 3, p2wpkh(payer.public_key())}};
        const bool refunds = way == kRefund || way == kEarlyRefund || way == kFinalRefund;
        tx.lock_time = refunds ? expiry - (way == kEarlyRefund ? 1 : 0) : 0;
        const Bytes script = channel.witness_script();
        const Hash256 hash = sighash_all(tx, 0, script, way == kOtherAmount ? funded - 1 : funded);
        const auto sign = [&](const SecretKey& key) {
            Bytes out = key.sign(hash);
            out.push_back(kSighashAll);
            return out;
        };
        if (refunds) {
            tx.inputs[0].witness = channel_refund_witness(channel, sign(payer));
        } else if (way == kPayeeAlone) {
            tx.inputs[0].witness = channel_close_witness(channel, Bytes{}, sign(payee));
        } else {
            tx.inputs[0].witness =
                channel_close_witness(channel, sign(way == kOtherKey ? random_key() : payer), sign(payee));
        }
        std::printf(R"({"fact":"spend","tx":"%s","txid":"%s","weight":%zu,"script":"%s","sat":%lld,"valid":%s})"
                    "\n",
                    hex(tx.encode()).c_str(), shown(tx.txid()).c_str(), tx.weight(),
                    hex(channel.output_script()).c_str(), static_cast<long long>(funded),
                    way == kClose || way == kRefund ? "true" : "false");
    }
}

void wallet_spends() {
    for (int i = 0; i < 20; ++i) {
        const SecretKey key = random_key();
        const PublicKey pub = key.public_key();
        Transaction tx;
        tx.inputs.resize(2);
        rng.fill(tx.inputs[0].previous.txid);
        rng.fill(tx.inputs[1].previous.txid);
        tx.inputs[1].previous.index = 3;
        tx.outputs = {{1'000 + i, p2wsh(random_bytes(40))}};
        Bytes signature = key.sign(sighash_all(tx, 0, p2wpkh_script_code(pub), 5'000));
        signature.push_back(kSighashAll);
        tx.inputs[0].witness = {signature, Bytes(pub.begin(), pub.end())};
        std::printf(R"({"fact":"spend","tx":"%s","txid":"%s","weight":%zu,"script":"%s","sat":5000,"valid":true})"
                    "\n",
                    hex(tx.encode()).c_str(), shown(tx.txid()).c_str(), tx.weight(), hex(p2wpkh(pub)).c_str());
    }
}

void chain() {
    for (int i = 0; i < 200; ++i) {
        const std::uint32_t size = 4 + static_cast<std::uint32_t>(rng.next_u64() % 24);
        const std::uint32_t bits = size << 24 | 0x00'8000 | static_cast<std::uint32_t>(rng.next_u64() % 0x7F'FFFF);
        const auto first = static_cast<std::uint32_t>(1'300'000'000 + rng.next_u64() % 1'000'000);
        const auto last = static_cast<std::uint32_t>(first + rng.next_u64() % (6 * std::uint64_t{kRetargetSeconds}));
        Hash256 work{};
        U256 left = work_of(*target_of(bits));
        for (std::size_t k = 0; k < work.size(); ++k, left = left >> 8) {
            work[k] = static_cast<std::uint8_t>(left.low());
        }
        std::printf(R"({"fact":"target","bits":%u,"first":%u,"last":%u,"next":%u,"work":"%s"})"
                    "\n",
                    bits, first, last, retarget(chain_rules(Network::kMainnet), bits, first, last),
                    shown(work).c_str());
    }
    for (std::size_t n = 1; n < 40; ++n) {
        std::vector<Hash256> ids(n);
        std::string list;
        for (Hash256& id : ids) {
            rng.fill(id);
            list += (list.empty() ? "\"" : ",\"") + hex(id) + "\"";
        }
        std::printf(R"({"fact":"merkle","ids":[%s],"root":"%s"})"
                    "\n",
                    list.c_str(), hex(merkle_root(ids)).c_str());
    }
}

}  // namespace

int main() {
    keys();
    channels();
    wallet_spends();
    chain();
    return 0;
}
