// SPDX-License-Identifier: GPL-3.0-or-later
// What clients of the control socket get: answers, repeated status, and the host of a station without TUN.
#pragma once

#include <poll.h>

#include <chrono>
#include <functional>
#include <map>
#include <vector>

#include "station/control/control_server.hpp"

namespace meshnet::station {

/// Answers the requests of a ControlServer's clients. One thread, the daemon's.
class ControlService {
public:
    using WallClock = std::chrono::steady_clock;
    /// What the service may do with the station. All must be set, but set_inhibited and payment.
    struct Station {
        std::function<ViewContext()> context;          ///< for views; host_attached and limit are filled in here
        std::function<void(ByteView)> send_packet;     ///< the attached host sends this IPv6 packet
        std::function<void(std::uint64_t)> set_price;  ///< msat per MiB
        std::function<void()> stop;                    ///< ends the daemon
        std::function<std::string()> attach_answer;    ///< JSON: address and MTU for an attached host
        std::function<std::string()> why_not_attach;   ///< empty: a host may attach
        std::function<bool(const net::Certificate&)> publish;  ///< false: nothing new
        std::function<void(bool)> set_inhibited = {};  ///< the transmit guard's switch; empty: there is no guard
        /// Does what an order asks; the answer, JSON text, may come later. Empty: this station has no ledger.
        std::function<void(const PaymentOrder&, std::function<void(Result<std::string>)>)> payment = {};
    };

    ControlService(ControlServer server, Station station);

    /// Appends what must be polled.
    void add_poll(std::vector<pollfd>& fds) const { server_.add_poll(fds); }
    /// Reads requests and answers them.
    void handle(const std::vector<pollfd>& fds);
    /// Repeats the status for those who watch it; notices that the host has gone. Call every 100 ms or so.
    void on_tick(WallClock::time_point wall);
    /// A packet for the attached host; dropped if there is none or it does not read.
    void deliver(const Bytes& packet);
    [[nodiscard]] bool host_attached() const { return host_ != 0; }

private:
    struct Watcher {
        std::chrono::milliseconds interval{};
        WallClock::time_point next;
    };
    void answer(ControlServer::ClientId client, const ControlRequest& request);
    void answer_view(ControlServer::ClientId client, const View& view, std::uint32_t limit);
    void answer_price(ControlServer::ClientId client, const ControlRequest& request);
    void attach(ControlServer::ClientId client);
    void pay(ControlServer::ClientId client, const PaymentOrder& order);

    ControlServer server_;
    Station station_;
    ControlServer::ClientId host_ = 0;  // the attached host, 0: none
    std::map<ControlServer::ClientId, Watcher> watchers_;
};

}  // namespace meshnet::station
