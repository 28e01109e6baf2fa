// SPDX-License-Identifier: MIT
// What people type: addresses, words, paths, extended keys.
#include <cstdlib>
#include <string>

#include "bitcoin/hd_key.hpp"
#include "bitcoin/mnemonic.hpp"

using namespace meshnet;
using namespace meshnet::bitcoin;

namespace {

template <class T>
void check_error(const Result<T>& out) {
    if (!out && out.error().message.find('\n') != std::string::npos && out.error().message.size() > 4'096) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    for (const Network network : {Network::kMainnet, Network::kTestnet, Network::kRegtest}) {
        const auto script = script_of(network, text);
        check_error(script);
        if (script && script_of(network, *address_of(network, *script)).value() != *script) std::abort();
    }
    if (const auto words = bech32_decode(text)) {
        if (!bech32_decode(bech32_encode(words->prefix, words->words, words->modified))) std::abort();
    }
    (void)address_of(Network::kRegtest, ByteView(data, size));
    const auto entropy = entropy_of(text);
    check_error(entropy);
    if (entropy && *entropy_of(words_of(*entropy)) != *entropy) std::abort();
    if (const auto path = key_path(text)) {
        if (*key_path(to_string(*path)) != *path) std::abort();
    }
    if (const auto key = HdKey::from_text(text)) {
        if (text != key->to_text(Network::kMainnet) && text != key->to_text(Network::kTestnet)) std::abort();
    }
    if (const auto bytes = from_base58check(text)) {
        if (base58check(*bytes) != text) std::abort();
    }
    return 0;
}
