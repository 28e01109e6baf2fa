// SPDX-License-Identifier: MIT
#include "bitcoin/address.hpp"

#include <algorithm>
#include <array>

namespace meshnet::bitcoin {

namespace {

constexpr std::string_view kDigits = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::uint32_t kPlain = 1, kModified = 0x2BC8'30A3;
constexpr std::size_t kMostCharacters = 90, kChecksum = 6;

struct NetworkRow {
    Network network;
    const char* name;
    std::string_view prefix;
};
constexpr std::array<NetworkRow, 4> kNetworks{{
    {Network::kMainnet, "mainnet", "bc"},
    {Network::kTestnet, "testnet", "tb"},
    {Network::kSignet, "signet", "tb"},
    {Network::kRegtest, "regtest", "bcrt"},
}};

std::uint32_t polymod_step(std::uint32_t c, std::uint8_t word) noexcept {
    constexpr std::array<std::uint32_t, 5> kGenerator{0x3B6A'57B2, 0x2650'8E6D, 0x1EA1'19FA, 0x3D42'33DD, 0x2A14'62B3};
    const std::uint32_t top = c >> 25;
    c = ((c & 0x01FF'FFFF) << 5) ^ word;
    for (std::size_t i = 0; i < kGenerator.size(); ++i) {
        c ^= ((top >> i) & 1) != 0 ? kGenerator[i] : 0;
    }
    return c;
}

std::uint32_t polymod(std::string_view prefix, ByteView words) noexcept {
    std::uint32_t c = 1;
    for (const char ch : prefix) {
        c = polymod_step(c, static_cast<std::uint8_t>(ch) >> 5);
    }
    c = polymod_step(c, 0);
    for (const char ch : prefix) {
        c = polymod_step(c, static_cast<std::uint8_t>(ch) & 31);
    }
    for (const std::uint8_t w : words) {
        c = polymod_step(c, w);
    }
    return c;
}

Bytes to_words(ByteView bytes) {
    Bytes out;
    std::uint32_t bits = 0, value = 0;
    for (const std::uint8_t b : bytes) {
        value = (value << 8 | b) & 0xFFFF;
        for (bits += 8; bits >= 5;) {
            bits -= 5;
            out.push_back(static_cast<std::uint8_t>((value >> bits) & 31));
        }
    }
    if (bits > 0) {
        out.push_back(static_cast<std::uint8_t>((value << (5 - bits)) & 31));
    }
    return out;
}

std::optional<Bytes> to_bytes(ByteView words) {
    Bytes out;
    std::uint32_t bits = 0, value = 0;
    for (const std::uint8_t w : words) {
        value = (value << 5 | w) & 0xFFF;
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            out.push_back(static_cast<std::uint8_t>((value >> bits) & 0xFF));
        }
    }
    const bool padded = bits < 5 && (value & ((1U << bits) - 1)) == 0;
    return padded ? std::optional(out) : std::nullopt;
}

bool program_fits(std::uint8_t version, std::size_t size) noexcept {
    return version <= 16 && size >= 2 && size <= 40 && (version != 0 || size == 20 || size == 32);
}

}  // namespace

const char* to_string(Network network) noexcept {
    return kNetworks[static_cast<std::size_t>(network)].name;
}

std::optional<Network> network_from_string(std::string_view name) noexcept {
    const auto at = std::find_if(kNetworks.begin(), kNetworks.end(), [&](const auto& n) { return n.name == name; });
    return at == kNetworks.end() ? std::nullopt : std::optional(at->network);
}

std::string_view address_prefix(Network network) noexcept {
    return kNetworks[static_cast<std::size_t>(network)].prefix;
}

std::string bech32_encode(std::string_view prefix, ByteView words, bool modified) {
    Bytes all(words.begin(), words.end());
    all.resize(words.size() + kChecksum);
    const std::uint32_t check = polymod(prefix, all) ^ (modified ? kModified : kPlain);
    for (std::size_t i = 0; i < kChecksum; ++i) {
        all[words.size() + i] = static_cast<std::uint8_t>((check >> (5 * (5 - i))) & 31);
    }
    std::string out(prefix);
    out += '1';
    for (const std::uint8_t w : all) {
        out += kDigits[w];
    }
    return out;
}

std::optional<Bech32> bech32_decode(std::string_view text) {
    const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    const auto lower = [](char c) { return c >= 'a' && c <= 'z'; };
    const bool printable = std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
    const bool mixed = std::any_of(text.begin(), text.end(), upper) && std::any_of(text.begin(), text.end(), lower);
    const auto separator = text.rfind('1');
    if (!printable || mixed || text.size() > kMostCharacters || separator == std::string_view::npos || separator == 0 ||
        text.size() - separator - 1 < kChecksum) {
        return std::nullopt;
    }
    Bech32 out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = upper(text[i]) ? static_cast<char>(text[i] - 'A' + 'a') : text[i];
        if (i < separator) {
            out.prefix += c;
        } else if (i > separator) {
            const auto word = kDigits.find(c);
            if (word == std::string_view::npos) {
                return std::nullopt;
            }
            out.words.push_back(static_cast<std::uint8_t>(word));
        }
    }
    const std::uint32_t check = polymod(out.prefix, out.words);
    if (check != kPlain && check != kModified) {
        return std::nullopt;
    }
    out.modified = check == kModified;
    out.words.resize(out.words.size() - kChecksum);
    return out;
}

std::optional<std::string> address_of(Network network, ByteView script) {
    if (script.size() < 4 || script[1] != script.size() - 2 ||
        (script[0] != 0 && (script[0] < 0x51 || script[0] > 0x60))) {
        return std::nullopt;
    }
    const auto version = static_cast<std::uint8_t>(script[0] == 0 ? 0 : script[0] - 0x50);
    if (!program_fits(version, script.size() - 2)) {
        return std::nullopt;
    }
    Bytes words = to_words(script.subspan(2));
    words.insert(words.begin(), version);
    return bech32_encode(address_prefix(network), words, version > 0);
}

Result<Bytes> script_of(Network network, std::string_view address) {
    const Error wrong{ErrorCode::kInvalidArgument, "\"" + std::string(address.substr(0, kMostCharacters)) +
                                                       "\" is not an address of a witness program"};
    const auto decoded = bech32_decode(address);
    if (!decoded || decoded->words.empty()) {
        return wrong;
    }
    const std::uint8_t version = decoded->words.front();
    const auto program = to_bytes(ByteView(decoded->words).subspan(1));
    if (!program || !program_fits(version, program->size()) || decoded->modified != (version > 0)) {
        return wrong;
    }
    if (decoded->prefix != address_prefix(network)) {
        return Error{ErrorCode::kInvalidArgument,
                     "\"" + std::string(address) + "\" is not of " + std::string(to_string(network))};
    }
    Bytes out{static_cast<std::uint8_t>(version == 0 ? 0 : 0x50 + version), static_cast<std::uint8_t>(program->size())};
    out.insert(out.end(), program->begin(), program->end());
    return out;
}

}  // namespace meshnet::bitcoin
