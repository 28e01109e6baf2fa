// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ptt_helper.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>

#include "host/text.hpp"

namespace meshnet::station {

namespace {

/// The helper's whole life: a byte in, the command, a byte out.
[[noreturn]] void serve(int socket, const std::string& command) {
    for (const int stop : {SIGINT, SIGTERM, SIGHUP}) {
        std::signal(stop, SIG_IGN);  // the daemon's last word to it is "rx"
    }
    if (socket > 3) {
        ::dup2(socket, 3);
        socket = 3;
    }
    ::close_range(4, ~0U, 0);
    ::fcntl(socket, F_SETFD, FD_CLOEXEC);
    for (;;) {
        std::uint8_t byte = 0;
        ssize_t n = 0;
        do {
            n = ::read(socket, &byte, 1);
        } while (n < 0 && errno == EINTR);
        if (n != 1) {
            ::_exit(0);  // the daemon has ended
        }
        byte = std::system((command + (byte != 0 ? " tx" : " rx")).c_str()) == 0 ? 1 : 0;
        if (::write(socket, &byte, 1) != 1) {
            ::_exit(0);
        }
    }
}

}  // namespace

Result<std::shared_ptr<PttHelper>> PttHelper::start(const std::string& command) {
    int ends[2] = {-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return host::system_error("no helper for ptt_command", errno);
    }
    host::UniqueFd ours{ends[0]};
    const host::UniqueFd theirs{ends[1]};
    const pid_t helper = ::fork();
    if (helper < 0) {
        return host::system_error("no helper for ptt_command", errno);
    }
    if (helper == 0) {
        serve(theirs.get(), command);
    }
    return std::shared_ptr<PttHelper>(new PttHelper(std::move(ours)));
}

bool PttHelper::run(bool transmit) {
    const std::lock_guard lock(mutex_);
    std::uint8_t byte = transmit ? 1 : 0;
    if (::send(socket_.get(), &byte, 1, MSG_NOSIGNAL) != 1) {
        return false;
    }
    ssize_t n = 0;
    do {
        n = ::recv(socket_.get(), &byte, 1, 0);
    } while (n < 0 && errno == EINTR);
    return n == 1 && byte == 1;
}

}  // namespace meshnet::station
