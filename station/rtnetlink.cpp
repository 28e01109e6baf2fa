// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/rtnetlink.hpp"

#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "host/text.hpp"

namespace meshnet::station {

namespace {

constexpr std::uint32_t kMetric = 1'024;  // what `ip -6 route add` gives

struct Attributes {
    static constexpr std::size_t N = 128;  // more than there are types
    std::array<const nlattr*, N> at{};

    explicit Attributes(const nlmsghdr* message, unsigned header) {
        mnl_attr_parse(
            message, header,
            [](const nlattr* attribute, void* data) {
                const std::size_t type = mnl_attr_get_type(attribute);
                auto& all = *static_cast<std::array<const nlattr*, N>*>(data);
                if (type < N) {
                    all[type] = attribute;
                }
                return MNL_CB_OK;
            },
            &at);
    }
    [[nodiscard]] std::uint32_t u32(std::size_t type, std::uint32_t otherwise) const {
        return at[type] != nullptr && mnl_attr_get_payload_len(at[type]) == 4 ? mnl_attr_get_u32(at[type]) : otherwise;
    }
    [[nodiscard]] std::optional<net::Address> address(std::size_t type) const {
        net::Address out{};
        if (at[type] == nullptr || mnl_attr_get_payload_len(at[type]) != out.size()) {
            return std::nullopt;
        }
        std::memcpy(out.data(), mnl_attr_get_payload(at[type]), out.size());
        return out;
    }
};

struct Request {
    alignas(nlmsghdr) std::array<char, 1'024> buffer{};
    nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());

    Request(std::uint16_t type, int flags) {
        header->nlmsg_type = type;
        header->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    }
    Request(const Request&) = delete;  // `header` points into it
    Request& operator=(const Request&) = delete;
    template <class T>
    T& body() {
        return *static_cast<T*>(mnl_nlmsg_put_extra_header(header, sizeof(T)));
    }
};

void put_route(Request& r, int index, const IpPrefix& to) {
    const std::uint16_t type = r.header->nlmsg_type;
    auto& body = r.body<rtmsg>();
    body.rtm_family = AF_INET6;
    body.rtm_dst_len = static_cast<unsigned char>(to.length);
    body.rtm_table = RT_TABLE_MAIN;
    body.rtm_protocol = type == RTM_NEWROUTE ? RTPROT_STATIC : RTPROT_UNSPEC;
    body.rtm_scope = type == RTM_NEWROUTE ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
    body.rtm_type = type == RTM_NEWROUTE ? RTN_UNICAST : RTN_UNSPEC;
    mnl_attr_put(r.header, RTA_DST, to.address.size(), to.address.data());
    mnl_attr_put_u32(r.header, RTA_OIF, static_cast<std::uint32_t>(index));
    mnl_attr_put_u32(r.header, RTA_PRIORITY, kMetric);
}

/// The interface a notification is about; 0: none.
int interface_of(const nlmsghdr* message) {
    switch (message->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
            return static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message))->ifi_index;
        case RTM_NEWADDR:
        case RTM_DELADDR:
            return static_cast<int>(static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message))->ifa_index);
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
            return static_cast<int>(Attributes(message, sizeof(rtmsg)).u32(RTA_OIF, 0));
        default:
            return 0;
    }
}

}  // namespace

void Rtnetlink::Close::operator()(mnl_socket* socket) const noexcept {
    mnl_socket_close(socket);
}

Result<Rtnetlink> Rtnetlink::open() {
    Socket requests(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
    Socket changes(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!requests || !changes || mnl_socket_bind(requests.get(), 0, MNL_SOCKET_AUTOPID) != 0 ||
        mnl_socket_bind(changes.get(), RTMGRP_LINK | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE, MNL_SOCKET_AUTOPID) != 0) {
        return host::system_error("no rtnetlink socket", errno);
    }
    int on = 1;  // the kernel filters dumps; where it cannot, each() does
    (void)mnl_socket_setsockopt(requests.get(), NETLINK_GET_STRICT_CHK, &on, sizeof on);
    return Rtnetlink(std::move(requests), std::move(changes));
}

int Rtnetlink::ask(nlmsghdr* request, int (*each)(const nlmsghdr*, void*), void* data) {
    request->nlmsg_seq = ++sequence_;
    if (mnl_socket_sendto(requests_.get(), request, request->nlmsg_len) < 0) {
        return errno;
    }
    std::vector<char> buffer(32'768);
    for (;;) {
        const ssize_t n = mnl_socket_recvfrom(requests_.get(), buffer.data(), buffer.size());
        if (n < 0) {
            if (errno == EINTR) {
                continue;
            }
            return errno;
        }
        const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(n), request->nlmsg_seq,
                                    mnl_socket_get_portid(requests_.get()), each, data);
        if (more == MNL_CB_ERROR) {
            if (errno == ESRCH || errno == EPROTO) {
                continue;  // of an earlier request that was given up
            }
            return errno;
        }
        if (more == MNL_CB_STOP) {
            return 0;
        }
    }
}

std::optional<Rtnetlink::Link> Rtnetlink::link(int index, int& error) {
    Request r(RTM_GETLINK, NLM_F_ACK);
    auto& body = r.body<ifinfomsg>();
    body.ifi_family = AF_UNSPEC;
    body.ifi_index = index;
    std::optional<Link> out;
    error = ask(
        r.header,
        [](const nlmsghdr* message, void* data) {
            const auto& info = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(message));
            const Attributes attributes(message, sizeof(ifinfomsg));
            Link found;
            if (attributes.at[IFLA_IFNAME] != nullptr) {
                found.name = mnl_attr_get_str(attributes.at[IFLA_IFNAME]);
            }
            found.up = (info.ifi_flags & IFF_UP) != 0;
            found.mtu = attributes.u32(IFLA_MTU, 0);
            *static_cast<std::optional<Link>*>(data) = std::move(found);
            return MNL_CB_OK;
        },
        &out);
    if (error == ENODEV) {
        error = 0;
    }
    return out;
}

bool Rtnetlink::has_address(int index, const net::Address& address, int& error) {
    struct Search {
        int index;
        const net::Address& address;
        bool found;
    } search{index, address, false};
    Request r(RTM_GETADDR, NLM_F_DUMP);
    auto& body = r.body<ifaddrmsg>();
    body.ifa_family = AF_INET6;
    body.ifa_index = static_cast<std::uint32_t>(index);
    error = ask(
        r.header,
        [](const nlmsghdr* message, void* data) {
            auto& s = *static_cast<Search*>(data);
            const auto& info = *static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
            const Attributes attributes(message, sizeof(ifaddrmsg));
            const auto own = attributes.at[IFA_LOCAL] != nullptr ? IFA_LOCAL : IFA_ADDRESS;
            s.found = s.found || (static_cast<int>(info.ifa_index) == s.index && attributes.address(own) == s.address);
            return MNL_CB_OK;
        },
        &search);
    if (error == ENODEV) {
        error = 0;
    }
    return search.found;
}

std::vector<Rtnetlink::Route> Rtnetlink::routes(int index, int& error) {
    Request r(RTM_GETROUTE, NLM_F_DUMP);
    auto& body = r.body<rtmsg>();
    body.rtm_family = AF_INET6;
    body.rtm_table = RT_TABLE_MAIN;
    if (index != 0) {
        mnl_attr_put_u32(r.header, RTA_OIF, static_cast<std::uint32_t>(index));
    }
    std::vector<Route> out;
    error = ask(
        r.header,
        [](const nlmsghdr* message, void* data) {
            const auto& info = *static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message));
            const Attributes attributes(message, sizeof(rtmsg));
            if (info.rtm_type != RTN_UNICAST || attributes.u32(RTA_TABLE, info.rtm_table) != RT_TABLE_MAIN) {
                return MNL_CB_OK;
            }
            Route route;
            route.to.address = attributes.address(RTA_DST).value_or(net::Address{});
            route.to.length = info.rtm_dst_len;
            route.interface = static_cast<int>(attributes.u32(RTA_OIF, 0));
            static_cast<std::vector<Route>*>(data)->push_back(route);
            return MNL_CB_OK;
        },
        &out);
    if (index != 0) {
        std::erase_if(out, [index](const Route& route) { return route.interface != index; });
        if (error == ENODEV) {
            error = 0;
        }
    }
    return out;
}

int Rtnetlink::set_link_up(int index, unsigned mtu) {
    Request r(RTM_NEWLINK, NLM_F_ACK);
    auto& body = r.body<ifinfomsg>();
    body.ifi_family = AF_UNSPEC;
    body.ifi_index = index;
    body.ifi_flags = IFF_UP;
    body.ifi_change = IFF_UP;
    mnl_attr_put_u32(r.header, IFLA_MTU, mtu);
    return ask(r.header, nullptr, nullptr);
}

int Rtnetlink::add_address(int index, const net::Address& address) {
    Request r(RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE);
    auto& body = r.body<ifaddrmsg>();
    body.ifa_family = AF_INET6;
    body.ifa_prefixlen = 128;
    body.ifa_flags = IFA_F_NODAD;
    body.ifa_scope = RT_SCOPE_UNIVERSE;
    body.ifa_index = static_cast<std::uint32_t>(index);
    mnl_attr_put(r.header, IFA_LOCAL, address.size(), address.data());
    mnl_attr_put(r.header, IFA_ADDRESS, address.size(), address.data());
    const int error = ask(r.header, nullptr, nullptr);
    return error == EEXIST ? 0 : error;
}

int Rtnetlink::add_route(int index, const IpPrefix& to, const net::Address& source,
                         const std::string& congestion_control) {
    Request r(RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE);
    put_route(r, index, to);
    mnl_attr_put(r.header, RTA_PREFSRC, source.size(), source.data());
    if (!congestion_control.empty()) {
        nlattr* metrics = mnl_attr_nest_start(r.header, RTA_METRICS);
        mnl_attr_put_strz(r.header, RTAX_CC_ALGO, congestion_control.c_str());
        mnl_attr_nest_end(r.header, metrics);
    }
    const int error = ask(r.header, nullptr, nullptr);
    return error == EEXIST ? 0 : error;
}

int Rtnetlink::remove_route(int index, const IpPrefix& to) {
    Request r(RTM_DELROUTE, NLM_F_ACK);
    put_route(r, index, to);
    const int error = ask(r.header, nullptr, nullptr);
    return error == ESRCH ? 0 : error;
}

int Rtnetlink::fd() const noexcept {
    return mnl_socket_get_fd(changes_.get());
}

bool Rtnetlink::take_changes(int index) {
    struct Search {
        int index;
        bool found;
    } search{index, false};
    std::vector<char> buffer(32'768);
    for (;;) {
        const ssize_t n = mnl_socket_recvfrom(changes_.get(), buffer.data(), buffer.size());
        if (n < 0 && (errno == EINTR || errno == ENOBUFS)) {
            search.found = search.found || errno == ENOBUFS;
            continue;
        }
        if (n <= 0) {
            return search.found;
        }
        (void)mnl_cb_run(
            buffer.data(), static_cast<std::size_t>(n), 0, 0,
            [](const nlmsghdr* message, void* data) {
                auto& s = *static_cast<Search*>(data);
                s.found = s.found || (s.index != 0 && interface_of(message) == s.index);
                return MNL_CB_OK;
            },
            &search);
    }
}

}  // namespace meshnet::station
