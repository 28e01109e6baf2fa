// SPDX-License-Identifier: MIT
// Transactions of gateways and wallets.
#include <algorithm>
#include <cstdlib>

#include "bitcoin/script.hpp"
#include "bitcoin/transaction.hpp"

using namespace meshnet;
using namespace meshnet::bitcoin;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView in(data, size);
    if (const auto tx = Transaction::decode(in)) {
        const Bytes again = tx->encode();
        if (!std::equal(again.begin(), again.end(), in.begin(), in.end())) std::abort();
        (void)tx->txid();
        for (std::size_t i = 0; i < std::min<std::size_t>(tx->inputs.size(), 4); ++i) {
            (void)sighash_all(*tx, i, tx->inputs[i].script, 1);
        }
    } else if (tx.error().message.find('\n') != std::string::npos) {
        std::abort();
    }
    if (const auto tx = Transaction::decode_without_witness(in)) {
        const Bytes again = tx->encode_without_witness();
        if (!std::equal(again.begin(), again.end(), in.begin(), in.end())) std::abort();
    }
    if (const auto channel = ChannelScript::parse(in)) {
        const Bytes again = channel->witness_script();
        if (!std::equal(again.begin(), again.end(), in.begin(), in.end())) std::abort();
    }
    return 0;
}
