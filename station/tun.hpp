// SPDX-License-Identifier: GPL-3.0-or-later
// A network interface of our own: IPv6 packets of this computer in and out.
//
// It is kept whole. What other programs do to it (delete it, set it down, take its address or routes, change its MTU,
// switch IPv6 off) arrives over rtnetlink, gives one line in the log, and is put back: at once the first time, then
// after pauses that double to half a minute while it goes on. Nothing is polled, and changes of other interfaces do not
// matter. Setting up and putting back are the same steps, and only what is missing is changed.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "net/node_id.hpp"
#include "station/control/interface_counters.hpp"
#include "station/ip_prefix.hpp"
#include "station/rtnetlink.hpp"

namespace meshnet::station {

/// One TUN interface; it disappears with this object.
class Tun {
public:
    using WallClock = std::chrono::steady_clock;
    static constexpr auto kFirstPause = std::chrono::milliseconds(200);
    static constexpr auto kLongestPause = std::chrono::seconds(30);

    struct Settings {
        std::string name;
        net::Address address{};  ///< given to it as a /128
        unsigned mtu = 1'400;
        bool route = true;               ///< false: no routes at all
        std::vector<IpPrefix> prefixes;  ///< routed to it beside the known stations
        std::string congestion_control;  ///< of TCP on these routes, "": the system's own
    };
    /// Makes the interface and brings it up. The error says which step failed, what is missing and what to do.
    [[nodiscard]] static Result<std::unique_ptr<Tun>> open(Settings settings);

    /// Readable when read() should be called; -1 while there is no interface. Non-blocking.
    [[nodiscard]] int fd() const noexcept { return device_.get(); }
    /// The next packet this computer sends into the mesh, or nothing.
    [[nodiscard]] std::optional<Bytes> read();
    /// Gives this computer a packet; false if the kernel did not take it.
    bool write(ByteView packet);

    /// Readable when take_changes() should be called.
    [[nodiscard]] int changes_fd() const noexcept { return netlink_.fd(); }
    void take_changes();
    /// Looks after what has changed, if it is due. Call every 100 ms or so.
    void on_tick(WallClock::time_point now);
    /// The stations known now: each gets a route.
    void set_stations(const std::vector<net::Address>& stations);

    /// One line for each of our prefixes that takes addresses from a route of another interface.
    [[nodiscard]] std::vector<std::string> shadowed_routes();

    [[nodiscard]] const std::string& name() const noexcept { return settings_.name; }
    /// Empty: all is well. Otherwise what is wrong.
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
    [[nodiscard]] const InterfaceCounters& counters() const noexcept { return counters_; }

private:
    Tun(Settings settings, Rtnetlink netlink) : settings_(std::move(settings)), netlink_(std::move(netlink)) {}
    [[nodiscard]] Status open_device();
    /// What is not as it should be, in words; empty: nothing.
    [[nodiscard]] std::string inspect();
    /// Makes it whole, step by step.
    [[nodiscard]] Status repair();
    [[nodiscard]] std::set<IpPrefix> wanted_routes() const;
    [[nodiscard]] int add_route(const IpPrefix& to);
    [[nodiscard]] bool ipv6_is_off() const;
    [[nodiscard]] Error failed(const std::string& step, int error) const;

    Settings settings_;
    Rtnetlink netlink_;
    host::UniqueFd device_;
    int index_ = 0;
    std::set<IpPrefix> stations_;
    bool changed_ = false;  // inspect at the next tick
    std::string trouble_, last_failure_;
    WallClock::duration pause_ = kFirstPause;
    WallClock::time_point not_before_{}, last_trouble_{};
    InterfaceCounters counters_;
};

}  // namespace meshnet::station
