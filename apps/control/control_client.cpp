// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/control/control_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include <nlohmann/json.hpp>

#include "host/text.hpp"
#include "host/unix_socket.hpp"
#include "station/config.hpp"

namespace meshnet::apps {

namespace {

constexpr std::size_t kMaxAnswer = 16 << 20;
constexpr auto kAnswerWait = std::chrono::seconds(10);

/// Why the socket at `path` cannot be reached, and what to do.
Error unreachable(const std::string& path, const Error& error) {
    const std::string start =
        "start it with: meshnetd --config FILE; if it runs elsewhere, --socket or --config says where";
    switch (error.code) {
        case ErrorCode::kNotFound:
            return {error.code, "no daemon runs here: there is no control socket " + path + "; " + start};
        case ErrorCode::kUnavailable:
            return {error.code,
                    "no daemon listens at " + path + " (it was killed, or this is no socket of it); " + start};
        case ErrorCode::kInUse:
            return {error.code, "the daemon at " + path + " hangs: it takes no connection"};
        case ErrorCode::kPermission:
            return {error.code,
                    "control socket " + path + " belongs to another user; run this as the user meshnetd runs as"};
        default:
            return error;
    }
}

}  // namespace

Result<std::string> control_socket_of(const ControlTarget& target) {
    if (!target.socket.empty()) {
        return target.socket;
    }
    if (target.config.empty()) {
        return std::string(station::kDefaultControlSocket);
    }
    const auto config = station::load_config(target.config);
    if (!config) {
        return config.error();
    }
    return config->control_socket;
}

Result<ControlClient> ControlClient::connect(const ControlTarget& target) {
    const auto path = control_socket_of(target);
    if (!path) {
        return path.error();
    }
    auto fd = host::connect_unix(*path, "control socket");
    if (!fd) {
        return unreachable(*path, fd.error());
    }
    return ControlClient(std::move(fd).value());
}

Status ControlClient::send(const std::string& line) {
    const std::string out = line + "\n";
    std::size_t done = 0;
    while (done < out.size()) {
        const ssize_t n = ::send(fd_.get(), out.data() + done, out.size() - done, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return host::system_error("the daemon is gone", errno);
        }
        done += static_cast<std::size_t>(n);
    }
    return Ok{};
}

Result<std::optional<std::string>> ControlClient::next_line(std::chrono::milliseconds wait) {
    const auto until = std::chrono::steady_clock::now() + wait;
    while (true) {
        if (const auto end = in_.find('\n'); end != std::string::npos) {
            std::optional<std::string> line = in_.substr(0, end);
            in_.erase(0, end + 1);
            return line;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
        pollfd p{fd_.get(), POLLIN, 0};
        const int ready = ::poll(&p, 1, left.count() > 0 ? static_cast<int>(left.count()) : 0);
        if (ready == 0) {
            return std::optional<std::string>{};
        }
        if (ready < 0) {
            if (errno == EINTR) {
                continue;
            }
            return host::system_error("waiting for the daemon", errno);
        }
        char buffer[65'536];
        const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
        if (n == 0) {
            return Error{ErrorCode::kUnavailable, "the daemon closed the connection"};
        }
        if (n < 0 && errno != EINTR) {
            return host::system_error("the daemon is gone", errno);
        }
        in_.append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
        if (in_.size() > kMaxAnswer) {
            return Error{ErrorCode::kInvalidData, "the daemon's answer has no end"};
        }
    }
}

Result<nlohmann::ordered_json> ControlClient::read_answer(const std::string& line) {
    auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("ok") || !json["ok"].is_boolean()) {
        return Error{ErrorCode::kInvalidData, "the daemon's answer cannot be read"};
    }
    if (!json["ok"].get<bool>()) {
        return Error{ErrorCode::kInvalidArgument, json.value("error", "refused")};
    }
    return json.contains("result") ? json["result"] : nlohmann::ordered_json(nullptr);
}

Result<nlohmann::ordered_json> ControlClient::ask(const std::string& request) {
    if (auto sent = send(request); !sent) {
        return sent.error();
    }
    auto line = next_line(kAnswerWait);
    if (!line) {
        return line.error();
    }
    if (!*line) {
        return Error{ErrorCode::kUnavailable, "the daemon does not answer"};
    }
    return read_answer(**line);
}

}  // namespace meshnet::apps
