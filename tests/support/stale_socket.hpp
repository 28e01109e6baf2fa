// SPDX-License-Identifier: MIT
// The file that a server leaves when it is killed.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "host/unique_fd.hpp"

namespace meshnet::test {

/// Leaves a socket at `path` that nobody listens at.
inline void make_stale_socket(const std::string& path) {
    const host::UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::bind(fd.get(), static_cast<const sockaddr*>(static_cast<const void*>(&address)), sizeof address) != 0) {
        throw std::runtime_error("cannot make " + path);
    }
}

}  // namespace meshnet::test
