// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/tun.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <spdlog/spdlog.h>

#include "host/text.hpp"

namespace meshnet::station {

namespace {

constexpr auto kQuiet = std::chrono::seconds(60);  // without trouble: the next repair is made at once again
constexpr const char* kDevice = "/dev/net/tun";

bool has_net_admin() {
    constexpr unsigned kNetAdmin = 12;  // CAP_NET_ADMIN of linux/capability.h
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("CapEff:")) {
            return (std::stoull(line.substr(7), nullptr, 16) >> kNetAdmin & 1) != 0;
        }
    }
    return true;
}

std::string sysctl_path(const std::string& interface, const char* knob) {
    return "/proc/sys/net/ipv6/conf/" + interface + "/" + knob;
}

int write_sysctl(const std::string& interface, const char* knob, char value) {
    const host::UniqueFd fd{::open(sysctl_path(interface, knob).c_str(), O_WRONLY | O_CLOEXEC)};
    return fd && ::write(fd.get(), &value, 1) == 1 ? 0 : errno;
}

std::string seconds_text(std::chrono::steady_clock::duration d) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
    return std::to_string(ms / 1'000) + "." + std::to_string(ms / 100 % 10) + " s";
}

}  // namespace

Error Tun::failed(const std::string& step, int error) const {
    std::string hint;
    if (error == EPERM || error == EACCES) {
        hint = has_net_admin()
                   ? "; CAP_NET_ADMIN is there, but a security policy or the owner of the network namespace "
                     "forbids it; or set enabled = false in [tun]"
                   : "; CAP_NET_ADMIN is missing: give it to meshnetd, or set enabled = false in [tun]";
    } else if (error == EOPNOTSUPP || error == EAFNOSUPPORT) {
        hint = "; this kernel runs without IPv6 (ipv6.disable=1?)";
    }
    return Error{host::code_of(error),
                 "TUN interface " + settings_.name + ": " + step + ": " + host::reason(error) + hint};
}

Result<std::unique_ptr<Tun>> Tun::open(Settings settings) {
    auto netlink = Rtnetlink::open();
    if (!netlink) {
        return netlink.error();
    }
    std::unique_ptr<Tun> tun(new Tun(std::move(settings), std::move(netlink).value()));
    if (auto made = tun->repair(); !made) {
        return made.error();
    }
    return tun;
}

Status Tun::open_device() {
    index_ = 0;
    device_ = host::UniqueFd{::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC)};
    if (!device_) {
        const int error = errno;
        const std::string what =
            "TUN interface " + settings_.name + ": opening " + kDevice + ": " + host::reason(error);
        const bool absent = error == ENOENT || error == ENODEV || error == ENXIO;
        return Error{host::code_of(error),
                     what +
                         (absent ? "; modprobe tun, or give the device to the container"
                                 : "; this user may not open it: its mode is 0666 as a rule, and a container's "
                                   "device rules must let it in") +
                         "; or set enabled = false in [tun]"};
    }
    ifreq request{};
    std::memcpy(request.ifr_name, settings_.name.data(), std::min(settings_.name.size(), sizeof request.ifr_name - 1));
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (::ioctl(device_.get(), TUNSETIFF, &request) != 0) {
        const int error = errno;
        device_.reset();
        if (error == EBUSY || error == EINVAL) {
            return Error{ErrorCode::kInUse, "TUN interface " + settings_.name + ": " +
                                                (error == EBUSY ? "another program holds it"
                                                                : "an interface of this name is there and is no TUN") +
                                                "; give [tun] name another value"};
        }
        return failed("making it", error);
    }
    index_ = static_cast<int>(::if_nametoindex(settings_.name.c_str()));
    return Ok{};
}

std::set<IpPrefix> Tun::wanted_routes() const {
    std::set<IpPrefix> out;
    if (settings_.route) {
        out = stations_;
        out.insert(settings_.prefixes.begin(), settings_.prefixes.end());
    }
    return out;
}

int Tun::add_route(const IpPrefix& to) {
    int error = netlink_.add_route(index_, to, settings_.address, settings_.congestion_control);
    if (error == EINVAL && !settings_.congestion_control.empty()) {
        error = netlink_.add_route(index_, to, settings_.address, "");
        if (error == 0) {
            spdlog::warn("[tun] congestion_control: this kernel has no {}; TCP uses the system's own",
                         settings_.congestion_control);
            settings_.congestion_control.clear();
        }
    }
    return error;
}

bool Tun::ipv6_is_off() const {
    std::ifstream file(sysctl_path(settings_.name, "disable_ipv6"));
    char value = '0';
    return file.get(value) && value != '0';
}

std::string Tun::inspect() {
    int error = 0;
    const auto link = device_ ? netlink_.link(index_, error) : std::nullopt;
    if (!link) {
        return error != 0 ? "its state cannot be read: " + host::reason(error) : "deleted by another program";
    }
    if (link->name != settings_.name) {
        spdlog::warn("TUN interface {} is now called {}", settings_.name, link->name);
        settings_.name = link->name;
    }
    std::string out;
    const auto say = [&out](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
    if (ipv6_is_off()) {
        say("IPv6 switched off (sysctl net.ipv6.conf." + settings_.name + ".disable_ipv6 = 1)");
    }
    if (link->mtu != settings_.mtu) {
        say("MTU changed to " + std::to_string(link->mtu));
    }
    if (!link->up) {
        say("set down");
    }
    if (!netlink_.has_address(index_, settings_.address, error) && error == 0) {
        say("address removed");
    }
    auto missing = wanted_routes();
    for (const auto& route : netlink_.routes(index_, error)) {
        missing.erase(route.to);
    }
    if (!missing.empty() && error == 0) {
        say(missing.size() == 1 ? "route " + to_string(*missing.begin()) + " removed"
                                : std::to_string(missing.size()) + " routes removed");
    }
    return out;
}

Status Tun::repair() {
    int error = 0;
    auto link = device_ ? netlink_.link(index_, error) : std::nullopt;
    if (!link) {
        if (auto opened = open_device(); !opened) {
            return opened;
        }
        // Link-local addresses have no use here, and their solicitations would be packets nobody asked for.
        (void)write_sysctl(settings_.name, "addr_gen_mode", '1');
        link = netlink_.link(index_, error);
        if (!link) {
            return failed("reading its state", error != 0 ? error : ENODEV);
        }
    }
    if (!link->up || link->mtu != settings_.mtu) {
        if ((error = netlink_.set_link_up(index_, settings_.mtu)) != 0) {
            return failed("setting its MTU and bringing it up", error);
        }
    }
    // After the MTU: below 1280 Linux takes IPv6 from an interface, and gives it back with the system's defaults.
    if (ipv6_is_off()) {
        if (const int refused = write_sysctl(settings_.name, "disable_ipv6", '0'); refused != 0) {
            return failed("IPv6 is switched off on it, and sysctl net.ipv6.conf." + settings_.name +
                              ".disable_ipv6 = 0 cannot be set",
                          refused);
        }
    }
    if (!netlink_.has_address(index_, settings_.address, error)) {
        if ((error = netlink_.add_address(index_, settings_.address)) != 0) {
            return failed("giving it the address " + net::to_string(settings_.address), error);
        }
    }
    auto missing = wanted_routes();
    for (const auto& route : netlink_.routes(index_, error)) {
        missing.erase(route.to);
    }
    for (const IpPrefix& to : missing) {
        if ((error = add_route(to)) != 0) {
            return failed("adding the route " + to_string(to), error);
        }
    }
    return Ok{};
}

void Tun::take_changes() {
    changed_ = netlink_.take_changes(index_) || changed_;
}

void Tun::on_tick(WallClock::time_point now) {
    if (!changed_ || (!trouble_.empty() && now < not_before_)) {
        return;
    }
    const std::string what = inspect();
    if (what.empty()) {
        changed_ = false;
        if (!trouble_.empty()) {
            spdlog::info("TUN interface {} is whole again", settings_.name);
        }
        trouble_.clear();
        last_failure_.clear();
        return;
    }
    const bool known = !trouble_.empty();
    trouble_ = what;
    if (!known && now - last_trouble_ >= kQuiet) {
        pause_ = kFirstPause;
    }
    last_trouble_ = now;
    if (now < not_before_) {  // it was put back a moment ago: somebody is at work on it
        spdlog::warn("TUN interface {}: {}; it is put back in {}", settings_.name, what,
                     seconds_text(not_before_ - now));
        return;
    }
    const auto repaired = repair();
    not_before_ = now + pause_;
    pause_ = std::min<WallClock::duration>(2 * pause_, kLongestPause);
    if (!repaired) {
        ++counters_.repairs_failed;
        if (last_failure_ != repaired.error().message) {
            last_failure_ = repaired.error().message;
            spdlog::warn("TUN interface {}: {}; putting it back failed, it is tried again and again: {}",
                         settings_.name, what, last_failure_);
        }
        return;  // changed_ stays: tried again after the pause
    }
    ++counters_.repairs;
    if (known) {
        spdlog::info("TUN interface {} is whole again", settings_.name);
    } else {
        spdlog::warn("TUN interface {}: {}; put back", settings_.name, what);
    }
    trouble_.clear();
    last_failure_.clear();
}

void Tun::set_stations(const std::vector<net::Address>& stations) {
    const auto before = wanted_routes();
    stations_.clear();
    for (const net::Address& address : stations) {
        if (address != settings_.address) {
            stations_.insert({address, 128});
        }
    }
    if (!trouble_.empty() || changed_) {
        return;  // repair() adds what is missing
    }
    const auto after = wanted_routes();
    for (const IpPrefix& to : before) {
        if (!after.contains(to)) {
            (void)netlink_.remove_route(index_, to);
        }
    }
    for (const IpPrefix& to : after) {
        if (!before.contains(to) && add_route(to) != 0) {
            changed_ = true;  // the reason is found at the next tick
        }
    }
}

std::vector<std::string> Tun::shadowed_routes() {
    std::vector<std::string> out;
    int error = 0;
    const auto routes = netlink_.routes(0, error);
    for (const IpPrefix& ours : settings_.route ? settings_.prefixes : std::vector<IpPrefix>{}) {
        const Rtnetlink::Route* nearest = nullptr;
        for (const auto& route : routes) {
            if (route.interface != index_ && route.to.covers(ours) &&
                (nearest == nullptr || route.to.length > nearest->to.length)) {
                nearest = &route;
            }
        }
        if (nearest != nullptr) {
            char name[IF_NAMESIZE] = "";
            const bool named =
                nearest->interface > 0 && ::if_indextoname(static_cast<unsigned>(nearest->interface), name) != nullptr;
            out.push_back("[tun] prefixes takes " + to_string(ours) + " from the route " + to_string(nearest->to) +
                          (named ? " of " + std::string(name) : "") +
                          ": what it reached there is no longer reached; narrow or empty prefixes");
        }
    }
    return out;
}

std::optional<Bytes> Tun::read() {
    Bytes packet(65'536);
    const ssize_t n = device_ ? ::read(device_.get(), packet.data(), packet.size()) : 0;
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
        ++counters_.read_errors;
        if (errno != EBADFD) {  // EBADFD: it was deleted, which the next tick says
            spdlog::warn("TUN interface {}: reading: {}", settings_.name, host::reason(errno));
        }
        device_.reset();  // a descriptor that fails would be readable for ever
        changed_ = true;
    }
    if (n <= 0) {
        return std::nullopt;
    }
    packet.resize(static_cast<std::size_t>(n));
    return packet;
}

bool Tun::write(ByteView packet) {
    if (!device_) {
        return false;
    }
    if (::write(device_.get(), packet.data(), packet.size()) == static_cast<ssize_t>(packet.size())) {
        return true;
    }
    ++counters_.write_errors;
    if (errno != EAGAIN && trouble_.empty() && !changed_) {
        spdlog::warn("TUN interface {}: writing: {}", settings_.name, host::reason(errno));
        changed_ = true;
    }
    return false;
}

}  // namespace meshnet::station
