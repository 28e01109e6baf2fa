// SPDX-License-Identifier: GPL-3.0-or-later
// cpp-httplib's server with what it lacks: limits on the size of a request and on how long it may take to arrive, on
// the number of clients, and a port that two programs cannot share.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include <httplib.h>

#include "core/result.hpp"

namespace meshnet::page {

/// Bytes of a request: its first line, headers and body together.
inline constexpr std::size_t kMaxRequestBytes = 16'384;
/// Connections served at a time, and those that may wait; more are answered with 503 at once.
inline constexpr std::size_t kMostClients = 24, kMostWaiting = 16;

class LoopbackServer final : public httplib::Server {
public:
    LoopbackServer();

    /// Listens on 127.0.0.1; port 0: any. The port. Error: one line.
    [[nodiscard]] Result<std::uint16_t> bind(std::uint16_t port);
    /// Serves until stop_all(). Precondition: bind().
    void serve();
    /// From any thread: ends what is served and serve().
    void stop_all();
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }

private:
    bool process_and_close_socket(socket_t socket) override;

    std::atomic<bool> stopping_{false};
};

}  // namespace meshnet::page
