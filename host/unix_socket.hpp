// SPDX-License-Identifier: MIT
// Stream sockets of the Unix domain: a server's file that appears only when it listens, and a client's connection.
#pragma once

#include <string>

#include "core/result.hpp"
#include "host/unique_fd.hpp"

namespace meshnet::host {

/// Longest path of a socket, bytes.
inline constexpr std::size_t kMaxSocketPath = 107;

struct ListenOptions {
    std::string what;          ///< for messages: "control socket"
    std::string server;        ///< for messages: "meshnetd"
    unsigned mode = 0600;      ///< permissions of the file
    int backlog = 8;           ///< connections that may wait
    bool make_folder = false;  ///< make the last folder of the path if it is missing, 0755
};

/// A non-blocking listener at `path`. It is bound under a temporary name and moved to the path when it listens, so
/// whoever sees the path is let in. A socket nobody listens at is replaced. Errors: kInvalidArgument (path),
/// kAlreadyExists (another kind of file is there), kInUse (somebody listens), or the system's.
[[nodiscard]] Result<UniqueFd> listen_unix(const std::string& path, const ListenOptions& options);

/// A blocking connection; connecting and each send wait 5 s at most. Errors: kInvalidArgument (path), kNotFound (no
/// file), kUnavailable (nobody listens), kInUse (the server takes no connection: it hangs), kPermission, or the
/// system's.
[[nodiscard]] Result<UniqueFd> connect_unix(const std::string& path, const std::string& what);

}  // namespace meshnet::host
