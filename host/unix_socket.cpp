// SPDX-License-Identifier: MIT
#include "host/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "host/text.hpp"

namespace meshnet::host {
namespace {

static_assert(sizeof(sockaddr_un::sun_path) == kMaxSocketPath + 1);

constexpr time_t kConnectSeconds = 5;

std::optional<sockaddr_un> address_of(const std::string& path) noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() > kMaxSocketPath || path.find('\0') != std::string::npos) {
        return std::nullopt;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Error bad_path(const std::string& what, const std::string& path) {
    return {ErrorCode::kInvalidArgument,
            what + " " + path + ": a path of 1 to " + std::to_string(kMaxSocketPath) + " characters is needed"};
}

// bind() and connect() want the general type.
const sockaddr* generic(const sockaddr_un& address) noexcept {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

UniqueFd stream_socket(int flags) {
    return UniqueFd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)};
}

// A name of this process in the folder of `path` and no longer than a socket's path may be; nothing if the folder's own
// name takes the room.
std::optional<std::string> temporary_name(const std::string& path) {
    char ending[8];  // '.' and up to six hexadecimal digits
    std::snprintf(ending, sizeof ending, ".%x", static_cast<unsigned>(::getpid()) & 0xFF'FFFFU);
    const std::string start = path.substr(0, kMaxSocketPath + 1 - sizeof ending);
    if (path.find('/', start.size()) != std::string::npos) {
        return std::nullopt;
    }
    return start + ending;
}

Error in_use(const std::string& path, const ListenOptions& o) {
    return {ErrorCode::kInUse,
            o.what + " " + path + " is in use by another " + o.server + "; stop it or choose another path"};
}

// Makes room at `path`: nothing there is fine, a socket that nobody listens at is removed. Anything else stays.
Status remove_stale(const std::string& path, const ListenOptions& o) {
    struct stat about {};
    const auto address = address_of(path);
    if (!address || ::lstat(path.c_str(), &about) != 0) {
        return Ok{};  // if it is worse than absent, bind() fails with the reason
    }
    if (!S_ISSOCK(about.st_mode)) {  // connect() refuses a plain file with the same error as a stale socket
        return Error{ErrorCode::kAlreadyExists,
                     o.what + " " + path + ": a file that is no socket is there; choose another path"};
    }
    const UniqueFd probe = stream_socket(SOCK_NONBLOCK);
    if (::connect(probe.get(), generic(*address), sizeof *address) == 0 || errno != ECONNREFUSED) {
        return in_use(path, o);
    }
    ::unlink(path.c_str());  // left by a server that was killed
    return Ok{};
}

// Gives a name to what has another, unless the new one is taken.
bool move_to_free_name(const std::string& from, const std::string& to) {
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
        return true;
    }
    // A file system without the flag: two servers started in the same microsecond are then not distinguished.
    return (errno == EINVAL || errno == ENOSYS) && ::rename(from.c_str(), to.c_str()) == 0;
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path, const ListenOptions& o) {
    if (!address_of(path)) {
        return bad_path(o.what, path);
    }
    const auto temporary = temporary_name(path);
    const auto address = temporary ? address_of(*temporary) : std::nullopt;
    if (!address) {
        return Error{ErrorCode::kInvalidArgument,
                     o.what + " " + path + ": its folder's name is too long; choose one of at most 99 characters"};
    }
    if (const auto folder = std::filesystem::path(path).parent_path(); o.make_folder && !folder.empty()) {
        ::mkdir(folder.c_str(), 0755);  // if it cannot be made, bind() fails with the reason
    }
    for (const std::string& name : {path, *temporary}) {
        if (const auto free = remove_stale(name, o); !free) {
            return free.error();
        }
    }
    const std::string cannot = o.what + " " + path + " cannot be made";
    UniqueFd listener = stream_socket(SOCK_NONBLOCK);
    const mode_t before = ::umask(0777 & ~o.mode);
    const bool bound = listener && ::bind(listener.get(), generic(*address), sizeof *address) == 0;
    const int error = errno;
    ::umask(before);
    if (!bound) {
        return system_error(cannot, error);
    }
    if (::listen(listener.get(), o.backlog) != 0 || !move_to_free_name(*temporary, path)) {
        const int why = errno;
        ::unlink(temporary->c_str());
        return why == EEXIST ? in_use(path, o) : system_error(cannot, why);
    }
    return listener;
}

Result<UniqueFd> connect_unix(const std::string& path, const std::string& what) {
    const auto address = address_of(path);
    if (!address) {
        return bad_path(what, path);
    }
    UniqueFd fd = stream_socket(0);
    // Also of connect(): it waits while the queue of a server that hangs is full.
    const timeval wait{kConnectSeconds, 0};
    if (!fd || ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) != 0) {
        return system_error(what + " " + path, errno);
    }
    if (::connect(fd.get(), generic(*address), sizeof *address) != 0) {
        return errno == EAGAIN ? Error{ErrorCode::kInUse, what + " " + path + ": its server does not answer"}
                               : system_error(what + " " + path + " cannot be reached", errno);
    }
    return fd;
}

}  // namespace meshnet::host
