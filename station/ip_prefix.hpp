// SPDX-License-Identifier: GPL-3.0-or-later
// An IPv6 prefix: address and length.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <compare>
#include <optional>
#include <string>
#include <string_view>

#include "net/node_id.hpp"

namespace meshnet::station {

struct IpPrefix {
    net::Address address{};  ///< bits behind the length are 0
    unsigned length = 0;     ///< 0..128

    auto operator<=>(const IpPrefix&) const = default;
    /// Every address of `other` is one of this prefix.
    [[nodiscard]] bool covers(const IpPrefix& other) const noexcept {
        if (length > other.length) {
            return false;
        }
        for (unsigned bit = 0; bit < length; ++bit) {
            if (((address[bit / 8] ^ other.address[bit / 8]) >> (7 - bit % 8) & 1) != 0) {
                return false;
            }
        }
        return true;
    }
};

[[nodiscard]] inline std::string to_string(const IpPrefix& prefix) {
    return net::to_string(prefix.address) + "/" + std::to_string(prefix.length);
}

/// "fd00::/8"; nothing if it is no prefix, or bits behind its length are set.
[[nodiscard]] inline std::optional<IpPrefix> ip_prefix_from_string(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    IpPrefix out;
    const std::string address(text.substr(0, slash));
    const auto end = text.data() + text.size();
    const auto [rest, wrong] = std::from_chars(text.data() + slash + 1, end, out.length);
    if (::inet_pton(AF_INET6, address.c_str(), out.address.data()) != 1 || wrong != std::errc{} || rest != end ||
        out.length > 128) {
        return std::nullopt;
    }
    for (unsigned bit = out.length; bit < 128; ++bit) {
        if ((out.address[bit / 8] >> (7 - bit % 8) & 1) != 0) {
            return std::nullopt;
        }
    }
    return out;
}

}  // namespace meshnet::station
