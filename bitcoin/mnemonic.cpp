// SPDX-License-Identifier: MIT
#include "bitcoin/mnemonic.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

#include "core/names.hpp"

namespace meshnet::bitcoin {

namespace {

// The list of BIP 39, bip-0039/english.txt, sorted.
constexpr std::array<std::string_view, 2'048> kWords{
#include "bitcoin/mnemonic_words.inc"
};

constexpr std::size_t kLongestWord = 8;

/// Lower case, one space between words.
std::string normal(std::string_view words) {
    std::string out;
    bool space = false;
    for (char c : words) {
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            space = !out.empty();
            continue;
        }
        if (space) {
            out += ' ';
        }
        space = false;
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

std::vector<std::string_view> split(std::string_view text) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        out.push_back(text.substr(0, text.find(' ')));
        text.remove_prefix(std::min(text.size(), out.back().size() + 1));
    }
    return out;
}

}  // namespace

std::string_view mnemonic_word(std::size_t index) noexcept {
    assert(index < kWords.size());
    return kWords[index];
}

std::string words_of(ByteView entropy) {
    assert(entropy.size() >= 16 && entropy.size() <= 32 && entropy.size() % 4 == 0);
    Bytes bits(entropy.begin(), entropy.end());
    bits.push_back(sha256(entropy)[0]);
    const std::size_t words = entropy.size() * 3 / 4;
    std::string out;
    for (std::size_t i = 0; i < words; ++i) {
        std::size_t index = 0;
        for (std::size_t bit = 11 * i; bit < 11 * (i + 1); ++bit) {
            index = index << 1 | ((bits[bit / 8] >> (7 - bit % 8)) & 1U);
        }
        out += (i == 0 ? "" : " ") + std::string(kWords[index]);
    }
    sodium_memzero(bits.data(), bits.size());
    return out;
}

Result<Bytes> entropy_of(std::string_view words) {
    const std::string text = normal(words.substr(0, 1'024));
    const std::vector<std::string_view> list = split(text);
    if (list.size() < 12 || list.size() > 24 || list.size() % 3 != 0) {
        return Error{ErrorCode::kInvalidArgument,
                     "there are 12, 15, 18, 21 or 24 words, not " + std::to_string(list.size())};
    }
    Bytes bits(list.size() * 11 / 8 + 1);
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto at = std::lower_bound(kWords.begin(), kWords.end(), list[i]);
        if (at == kWords.end() || *at != list[i]) {
            const bool short_enough = list[i].size() <= kLongestWord + 2;  // the search takes its length squared
            const auto near = short_enough ? nearest_name(list[i], kWords) : std::nullopt;
            return Error{ErrorCode::kInvalidArgument, "word " + std::to_string(i + 1) + " is not in the list" +
                                                          (near ? "; is it \"" + std::string(*near) + "\"?" : "")};
        }
        const auto index = static_cast<std::size_t>(at - kWords.begin());
        for (std::size_t k = 0; k < 11; ++k) {
            const std::size_t bit = 11 * i + k;
            bits[bit / 8] = static_cast<std::uint8_t>(bits[bit / 8] | ((index >> (10 - k)) & 1U) << (7 - bit % 8));
        }
    }
    const std::size_t size = list.size() / 3 * 4;
    const unsigned check_bits = static_cast<unsigned>(list.size() / 3);
    const std::uint8_t check = bits[size];
    bits.resize(size);
    if (((check ^ sha256(bits)[0]) >> (8 - check_bits)) != 0) {
        sodium_memzero(bits.data(), bits.size());
        return Error{ErrorCode::kInvalidArgument,
                     "the words do not belong together: one is wrong, or two changed places"};
    }
    return bits;
}

Hash512 seed_of(std::string_view words, std::string_view passphrase) {
    std::string text = normal(words), salt = "mnemonic" + std::string(passphrase);
    const Hash512 out = pbkdf2_sha512(as_bytes(text), as_bytes(salt), 2'048);
    sodium_memzero(text.data(), text.size());
    sodium_memzero(salt.data(), salt.size());
    return out;
}

}  // namespace meshnet::bitcoin
