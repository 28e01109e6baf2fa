// SPDX-License-Identifier: MIT
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>

#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "host/unix_socket.hpp"
#include "sim/air_protocol.hpp"
#include "sim/air_socket.hpp"

namespace meshnet::sim {
namespace {

constexpr std::size_t kReadBytes = 262'144;
constexpr int kReadsPerCall = 64;
constexpr int kWriteWaitMs = 20;  // the server always reads: a full socket clears at once
constexpr std::size_t kMaxUnsentBytes = std::size_t{64} << 20U;

}  // namespace

struct AirClient::Impl {
    std::string path;
    host::UniqueFd socket, wake, waiter;
    AirWelcome welcome;  // rate 0: none yet
    std::optional<AirListing> listing;
    AirMessageStream in;
    Bytes out;
    std::size_t out_sent = 0;
    std::deque<Reception> ready;  // one for each run of samples without a gap
    std::string gone;             // why there will be no more
    bool drained = false;         // the socket had no more when it was last read
    bool signalled = false;       // `wake` is readable

    [[nodiscard]] Error closed() const { return Error{ErrorCode::kUnavailable, "air server at " + path + ": " + gone}; }

    static Result<std::unique_ptr<Impl>> dial(const std::string& path);
    Status wait_for_answer();

    /// Sends what is queued, waiting at most `wait_ms` for room.
    Status flush(int wait_ms) {
        while (out_sent < out.size()) {
            const ssize_t n =
                ::send(socket.get(), out.data() + out_sent, out.size() - out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) {
                out_sent += static_cast<std::size_t>(n);
            } else if (n < 0 && errno == EINTR) {
                continue;
            } else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                pollfd room{socket.get(), POLLOUT, 0};
                if (::poll(&room, 1, wait_ms) <= 0) {
                    return Ok{};
                }
            } else {
                return host::system_error("air server at " + path + ": cannot send", errno);
            }
        }
        out.clear();
        out_sent = 0;
        return Ok{};
    }

    /// In one move: vectors of complex numbers grow and copy number by number, which a station does all day.
    static void append(std::vector<phy::Sample>& to, const std::vector<phy::Sample>& more) {
        const std::size_t size = to.size();
        if (to.capacity() < size + more.size()) {
            std::vector<phy::Sample> larger;
            larger.reserve(4 * (size + more.size()));
            larger.resize(size + more.size());
            std::memcpy(static_cast<void*>(larger.data()), to.data(), size * sizeof(phy::Sample));
            to.swap(larger);
        } else {
            to.resize(size + more.size());
        }
        std::memcpy(static_cast<void*>(to.data() + size), more.data(), more.size() * sizeof(phy::Sample));
    }

    void take(AirSamples&& samples) {
        Reception* last = ready.empty() ? nullptr : &ready.back();
        if (last != nullptr && !last->samples.empty() &&
            last->first_index + last->samples.size() != samples.first_index) {
            last = nullptr;
        }
        if (last == nullptr) {
            ready.emplace_back();
            last = &ready.back();
        }
        if (last->samples.empty()) {
            last->first_index = samples.first_index;
            last->samples = std::move(samples.samples);
        } else {
            append(last->samples, samples.samples);
        }
    }

    /// Reads what there is, without waiting. Sets `gone` at the end of the stream.
    void read_all() {
        drained = false;
        for (int reads = 0; reads < kReadsPerCall && gone.empty(); ++reads) {
            const auto room = in.room(kReadBytes);
            const ssize_t n = ::recv(socket.get(), room.data(), room.size(), MSG_DONTWAIT);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
                drained = true;
                return;
            }
            if (n <= 0) {
                gone = n == 0 ? "closed the connection" : "cannot receive: " + host::reason(errno);
                return;
            }
            in.commit(static_cast<std::size_t>(n));
            parse();
            if (static_cast<std::size_t>(n) < room.size()) {
                drained = true;  // what came meanwhile makes fd() readable again
                return;
            }
        }
    }

    void parse() {
        while (const auto message = in.next()) {
            auto parsed = parse_server_message(*message);
            if (!parsed) {
                gone = "broke the protocol: " + parsed.error().message;
                return;
            }
            if (auto* samples = std::get_if<AirSamples>(&*parsed)) {
                take(std::move(*samples));
            } else if (const auto* report = std::get_if<AirTxReport>(&*parsed)) {
                if (ready.empty()) {
                    ready.emplace_back();
                }
                ready.back().reports.push_back(*report);
            } else if (const auto* refused = std::get_if<AirRefused>(&*parsed)) {
                gone = refused->why;
                return;
            } else if (const auto* answer = std::get_if<AirWelcome>(&*parsed)) {
                welcome = *answer;
            } else if (auto* stations = std::get_if<AirListing>(&*parsed)) {
                listing = std::move(*stations);
            }
        }
        if (in.failed()) {
            gone = "broke the protocol: no message of ours";
        }
    }

    /// Keeps fd() readable while something is left to hand out.
    void signal() {
        const bool left = !ready.empty() || !gone.empty();
        if (left == signalled) {
            return;
        }
        std::uint64_t count = 1;
        (void)!(left ? ::write(wake.get(), &count, sizeof count) : ::read(wake.get(), &count, sizeof count));
        signalled = left;
    }
};

AirClient::AirClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AirClient::~AirClient() = default;
AirClient::AirClient(AirClient&&) noexcept = default;
AirClient& AirClient::operator=(AirClient&&) noexcept = default;

Result<std::unique_ptr<AirClient::Impl>> AirClient::Impl::dial(const std::string& path) {
    auto socket = host::connect_unix(path, "air socket");
    if (!socket) {
        Error error = socket.error();
        if (error.code == ErrorCode::kNotFound || error.code == ErrorCode::kUnavailable) {
            error.message =
                "no air server listens at " + path + "; start one with: meshnet-air --config FILE --socket " + path;
        }
        return error;
    }
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    impl->socket = std::move(socket).value();
    return impl;
}

Status AirClient::Impl::wait_for_answer() {
    if (auto sent = flush(kWriteWaitMs); !sent) {
        return sent.error();
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    const auto answered = [this] { return welcome.sample_rate_hz != 0.0 || listing; };
    while (!answered() && gone.empty()) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()).count();
        pollfd answer{socket.get(), POLLIN, 0};
        if (left <= 0 || ::poll(&answer, 1, static_cast<int>(left)) == 0) {
            gone = "did not answer within 3 s";
            break;
        }
        read_all();
    }
    if (!answered()) {
        return closed();
    }
    return Ok{};
}

Result<AirListing> AirClient::list(const std::string& path) {
    auto impl = Impl::dial(path);
    if (!impl) {
        return impl.error();
    }
    write_inquiry((*impl)->out);
    if (auto answered = (*impl)->wait_for_answer(); !answered) {
        return answered.error();
    }
    return (*impl)->listing ? Result<AirListing>(*(*impl)->listing)
                            : Error{ErrorCode::kInvalidData, "air server at " + path + " did not list its stations"};
}

Result<AirClient> AirClient::connect(const std::string& path, const std::string& station) {
    if (station.empty() || station.size() > 64) {
        return Error{ErrorCode::kInvalidArgument, "an air station's name has 1 to 64 characters"};
    }
    auto dialled = Impl::dial(path);
    if (!dialled) {
        return dialled.error();
    }
    auto impl = std::move(dialled).value();
    impl->wake = host::UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    impl->waiter = host::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    if (!impl->wake || !impl->waiter) {
        return host::system_error("cannot wait for a socket", errno);
    }
    for (const int fd : {impl->socket.get(), impl->wake.get()}) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = fd;
        if (::epoll_ctl(impl->waiter.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
            return host::system_error("cannot wait for a socket", errno);
        }
    }
    const int wanted = 4 << 20U;  // the kernel grants less; larger bursts then take more writes
    (void)::setsockopt(impl->socket.get(), SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
    write_hello(impl->out, station);
    if (auto answered = impl->wait_for_answer(); !answered) {
        return answered.error();
    }
    if (impl->welcome.sample_rate_hz == 0.0) {
        return Error{ErrorCode::kInvalidData, "air server at " + path + " did not welcome the station"};
    }
    impl->signal();
    return AirClient(std::move(impl));
}

double AirClient::sample_rate_hz() const noexcept {
    return impl_->welcome.sample_rate_hz;
}
double AirClient::carrier_hz() const noexcept {
    return impl_->welcome.carrier_hz;
}
double AirClient::noise_power() const noexcept {
    return impl_->welcome.noise_power;
}
std::uint64_t AirClient::shortest_lead() const noexcept {
    return impl_->welcome.shortest_lead;
}
std::uint64_t AirClient::first_index() const noexcept {
    return impl_->welcome.index;
}
int AirClient::fd() const noexcept {
    return impl_->waiter.get();
}

Result<AirClient::Reception> AirClient::receive() {
    Impl& it = *impl_;
    if (it.out_sent < it.out.size()) {
        if (auto sent = it.flush(0); !sent && it.gone.empty()) {
            it.gone = "closed the connection";
        }
    }
    it.read_all();
    if (it.ready.empty()) {
        if (!it.gone.empty()) {
            return it.closed();
        }
        it.signal();
        return Reception{};
    }
    Reception first = std::move(it.ready.front());
    it.ready.pop_front();
    it.signal();
    first.more = !it.ready.empty() || !it.gone.empty() || !it.drained;
    return first;
}

Status AirClient::transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) {
    Impl& it = *impl_;
    if (burst.empty() || burst.size() > Air::kMaxBurstSamples) {
        return Error{ErrorCode::kInvalidArgument, "a burst has 1 to " + std::to_string(Air::kMaxBurstSamples) +
                                                      " samples, not " + std::to_string(burst.size())};
    }
    if (!it.gone.empty()) {
        return it.closed();
    }
    if (it.out.size() - it.out_sent + burst.size_bytes() > kMaxUnsentBytes) {
        return Error{ErrorCode::kUnavailable, "air server at " + it.path + " does not take what is sent to it"};
    }
    write_burst(it.out, id, at, burst);
    return it.flush(kWriteWaitMs);
}

}  // namespace meshnet::sim
