// SPDX-License-Identifier: MIT
// Fault: the TUN interface was made once and then believed in. Deleted by another program it made the daemon read a
// dead descriptor for ever; set down, without its address, or with IPv6 switched off it stayed useless until a restart.
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cstring>

#include "tests/regressions/station_in_namespace.hpp"

namespace meshnet::test {
namespace {

using TheTunChangesUnderUs = StationInNamespace;

constexpr const char* kFd = "prefixes = [\"fd00::/8\"]\n";

TEST_F(TheTunChangesUnderUs, DeletedItIsMadeAgain) {
    start();
    ASSERT_TRUE(whole());
    EXPECT_EQ(status()["tun"], "mesh0");
    ASSERT_EQ(shell("ip link del mesh0"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && logged("deleted by another program; put back"); })) << log();
    EXPECT_EQ(status()["tun_state"], "up");
}

TEST_F(TheTunChangesUnderUs, SetDownAddressAndRouteComeBack) {
    start(kFd);
    ASSERT_TRUE(whole() && routed());
    ASSERT_EQ(shell("ip link set mesh0 down"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && routed() && logged("set down"); })) << log();
}

TEST_F(TheTunChangesUnderUs, AddressAndRouteAreNotMissedForLong) {
    start(kFd);
    ASSERT_EQ(shell("ip -6 addr flush dev mesh0"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && routed() && logged("address removed"); })) << log();
    ASSERT_EQ(shell("ip -6 route del fd00::/8 dev mesh0"), 0);
    EXPECT_TRUE(eventually([&] { return routed() && logged("route fd00::/8 removed"); })) << log();
}

TEST_F(TheTunChangesUnderUs, AnotherMtuIsSetBack) {
    start(kFd);
    for (const char* mtu : {"1500", "1279"}) {  // below 1280 Linux takes IPv6 from the interface
        ASSERT_EQ(shell(std::string("ip link set mesh0 mtu ") + mtu), 0);
        EXPECT_TRUE(eventually([&] { return whole() && routed() && logged(std::string("MTU changed to ") + mtu); }))
            << log();
    }
}

// Below an MTU of 1280 IPv6 goes with all its settings; it comes back with the system's defaults, here: off.
TEST_F(TheTunChangesUnderUs, AnMtuTooSmallForIpv6WhereIpv6IsOffByDefault) {
    start(kFd);
    ASSERT_EQ(shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6 && ip link set mesh0 mtu 1279"), 0);
    EXPECT_TRUE(eventually([&] { return whole() && routed() && logged("MTU changed to 1279"); })) << log();
    EXPECT_EQ(status()["interface"]["repairs_failed"], 0) << log();
}

TEST_F(TheTunChangesUnderUs, Ipv6SwitchedOffIsSwitchedOnForIt) {
    start(kFd);
    for (const char* which : {"mesh0", "all"}) {
        const std::size_t before = log().size();
        ASSERT_EQ(shell(std::string("echo 1 > /proc/sys/net/ipv6/conf/") + which + "/disable_ipv6"), 0) << said();
        EXPECT_TRUE(eventually([&] {
            return whole() && routed() &&
                   log().find("sysctl net.ipv6.conf.mesh0.disable_ipv6", before) != std::string::npos;
        })) << log();
    }
}

TEST_F(TheTunChangesUnderUs, AStartWithIpv6SwitchedOff) {
    ASSERT_EQ(shell("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"), 0);
    start(kFd);
    EXPECT_TRUE(whole() && routed()) << log();
}

TEST_F(TheTunChangesUnderUs, ItIsMadeAgainHoweverOftenItGoes) {
    start();
    for (int i = 0; i < 5; ++i) {
        EXPECT_TRUE(eventually([&] { return whole(); })) << log();
        ASSERT_EQ(shell("ip link del mesh0"), 0);
    }
    EXPECT_TRUE(eventually([&] { return whole() && status()["tun_state"] == "up"; })) << log();
}

TEST_F(TheTunChangesUnderUs, OtherInterfacesDoNotMatter) {
    start();
    for (int i = 0; i < 20; ++i) {
        ASSERT_EQ(shell("ip addr add 2001:db8::7/128 dev lo && ip addr del 2001:db8::7/128 dev lo"), 0);
    }
    ASSERT_EQ(shell("ip link del mesh0"), 0);  // and when this is noticed, the others have been seen too
    EXPECT_TRUE(eventually([&] { return whole() && logged("put back"); }));
    EXPECT_EQ(status()["interface"]["repairs"], 1);
}

TEST_F(TheTunChangesUnderUs, AnotherProgramsInterfaceIsNamedAsSuch) {
    write_config();
    const std::string run = std::string("timeout 60 ") + MESHNETD + " --config a.toml";
    host::UniqueFd other{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
    ifreq request{};
    std::strcpy(request.ifr_name, "mesh0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    ASSERT_EQ(::ioctl(other.get(), TUNSETIFF, &request), 0);
    EXPECT_EQ(shell(run), 1);
    EXPECT_NE(said().find("another program holds it; give [tun] name another value"), std::string::npos) << said();
    other.reset();
    ASSERT_EQ(shell("ip link add mesh0 type veth peer name mesh1"), 0);
    EXPECT_EQ(shell(run), 1);
    EXPECT_NE(said().find("is no TUN; give [tun] name another value"), std::string::npos) << said();
}

TEST_F(TheTunChangesUnderUs, RootWithoutTheCapabilityIsToldWhichOne) {
    write_config();
    if (shell("setpriv --bounding-set=-net_admin --inh-caps=-net_admin true") != 0) {
        GTEST_SKIP() << "setpriv cannot take CAP_NET_ADMIN away here";
    }
    EXPECT_EQ(shell(std::string("setpriv --bounding-set=-net_admin --inh-caps=-net_admin timeout 60 ") + MESHNETD +
                    " --config a.toml"),
              1);
    EXPECT_NE(said().find("CAP_NET_ADMIN is missing"), std::string::npos) << said();
    EXPECT_EQ(said().find("run as root"), std::string::npos) << said();
}

}  // namespace
}  // namespace meshnet::test
