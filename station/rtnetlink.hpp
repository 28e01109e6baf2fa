// SPDX-License-Identifier: GPL-3.0-or-later
// The kernel's interfaces, IPv6 addresses and routes over rtnetlink (libmnl): asked, changed, and followed.
//
// Requests are answered by the kernel while they are sent; nothing here waits for another program. Failures are errno
// values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "net/node_id.hpp"
#include "station/ip_prefix.hpp"

struct mnl_socket;
struct nlmsghdr;

namespace meshnet::station {

class Rtnetlink {
public:
    struct Link {
        std::string name;
        bool up = false;
        unsigned mtu = 0;
    };
    /// A unicast route of the main table.
    struct Route {
        IpPrefix to;
        int interface = 0;  ///< 0: more than one
    };

    /// Two sockets: for requests, and for what changes.
    [[nodiscard]] static Result<Rtnetlink> open();

    /// Nothing if no interface has this index here; `error` is set if the kernel did not say.
    [[nodiscard]] std::optional<Link> link(int index, int& error);
    [[nodiscard]] bool has_address(int index, const net::Address& address, int& error);
    /// Of one interface, or of all if `index` is 0.
    [[nodiscard]] std::vector<Route> routes(int index, int& error);

    // 0 or an errno.
    [[nodiscard]] int set_link_up(int index, unsigned mtu);
    [[nodiscard]] int add_address(int index, const net::Address& address);
    /// `source` is what packets without one get; `congestion_control` is TCP's, "" for the system's own.
    [[nodiscard]] int add_route(int index, const IpPrefix& to, const net::Address& source,
                                const std::string& congestion_control);
    [[nodiscard]] int remove_route(int index, const IpPrefix& to);

    /// Readable when something has changed on some interface.
    [[nodiscard]] int fd() const noexcept;
    /// Takes what is there; true if it concerns this interface, or if some of it was lost.
    [[nodiscard]] bool take_changes(int index);

private:
    struct Close {
        void operator()(mnl_socket* socket) const noexcept;
    };
    using Socket = std::unique_ptr<mnl_socket, Close>;
    Rtnetlink(Socket requests, Socket changes) : requests_(std::move(requests)), changes_(std::move(changes)) {}
    /// Sends a request and reads its answers; 0 or an errno.
    [[nodiscard]] int ask(nlmsghdr* request, int (*each)(const nlmsghdr*, void*), void* data);

    Socket requests_, changes_;
    unsigned sequence_ = 0;
};

}  // namespace meshnet::station
