// SPDX-License-Identifier: MIT
// The address of a Unix socket.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <optional>
#include <string>

namespace meshnet::host {

/// Nothing if `path` is empty or too long for the system (107 bytes).
[[nodiscard]] inline std::optional<sockaddr_un> unix_address(const std::string& path) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof(address.sun_path) || path.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

/// connect() or bind() want the general type.
[[nodiscard]] inline const sockaddr* as_sockaddr(const sockaddr_un& address) noexcept {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

}  // namespace meshnet::host
