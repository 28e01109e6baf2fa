// SPDX-License-Identifier: GPL-3.0-or-later
// The control socket from the asking side: lines out, lines in.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "core/result.hpp"
#include "host/unique_fd.hpp"

namespace meshnet::apps {

/// Where the daemon is.
struct ControlTarget {
    std::string socket;  ///< empty: the one named in `config`, or else the default
    std::string config;
};

/// One connection. Blocking, except next_line().
class ControlClient {
public:
    /// Error: one line, with what to do if no daemon is there.
    [[nodiscard]] static Result<ControlClient> connect(const ControlTarget& target);

    /// Sends one line (without newline).
    [[nodiscard]] Status send(const std::string& line);
    /// The next whole line, waiting at most `wait`; nothing if none came. Error: the daemon is gone.
    [[nodiscard]] Result<std::optional<std::string>> next_line(std::chrono::milliseconds wait);
    /// Sends a request and gives the `result` of its answer; the daemon's own `error` as an Error;
    [[nodiscard]] Result<nlohmann::ordered_json> ask(const std::string& request);
    /// The `result` of one answer line.
    [[nodiscard]] static Result<nlohmann::ordered_json> read_answer(const std::string& line);

private:
    explicit ControlClient(host::UniqueFd fd) : fd_(std::move(fd)) {}
    host::UniqueFd fd_;
    std::string in_;
};

/// The socket a target means. Error: its configuration cannot be read.
[[nodiscard]] Result<std::string> control_socket_of(const ControlTarget& target);

}  // namespace meshnet::apps
