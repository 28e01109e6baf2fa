// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <deque>
#include <stdexcept>

#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "host/unix_socket.hpp"
#include "sim/air_protocol.hpp"
#include "sim/air_socket.hpp"

namespace meshnet::sim {
namespace {

constexpr std::size_t kReadBytes = 262'144;
constexpr int kReadsPerTurn = 16;          // one client cannot hold up the air
constexpr std::size_t kMaxStrangers = 16;  // connections that have not said who they are
constexpr std::size_t kMaxReportBytes = 1'048'576;
constexpr std::size_t kMaxEvents = 1'000;
constexpr std::size_t kNobody = static_cast<std::size_t>(-1);

struct Connection {
    host::UniqueFd socket;
    AirMessageStream in;
    Bytes out;
    std::size_t out_sent = 0;
    std::size_t station = kNobody;
    bool wants_room = false;  // epoll watches for EPOLLOUT
    bool closing = false;

    [[nodiscard]] std::size_t unsent() const { return out.size() - out_sent; }
};

std::string other_version(std::uint16_t client) {
    return "the client speaks version " + std::to_string(client) + " of the air protocol, this server " +
           std::to_string(kAirProtocolVersion) + "; use programs of one build";
}

}  // namespace

struct AirServer::Impl {
    Impl(const Options& o, Air::Config&& config)
        : options(o), air(std::move(config)), stats(air.config().stations.size()) {
        backlog_bytes = static_cast<std::size_t>(to_seconds(options.backlog) * air.config().sample_rate_hz *
                                                 static_cast<double>(sizeof(phy::Sample)));
    }
    ~Impl() {
        if (bound) {
            ::unlink(options.path.c_str());
        }
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void event(std::string line) {
        if (events.size() < kMaxEvents) {
            events.push_back(std::move(line));
        }
    }
    [[nodiscard]] std::string name(std::size_t station) const { return air.config().stations[station].name; }

    void accept_all();
    void read(Connection& c);
    void flush(Connection& c);
    void watch(Connection& c, bool room);
    void on_hello(Connection& c, const AirHello& hello);
    void on_inquiry(Connection& c, const AirInquiry& inquiry);
    void on_burst(Connection& c, const AirBurst& burst);
    void refuse(Connection& c, const std::string& why);
    void hand_reports();
    void sweep();  // takes leave of closed connections

    Options options;
    Air air;
    std::vector<StationStats> stats;
    host::UniqueFd listener, epoll;
    bool bound = false;
    std::vector<std::unique_ptr<Connection>> connections;
    std::deque<std::string> events;
    std::size_t backlog_bytes = 0;
};

void AirServer::Impl::watch(Connection& c, bool room) {
    if (c.wants_room == room) {
        return;
    }
    epoll_event event{};
    event.events = EPOLLIN | (room ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    event.data.ptr = &c;
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_MOD, c.socket.get(), &event) == 0) {
        c.wants_room = room;
    }
}

void AirServer::Impl::accept_all() {
    for (std::size_t turn = 0; turn < kMaxStrangers; ++turn) {
        host::UniqueFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) {
            if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR && errno != ECONNABORTED) {
                event("cannot accept a connection: " + host::reason(errno));
            }
            return;
        }
        const auto strangers = std::count_if(connections.begin(), connections.end(),
                                             [](const auto& c) { return c->station == kNobody && !c->closing; });
        if (static_cast<std::size_t>(strangers) >= kMaxStrangers) {
            const auto oldest = std::find_if(connections.begin(), connections.end(),
                                             [](const auto& c) { return c->station == kNobody && !c->closing; });
            refuse(**oldest, "said nothing while others waited");
        }
        auto connection = std::make_unique<Connection>();
        epoll_event event_{};
        event_.events = EPOLLIN;
        event_.data.ptr = connection.get();
        if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket.get(), &event_) != 0) {
            event("cannot watch a connection: " + host::reason(errno));
            return;
        }
        connection->socket = std::move(socket);
        connections.push_back(std::move(connection));
    }
}

void AirServer::Impl::refuse(Connection& c, const std::string& why) {
    event((c.station == kNobody ? std::string("a client") : "station '" + name(c.station) + "'") + " refused: " + why);
    write_refused(c.out, why);
    flush(c);
    c.closing = true;
}

void AirServer::Impl::on_hello(Connection& c, const AirHello& hello) {
    if (c.station != kNobody) {
        return refuse(c, "a second hello");
    }
    if (hello.version != kAirProtocolVersion) {
        return refuse(c, other_version(hello.version));
    }
    const auto station = air.find_station(hello.station);
    if (!station) {
        std::string known;
        for (const AirStation& s : air.config().stations) {
            known += (known.empty() ? "" : ", ") + s.name;
        }
        // The name is the client's bytes: shown only if printable.
        const bool printable =
            std::all_of(hello.station.begin(), hello.station.end(), [](char ch) { return ch >= ' ' && ch <= '~'; });
        return refuse(c, "no station is called '" + (printable ? hello.station : std::string("?")) +
                             "' on this air; its stations are: " + known);
    }
    if (stats[*station].connected) {
        return refuse(c, "station '" + hello.station + "' is already connected; stop the other client first");
    }
    c.station = *station;
    stats[*station].connected = true;
    ++stats[*station].connections;
    write_welcome(c.out, {air.config().sample_rate_hz, air.config().carrier_hz, air.noise_power(*station),
                          air.local_index(*station), static_cast<std::uint32_t>(air.shortest_lead(*station))});
    flush(c);
    event("station '" + hello.station + "' connected at its sample " + std::to_string(air.local_index(*station)));
}

void AirServer::Impl::on_inquiry(Connection& c, const AirInquiry& inquiry) {
    if (c.station != kNobody) {
        return refuse(c, "an inquiry after the hello");
    }
    if (inquiry.version != kAirProtocolVersion) {
        return refuse(c, other_version(inquiry.version));
    }
    AirListing listing{air.config().sample_rate_hz, air.config().carrier_hz, {}};
    for (std::size_t s = 0; s < stats.size(); ++s) {
        listing.stations.push_back({name(s), stats[s].connected});
    }
    write_listing(c.out, listing);
    flush(c);
    c.closing = true;
}

void AirServer::Impl::on_burst(Connection& c, const AirBurst& burst) {
    if (c.station == kNobody) {
        return refuse(c, "a burst before the hello");
    }
    const std::uint64_t now = air.local_index(c.station);
    const AirVerdict verdict = air.transmit(c.station, burst.id, burst.at, burst.samples);
    if (verdict != AirVerdict::kAccepted) {
        const bool late = verdict == AirVerdict::kLate;
        const std::uint64_t due = now + air.shortest_lead(c.station);
        event("station '" + name(c.station) + "': burst not sent: " + std::string(to_string(verdict)) +
              (late && burst.at < due ? " by " + std::to_string(due - burst.at) + " samples" : ""));
    }
}

void AirServer::Impl::read(Connection& c) {
    for (int turn = 0; turn < kReadsPerTurn && !c.closing; ++turn) {
        const auto room = c.in.room(kReadBytes);
        const ssize_t n = ::recv(c.socket.get(), room.data(), room.size(), MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return;
        }
        if (n <= 0) {
            if (c.station != kNobody) {
                event("station '" + name(c.station) + "' disconnected");
            }
            c.closing = true;
            return;
        }
        c.in.commit(static_cast<std::size_t>(n));
        while (!c.closing) {
            const auto message = c.in.next();
            if (!message) {
                break;
            }
            const auto parsed = parse_client_message(*message);
            if (!parsed) {
                refuse(c, parsed.error().message);
            } else if (const auto* hello = std::get_if<AirHello>(&*parsed)) {
                on_hello(c, *hello);
            } else if (const auto* inquiry = std::get_if<AirInquiry>(&*parsed)) {
                on_inquiry(c, *inquiry);
            } else if (const auto* burst = std::get_if<AirBurst>(&*parsed)) {
                on_burst(c, *burst);
            }
        }
        if (c.in.failed() && !c.closing) {
            refuse(c, "not a message of the air protocol");
        }
    }
}

void AirServer::Impl::flush(Connection& c) {
    while (c.unsent() > 0 && !c.closing) {
        const ssize_t n = ::send(c.socket.get(), c.out.data() + c.out_sent, c.unsent(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            c.out_sent += static_cast<std::size_t>(n);
            continue;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            if (c.station != kNobody) {
                event("station '" + name(c.station) + "' disconnected");
            }
            c.closing = true;
        }
        break;
    }
    if (c.unsent() == 0) {
        c.out.clear();
        c.out_sent = 0;
    } else if (c.out_sent > kReadBytes) {
        c.out.erase(c.out.begin(), c.out.begin() + static_cast<std::ptrdiff_t>(c.out_sent));
        c.out_sent = 0;
    }
    if (!c.closing) {
        watch(c, c.unsent() > 0);
    }
}

void AirServer::Impl::sweep() {
    std::erase_if(connections, [this](const auto& c) {
        if (c->closing && c->station != kNobody) {
            stats[c->station].connected = false;
        }
        return c->closing;
    });
}

void AirServer::Impl::hand_reports() {
    std::vector<Connection*> of_station(stats.size(), nullptr);
    for (const auto& c : connections) {
        if (c->station != kNobody && !c->closing) {
            of_station[c->station] = c.get();
        }
    }
    for (std::size_t s = 0; s < of_station.size(); ++s) {
        Connection* const c = of_station[s];
        bool any = false;
        while (const auto report = air.poll_report(s)) {
            if (c != nullptr) {
                write_report(c->out, *report);
                any = true;
            }
        }
        if (any && c->unsent() > backlog_bytes + kMaxReportBytes) {
            refuse(*c, "sends but does not read");
        } else if (any) {
            flush(*c);
        }
    }
}

AirServer::AirServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AirServer::~AirServer() = default;
AirServer::AirServer(AirServer&&) noexcept = default;
AirServer& AirServer::operator=(AirServer&&) noexcept = default;

Result<AirServer> AirServer::listen(const Options& options, Air::Config config) {
    if (options.backlog < 1ms || options.backlog > 10s) {
        return Error{ErrorCode::kInvalidArgument, "the backlog must be within 1 ms..10 s"};
    }
    std::unique_ptr<Impl> impl;
    try {
        impl = std::make_unique<Impl>(options, std::move(config));
    } catch (const std::invalid_argument& error) {
        return Error{ErrorCode::kInvalidArgument, error.what()};
    }
    auto listener =
        host::listen_unix(options.path, {"air socket", "air server", 0777, static_cast<int>(kMaxStrangers)});
    if (!listener) {
        return listener.error();
    }
    impl->listener = std::move(listener).value();
    impl->bound = true;
    impl->epoll = host::UniqueFd(::epoll_create1(EPOLL_CLOEXEC));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = nullptr;
    if (!impl->epoll || ::epoll_ctl(impl->epoll.get(), EPOLL_CTL_ADD, impl->listener.get(), &event) != 0) {
        return host::system_error("cannot wait for clients", errno);
    }
    return AirServer(std::move(impl));
}

int AirServer::fd() const noexcept {
    return impl_->epoll.get();
}

void AirServer::exchange() {
    Impl& it = *impl_;
    std::array<epoll_event, 64> ready{};
    const int n = ::epoll_wait(it.epoll.get(), ready.data(), static_cast<int>(ready.size()), 0);
    bool newcomers = false;
    for (int i = 0; i < n; ++i) {
        const epoll_event& event = ready[static_cast<std::size_t>(i)];
        auto* const connection = static_cast<Connection*>(event.data.ptr);
        if (connection == nullptr) {
            newcomers = true;
            continue;
        }
        if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0U) {
            it.read(*connection);
        }
        if ((event.events & EPOLLOUT) != 0U) {
            it.flush(*connection);
        }
    }
    it.hand_reports();
    it.sweep();  // those who left make room for those who come
    if (newcomers) {
        it.accept_all();
        it.sweep();
    }
}

void AirServer::advance(Duration step) {
    assert(step >= 0s && step <= 1s);
    Impl& it = *impl_;
    it.air.advance(step);
    for (const auto& c : it.connections) {
        if (c->station == kNobody || c->closing) {
            continue;
        }
        const Air::Reception heard = it.air.received(c->station);
        if (heard.samples.empty()) {
            continue;
        }
        if (c->unsent() > it.backlog_bytes) {
            it.stats[c->station].samples_lost += heard.samples.size();
        } else {
            write_samples(c->out, heard.first_index, heard.samples);
        }
        it.flush(*c);
    }
    it.hand_reports();
    it.sweep();
}

std::optional<std::string> AirServer::poll_event() {
    if (impl_->events.empty()) {
        return std::nullopt;
    }
    std::string line = std::move(impl_->events.front());
    impl_->events.pop_front();
    return line;
}

const Air& AirServer::air() const noexcept {
    return impl_->air;
}

const AirServer::StationStats& AirServer::stats(std::size_t station) const noexcept {
    assert(station < impl_->stats.size());
    return impl_->stats[station];
}

}  // namespace meshnet::sim
