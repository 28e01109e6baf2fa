// SPDX-License-Identifier: MIT
#include "net/checked_text.hpp"

#include <algorithm>

#include "net/crypto.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kChecksumBytes = 4;

std::array<std::uint8_t, 16> checksum(std::string_view prefix, ByteView body) {
    return blake2b<16>({as_bytes(prefix), body});
}

Error invalid(std::string message) {
    return Error{ErrorCode::kInvalidData, std::move(message)};
}

}  // namespace

std::string_view trimmed(std::string_view text) noexcept {
    const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

std::string to_checked_text(std::string_view prefix, ByteView body) {
    const auto sum = checksum(prefix, body);
    return std::string(prefix) + to_hex(body) + ":" + to_hex(ByteView(sum).first(kChecksumBytes));
}

Result<Bytes> from_checked_text(std::string_view prefix, std::size_t size, const char* what, std::string_view text) {
    const std::string name = std::string("the ") + what;
    text = trimmed(text);
    if (text.empty()) {
        return invalid(name + " is empty; it is one line that begins with " + std::string(prefix));
    }
    if (text.substr(0, prefix.size()) != prefix) {
        const std::size_t named = prefix.rfind('v');  // "meshnet-key-v" and a number
        if (text.substr(0, named) == prefix.substr(0, named)) {
            return Error{ErrorCode::kUnsupported,
                         name + " is of a newer version than this program reads (" + std::string(prefix) + ")"};
        }
        return invalid("this is not a meshnet " + std::string(what) + ": it does not begin with " +
                       std::string(prefix));
    }
    text.remove_prefix(prefix.size());
    const std::size_t expected = 2 * size + 1 + 2 * kChecksumBytes;
    if (text.size() != expected) {
        return invalid(name + " has " + std::to_string(text.size()) + " characters after its prefix, expected " +
                       std::to_string(expected) + ": it is cut or has something appended");
    }
    auto body = from_hex(text.substr(0, 2 * size));
    const auto sum = from_hex(text.substr(2 * size + 1));
    if (!body || !sum || text[2 * size] != ':') {
        return invalid(name + " contains a character that is not hexadecimal");
    }
    const auto expected_sum = checksum(prefix, *body);
    if (!std::equal(sum->begin(), sum->end(), expected_sum.begin())) {
        wipe(*body);
        return invalid(name + "'s checksum is wrong: at least one character was changed");
    }
    return std::move(*body);
}

}  // namespace meshnet::net
