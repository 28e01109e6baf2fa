// SPDX-License-Identifier: MIT
// Fault: the route fd00::/8 took every private IPv6 address behind a default route or a wider route of another
// interface; a site there was unreachable while the daemon ran, and no key changed that.
#include "tests/regressions/station_in_namespace.hpp"

namespace meshnet::test {
namespace {

class RoutesOfOthersAreShadowed : public StationInNamespace {
protected:
    void SetUp() override {
        StationInNamespace::SetUp();
        if (IsSkipped()) {
            return;
        }
        ASSERT_EQ(shell("ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up && "
                        "ip -6 addr add 2001:db8:1::2/64 dev v0 nodad && "
                        "ip -6 route add default via 2001:db8:1::1 dev v0"),
                  0)
            << said();
    }
    std::string interface_to(const std::string& address) {
        EXPECT_EQ(shell("ip -6 route get " + address + " | sed 's/.* dev \\([^ ]*\\).*/\\1/' | tr -d '\\n'"), 0);
        return said();
    }
};

TEST_F(RoutesOfOthersAreShadowed, APrivateSiteStaysReachable) {
    ASSERT_EQ(interface_to("fdaa:1:2:3::1"), "v0");
    start();
    EXPECT_EQ(interface_to("fdaa:1:2:3::1"), "v0");
    EXPECT_FALSE(logged("[tun] prefixes")) << log();
}

TEST_F(RoutesOfOthersAreShadowed, APrefixThatTakesItIsNamedAtStart) {
    start("prefixes = [\"fd00::/8\"]\n");
    EXPECT_EQ(interface_to("fdaa:1:2:3::1"), "mesh0");
    EXPECT_TRUE(logged("[tun] prefixes takes fd00::/8 from the route ::/0 of v0")) << log();
}

TEST_F(RoutesOfOthersAreShadowed, TheNearestOfSeveralIsNamed) {
    ASSERT_EQ(shell("ip -6 route add fda0::/12 dev v0"), 0);
    start("prefixes = [\"fdaa::/16\", \"fe00::/9\"]\n");
    EXPECT_TRUE(logged("[tun] prefixes takes fdaa::/16 from the route fda0::/12 of v0")) << log();
    EXPECT_TRUE(logged("[tun] prefixes takes fe00::/9 from the route ::/0 of v0")) << log();
}

TEST_F(RoutesOfOthersAreShadowed, WithoutRoutesNothingIsRouted) {
    start("route = false\nprefixes = [\"fd00::/8\"]\n");
    EXPECT_EQ(interface_to("fdaa:1:2:3::1"), "v0");
    EXPECT_FALSE(logged("[tun] prefixes")) << log();
}

}  // namespace
}  // namespace meshnet::test
