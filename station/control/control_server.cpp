// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/control_server.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "host/unix_socket.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kMaxClients = 16;
constexpr std::size_t kMaxBacklog = 2 << 20;

}  // namespace

Result<ControlServer> ControlServer::listen(const std::string& path) {
    auto listener = host::listen_unix(path, {"control socket", "meshnetd", 0600, 8, true});
    if (!listener) {
        return listener.error();
    }
    return ControlServer{std::move(listener).value(), path};
}

ControlServer::ControlServer(ControlServer&&) noexcept = default;

ControlServer::~ControlServer() {
    if (listener_) {
        ::unlink(path_.c_str());
    }
}

void ControlServer::add_poll(std::vector<pollfd>& fds) const {
    fds.push_back({listener_.get(), POLLIN, 0});
    for (const auto& [id, client] : clients_) {
        const short events = static_cast<short>((client.closing ? 0 : POLLIN) | (client.out.empty() ? 0 : POLLOUT));
        fds.push_back({client.fd.get(), events, 0});
    }
}

std::vector<ControlServer::Incoming> ControlServer::handle(const std::vector<pollfd>& fds) {
    std::vector<Incoming> out;
    const auto ready = [&](int fd) -> short {
        const auto at = std::find_if(fds.begin(), fds.end(), [&](const pollfd& p) { return p.fd == fd; });
        return at == fds.end() ? static_cast<short>(0) : at->revents;
    };
    for (auto it = clients_.begin(); it != clients_.end();) {
        auto& [id, client] = *it;
        const short events = ready(client.fd.get());
        if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !client.closing) {
            read_from(id, client, out);
        }
        const bool connected_still = client.out.empty() || flush(client);
        if (!connected_still || (client.closing && client.out.empty()) || (events & POLLERR) != 0) {
            it = clients_.erase(it);
        } else {
            ++it;
        }
    }
    if ((ready(listener_.get()) & POLLIN) != 0) {
        accept_all();
    }
    return out;
}

void ControlServer::accept_all() {
    while (true) {
        host::UniqueFd fd{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!fd) {
            return;
        }
        if (clients_.size() < kMaxClients) {
            clients_[next_id_++].fd = std::move(fd);
        } else {
            const std::string line = control_error({ErrorCode::kLimit, "too many control connections"});
            (void)::send(fd.get(), line.data(), line.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        }
    }
}

void ControlServer::read_from(ClientId id, Client& client, std::vector<Incoming>& out) {
    char buffer[16'384];
    const ssize_t n = ::recv(client.fd.get(), buffer, sizeof buffer, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        client.closing = true;
        client.out.clear();
        return;
    }
    client.in.append(buffer, n > 0 ? static_cast<std::size_t>(n) : 0);
    std::size_t begin = 0;
    for (std::size_t end = client.in.find('\n'); end != std::string::npos; end = client.in.find('\n', begin)) {
        out.push_back({id, parse_control_request(std::string_view(client.in).substr(begin, end - begin))});
        begin = end + 1;
    }
    client.in.erase(0, begin);
    if (client.in.size() > kMaxControlLine) {
        client.out +=
            control_error({ErrorCode::kLimit, "a request is at most " + std::to_string(kMaxControlLine) + " bytes"});
        client.in.clear();
        client.closing = true;
    }
}

bool ControlServer::flush(Client& client) {
    while (!client.out.empty()) {
        const ssize_t n = ::send(client.fd.get(), client.out.data(), client.out.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno == EAGAIN;
        }
        client.out.erase(0, static_cast<std::size_t>(n));
    }
    return true;
}

bool ControlServer::send(ClientId id, const std::string& line) {
    const auto it = clients_.find(id);
    if (it == clients_.end() || it->second.closing) {
        return false;
    }
    it->second.out += line;
    if (it->second.out.size() > kMaxBacklog || !flush(it->second)) {
        it->second.out.clear();
        it->second.closing = true;
        return false;
    }
    return true;
}

std::size_t ControlServer::backlog(ClientId id) const {
    const auto it = clients_.find(id);
    return it == clients_.end() ? 0 : it->second.out.size();
}

bool ControlServer::connected(ClientId id) const {
    const auto it = clients_.find(id);
    return it != clients_.end() && !it->second.closing;
}

}  // namespace meshnet::station
