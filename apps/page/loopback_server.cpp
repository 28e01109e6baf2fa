// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/loopback_server.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace meshnet::page {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kIdle = std::chrono::seconds(5);          // between two requests of a connection
constexpr auto kArrive = std::chrono::seconds(10);       // of a whole request
constexpr auto kTake = std::chrono::seconds(10);         // for a client to read on
constexpr auto kSlice = std::chrono::milliseconds(200);  // how soon stop_all() is noticed
constexpr int kMostRequests = 100;                       // of one connection

thread_local bool refuse_at_once = false;  // set by the queue that is full, around a job

/// A client's socket: buffered reads of bounded requests, each with a deadline.
class ClientStream final : public httplib::Stream {
public:
    ClientStream(socket_t socket, const std::atomic<bool>& stopping) : socket_(socket), stopping_(stopping) {}

    /// Waits for the first byte of a request. False: none came in time, or the server stops.
    bool begin_request() {
        taken_ = 0;
        deadline_ = Clock::now() + kIdle;
        if (at_ == end_ && !fill()) {
            return false;
        }
        deadline_ = Clock::now() + kArrive;
        return true;
    }
    [[nodiscard]] bool too_long() const noexcept { return taken_ >= kMaxRequestBytes; }

    bool is_readable() const override { return at_ < end_ || ready(POLLIN, Clock::now()); }
    bool is_writable() const override { return ready(POLLOUT, Clock::now()); }
    ssize_t read(char* to, std::size_t size) override {
        if (too_long() || (at_ == end_ && !fill())) {
            return -1;
        }
        const std::size_t n = std::min({size, end_ - at_, kMaxRequestBytes - taken_});
        std::copy_n(buffer_ + at_, n, to);
        at_ += n;
        taken_ += n;
        return static_cast<ssize_t>(n);
    }
    ssize_t write(const char* from, std::size_t size) override {
        const auto until = Clock::now() + kTake;
        for (std::size_t done = 0; done < size;) {
            if (!ready(POLLOUT, until)) {
                return -1;
            }
            const ssize_t n = ::send(socket_, from + done, size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n < 0 && errno != EAGAIN && errno != EINTR) {
                return -1;
            }
            done += n > 0 ? static_cast<std::size_t>(n) : 0;
        }
        return static_cast<ssize_t>(size);
    }
    void get_remote_ip_and_port(std::string& ip, int& port) const override {
        ip = "127.0.0.1";
        port = 0;
    }
    void get_local_ip_and_port(std::string& ip, int& port) const override { get_remote_ip_and_port(ip, port); }
    socket_t socket() const override { return socket_; }

private:
    [[nodiscard]] bool ready(short events, Clock::time_point until) const {
        while (!stopping_) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
            pollfd p{socket_, events, 0};
            const int n = ::poll(&p, 1, static_cast<int>(std::clamp<long>(left.count(), 0, kSlice.count())));
            if (n > 0) {
                return (p.revents & events) != 0;
            }
            if (left.count() <= 0) {
                return false;
            }
        }
        return false;
    }
    bool fill() {
        if (!ready(POLLIN, deadline_)) {
            return false;
        }
        const ssize_t n = ::recv(socket_, buffer_, sizeof buffer_, 0);
        at_ = 0;
        end_ = n > 0 ? static_cast<std::size_t>(n) : 0;
        return n > 0;
    }

    socket_t socket_;
    const std::atomic<bool>& stopping_;
    char buffer_[4'096];
    std::size_t at_ = 0, end_ = 0, taken_ = 0;
    Clock::time_point deadline_{};
};

/// So many threads; a job that finds the queue full is run at once, to be refused.
class BoundedQueue final : public httplib::TaskQueue {
public:
    BoundedQueue() {
        for (std::size_t i = 0; i < kMostClients; ++i) {
            threads_.emplace_back([this] { work(); });
        }
    }
    void enqueue(std::function<void()> job) override {
        {
            const std::lock_guard lock(mutex_);
            if (jobs_.size() < kMostWaiting) {
                jobs_.push_back(std::exchange(job, nullptr));
            }
        }
        if (job) {
            refuse_at_once = true;
            job();
            refuse_at_once = false;
        } else {
            added_.notify_one();
        }
    }
    void shutdown() override {
        {
            const std::lock_guard lock(mutex_);
            shutdown_ = true;
        }
        added_.notify_all();
        for (auto& thread : threads_) {
            thread.join();
        }
    }

private:
    void work() {
        while (true) {
            std::unique_lock lock(mutex_);
            added_.wait(lock, [&] { return shutdown_ || !jobs_.empty(); });
            if (jobs_.empty()) {
                return;
            }
            const auto job = std::move(jobs_.front());
            jobs_.pop_front();
            lock.unlock();
            job();
        }
    }

    std::mutex mutex_;
    std::condition_variable added_;
    std::deque<std::function<void()>> jobs_;
    std::vector<std::thread> threads_;
    bool shutdown_ = false;
};

void answer(socket_t socket, std::string_view status, std::string_view line) {
    const std::string text =
        "HTTP/1.1 " + std::string(status) +
        "\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: " + std::to_string(line.size()) +
        "\r\n\r\n" + std::string(line);
    (void)::send(socket, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/// Takes what the client still sends, a little, so that closing does not destroy the answer on its way.
void drain(socket_t socket) {
    ::shutdown(socket, SHUT_WR);
    char buffer[4'096];
    for (int i = 0; i < 64; ++i) {
        pollfd p{socket, POLLIN, 0};
        if (::poll(&p, 1, 50) <= 0 || ::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT) <= 0) {
            return;
        }
    }
}

}  // namespace

LoopbackServer::LoopbackServer() {
    new_task_queue = [] { return new BoundedQueue; };  // owned by the server
    // cpp-httplib's own options let another program of this user take the same port (SO_REUSEPORT).
    set_socket_options([](socket_t socket) {
        const int yes = 1;
        ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    set_payload_max_length(kMaxRequestBytes);
    set_tcp_nodelay(true);
}

Result<std::uint16_t> LoopbackServer::bind(std::uint16_t port) {
    errno = 0;
    if (port == 0) {
        const int any = bind_to_any_port("127.0.0.1");
        if (any > 0) {
            return static_cast<std::uint16_t>(any);
        }
    } else if (bind_to_port("127.0.0.1", port)) {
        return port;
    }
    const int why = errno;
    const std::string name = "port " + std::to_string(port) + " of 127.0.0.1";
    if (why == EACCES) {
        return Error{ErrorCode::kPermission, name + " is reserved for root: choose one above 1023 with --port"};
    }
    return Error{ErrorCode::kInUse, name + " is taken by another program; choose another with --port"};
}

void LoopbackServer::serve() {
    if (!stopping_) {
        (void)listen_after_bind();
    }
}

void LoopbackServer::stop_all() {
    stopping_ = true;
    stop();
}

bool LoopbackServer::process_and_close_socket(socket_t socket) {
    if (refuse_at_once) {
        answer(socket, "503 Service Unavailable", "too many clients\n");
        drain(socket);
        ::close(socket);
        return false;
    }
    ClientStream stream(socket, stopping_);
    bool done = false;
    for (int i = 1; i <= kMostRequests && !done && stream.begin_request(); ++i) {
        bool closed = false;
        done = !process_request(stream, i == kMostRequests, closed, nullptr) || closed;
        if (stream.too_long()) {
            done = true;
        }
    }
    drain(socket);
    ::close(socket);
    return true;
}

}  // namespace meshnet::page
