// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/control_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

namespace meshnet::station {

namespace {

constexpr std::size_t kMaxClients = 16;
constexpr std::size_t kMaxBacklog = 2 << 20;

std::string reason(int error) {
    return std::error_code(error, std::generic_category()).message();
}

host::UniqueFd stream_socket() {
    return host::UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

// A name of this process in the folder of `path` and no longer than a socket's path may be; nothing if the folder's
// own name takes the room.
std::optional<std::string> temporary_name(const std::string& path) {
    char ending[8];  // '.' and up to six hexadecimal digits
    std::snprintf(ending, sizeof ending, ".%x", static_cast<unsigned>(::getpid()) & 0xFF'FFFFU);
    const std::string start = path.substr(0, kMaxPath + 1 - sizeof ending);
    if (path.find('/', start.size()) != std::string::npos) {
        return std::nullopt;
    }
    return start + ending;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), std::min(path.size(), sizeof address.sun_path - 1));
    return address;
}

// sockaddr_un as the kernel calls want it.
const sockaddr* generic(const sockaddr_un& a) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&a));
}

// Makes room at `path`: nothing there is fine, a socket that nobody listens at is removed. Anything else stays.
Status remove_stale(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) {
        return Ok{};  // if it is worse than absent, bind() says so
    }
    if (!S_ISSOCK(about.st_mode)) {  // connect() refuses a plain file with the same error as a dead socket
        return Error{"control socket " + path + ": a file that is no socket is there; choose another path"};
    }
    const sockaddr_un address = address_of(path);
    const host::UniqueFd probe = stream_socket();
    if (::connect(probe.get(), generic(address), sizeof address) == 0 || errno == EAGAIN) {
        return Error{"control socket " + path + " is in use by another meshnetd"};
    }
    if (errno == ECONNREFUSED) {
        ::unlink(path.c_str());  // left by a daemon that was killed
    }
    return Ok{};
}

// Gives a name to what has another, unless the new one is taken.
bool move_to_free_name(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    // A file system without the flag: two daemons started in the same microsecond are then not told apart.
    return (errno == EINVAL || errno == ENOSYS) && ::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

Result<ControlServer> ControlServer::listen(const std::string& path) {
    if (path.empty() || path.size() > kMaxPath || path.find('\0') != std::string::npos) {
        return Error{"control socket " + path + ": a path of 1 to " + std::to_string(kMaxPath) +
                     " characters is needed"};
    }
    // Bound under a temporary name and moved to the path when it listens: whoever sees the path is let in.
    const auto temporary = temporary_name(path);
    if (!temporary) {
        return Error{"control socket " + path + ": its folder's name is too long; choose one of at most 99 characters"};
    }
    if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
        ::mkdir(folder.c_str(), 0755);  // if it cannot be made, bind() says why
    }
    for (const std::string& name : {path, *temporary}) {
        if (const auto free = remove_stale(name); !free) {
            return free.error();
        }
    }
    const auto cannot = [&](int error) {
        return Error{"control socket " + path + " cannot be made: " + reason(error)};
    };
    const sockaddr_un address = address_of(*temporary);
    host::UniqueFd listener = stream_socket();
    const mode_t before = ::umask(0177);
    const bool bound = listener && ::bind(listener.get(), generic(address), sizeof address) == 0;
    const int error = errno;
    ::umask(before);
    if (!bound) {
        return cannot(error);
    }
    if (::listen(listener.get(), 8) != 0 || !move_to_free_name(*temporary, path)) {
        const int why = errno;
        ::unlink(temporary->c_str());
        return why == EEXIST ? Error{"control socket " + path + " is in use by another meshnetd"} : cannot(why);
    }
    return ControlServer{std::move(listener), path};
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
        const bool alive = client.out.empty() || flush(client);
        if (!alive || (client.closing && client.out.empty()) || (events & POLLERR) != 0) {
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
            const std::string line = control_error("too many control connections");
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
        client.out += control_error("a request is at most " + std::to_string(kMaxControlLine) + " bytes");
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
