// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/tun.hpp"
#include "host/text.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <linux/ipv6_route.h>
#include <linux/route.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace meshnet::station {

namespace {

Error step_failed(const std::string& name, const std::string& step, int error) {
    std::string hint;
    if (error == EPERM || error == EACCES) {
        hint = "; run as root or with CAP_NET_ADMIN, or set enabled = false in [tun]";
    } else if (error == EBUSY) {
        hint = "; another program holds the interface: give [tun] name another value";
    } else if (error == ENOENT || error == ENODEV) {
        hint = "; the kernel has no TUN here: modprobe tun, or set enabled = false in [tun]";
    }
    return Error{host::code_of(error), "TUN interface " + name + ": " + step + ": " + host::reason(error) + hint};
}

ifreq request_for(const std::string& name) {
    ifreq request{};
    std::memcpy(request.ifr_name, name.data(), std::min(name.size(), sizeof request.ifr_name - 1));
    return request;
}

}  // namespace

Result<Tun> Tun::open(const std::string& name, const net::Address& address, unsigned mtu) {
    host::UniqueFd fd{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (!fd) {
        return step_failed(name, "opening /dev/net/tun", errno);
    }
    ifreq request = request_for(name);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        return step_failed(name, "making it", errno);
    }
    // Link-local addresses have no use here, and their solicitations would be packets nobody asked for.
    const std::string knob = "/proc/sys/net/ipv6/conf/" + name + "/addr_gen_mode";
    if (const host::UniqueFd mode{::open(knob.c_str(), O_WRONLY | O_CLOEXEC)}) {
        (void)!::write(mode.get(), "1", 1);
    }
    const host::UniqueFd control{::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    if (!control) {
        return step_failed(name, "no IPv6 in this kernel or namespace", errno);
    }
    request = request_for(name);
    request.ifr_mtu = static_cast<int>(mtu);
    if (::ioctl(control.get(), SIOCSIFMTU, &request) != 0) {
        return step_failed(name, "setting its MTU", errno);
    }
    request = request_for(name);
    if (::ioctl(control.get(), SIOCGIFFLAGS, &request) != 0) {
        return step_failed(name, "reading its flags", errno);
    }
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP | IFF_RUNNING);
    if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) {
        return step_failed(name, "bringing it up", errno);
    }
    request = request_for(name);
    if (::ioctl(control.get(), SIOCGIFINDEX, &request) != 0) {
        return step_failed(name, "reading its index", errno);
    }
    const int index = request.ifr_ifindex;
    in6_ifreq assign{};
    std::memcpy(&assign.ifr6_addr, address.data(), address.size());
    assign.ifr6_prefixlen = 128;
    assign.ifr6_ifindex = index;
    if (::ioctl(control.get(), SIOCSIFADDR, &assign) != 0) {
        return step_failed(name, "giving it the address " + net::to_string(address), errno);
    }
    in6_rtmsg route{};
    route.rtmsg_dst.s6_addr[0] = 0xfd;
    route.rtmsg_dst_len = 8;
    route.rtmsg_metric = 1024;
    route.rtmsg_flags = RTF_UP;
    route.rtmsg_ifindex = index;
    if (::ioctl(control.get(), SIOCADDRT, &route) != 0 && errno != EEXIST) {
        return step_failed(name, "adding the route fd00::/8", errno);
    }
    return Tun{std::move(fd)};
}

std::optional<Bytes> Tun::read() {
    Bytes packet(2'048);
    const ssize_t n = ::read(fd_.get(), packet.data(), packet.size());
    if (n <= 0) {
        return std::nullopt;
    }
    packet.resize(static_cast<std::size_t>(n));
    return packet;
}

bool Tun::write(ByteView packet) {
    return ::write(fd_.get(), packet.data(), packet.size()) == static_cast<ssize_t>(packet.size());
}

}  // namespace meshnet::station
