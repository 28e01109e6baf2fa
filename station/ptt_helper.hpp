// SPDX-License-Identifier: GPL-3.0-or-later
// A process of its own that runs `[radio] ptt_command`: the daemon itself can start no program any more once its system
// calls are filtered. It knows the command before anything is received and is told one bit at a time.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/result.hpp"
#include "host/unique_fd.hpp"

namespace meshnet::station {

class PttHelper {
public:
    /// Forks. Precondition: the process has one thread, and no secret yet. The helper keeps the rights and the standard
    /// streams the process has now, nothing else of it, and ends with it; signals that end the daemon do not end it.
    [[nodiscard]] static Result<std::shared_ptr<PttHelper>> start(const std::string& command);

    /// Runs the command with "tx" or "rx" behind it and waits for it; true if it ended with 0. Any thread.
    [[nodiscard]] bool run(bool transmit);

private:
    explicit PttHelper(host::UniqueFd socket) : socket_(std::move(socket)) {}
    std::mutex mutex_;
    host::UniqueFd socket_;
};

}  // namespace meshnet::station
