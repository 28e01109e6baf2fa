// SPDX-License-Identifier: MIT
// Headers and proofs of neighbours: 80 bytes each, on a chain that accepts every second hash.
#include <algorithm>
#include <cstdlib>

#include "bitcoin/header_chain.hpp"

using namespace meshnet;
using namespace meshnet::bitcoin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    ByteView in(data, size);
    if (const auto proof = MerkleProof::decode(in)) {
        const Bytes again = proof->encode();
        if (!std::equal(again.begin(), again.end(), in.begin(), in.end())) std::abort();
        (void)proves(*proof, in, Hash256{});
    }
    if (in.size() >= 4) {
        const std::uint32_t bits = ByteReader(in).u32();
        if (const auto target = target_of(bits)) {
            if (target_of(bits_of(*target)) != target || work_of(*target).is_zero()) std::abort();
            (void)retarget(chain_rules(Network::kMainnet), bits, bits, ~bits);
        }
    }
    BlockHeader genesis;
    genesis.bits = 0x207FFFFF;
    HeaderChain chain(Network::kRegtest, {genesis, 0});
    for (; in.size() >= BlockHeader::kBytes; in = in.subspan(BlockHeader::kBytes)) {
        BlockHeader h = *BlockHeader::decode(in.first(BlockHeader::kBytes));
        if (h.encode() != Bytes(in.begin(), in.begin() + BlockHeader::kBytes)) std::abort();
        (void)chain.add(h, std::nullopt);
        h.previous = chain.tip();  // a little help
        h.bits = 0x207FFFFF;
        for (int i = 0; i < 16; ++i, ++h.nonce) {
            const std::uint32_t before = chain.height();
            const bool extends = chain.add(h, std::nullopt) == HeaderChain::Added::kExtends;
            if (extends != (chain.height() == before + 1)) std::abort();
        }
    }
    return 0;
}
