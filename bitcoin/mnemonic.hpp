// SPDX-License-Identifier: MIT
// Words that stand for a seed (BIP 39), English list.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "bitcoin/hash.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace meshnet::bitcoin {

/// The word of an index, 0..2047.
[[nodiscard]] std::string_view mnemonic_word(std::size_t index) noexcept;

/// 12, 15, 18, 21 or 24 words for 16, 20, 24, 28 or 32 bytes. Precondition: such a size.
[[nodiscard]] std::string words_of(ByteView entropy);
/// The entropy of words, separated by white space, in either case. Errors are one line: a word that is not in the list
/// (which one by its place, and the nearest), a wrong count, a wrong checksum.
[[nodiscard]] Result<Bytes> entropy_of(std::string_view words);
/// The seed: PBKDF2-HMAC-SHA512 of the words, 2048 rounds. Precondition: entropy_of(words) is right; both texts are
/// ASCII (no normalisation is needed then).
[[nodiscard]] Hash512 seed_of(std::string_view words, std::string_view passphrase);

}  // namespace meshnet::bitcoin
