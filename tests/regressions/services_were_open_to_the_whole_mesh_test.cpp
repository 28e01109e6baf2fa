// SPDX-License-Identifier: MIT
// Fault: whatever listened on [::] was open to every station of the mesh, and nothing said so. The daemon names the
// ports at its start, and the firewall of tools/examples closes them.
#include "tests/regressions/station_in_namespace.hpp"

namespace meshnet::test {
namespace {

class ServicesWereOpenToTheWholeMesh : public StationInNamespace {
protected:
    /// A command in the namespace of station b.
    int shell_of_b(const std::string& command) {
        return shell("nsenter -t " + std::to_string(pid_of("b")) + " -n " + command);
    }
    /// Whether b reaches the service of this machine.
    bool reached() {
        const std::string address = status("a")["address"].get<std::string>();
        return shell_of_b("curl -s -g -m 20 -o got 'http://[" + address + "]:8080/a.toml'") == 0;
    }
};

TEST_F(ServicesWereOpenToTheWholeMesh, TheExampleFirewallClosesThem) {
    if (shell("command -v nft nsenter curl python3") != 0 || shell("nft list ruleset") != 0) {
        GTEST_SKIP() << "needs nft, nsenter, curl and python3: " << said();
    }
    run("service", {"/usr/bin/env", "python3", "-m", "http.server", "8080", "--bind", "::"});
    ASSERT_TRUE(eventually([&] { return shell("curl -s -g -o got 'http://[::1]:8080/'") == 0; }));
    start_pair();
    EXPECT_TRUE(logged("TCP ports 8080 listen on every address")) << log();
    EXPECT_TRUE(eventually([&] { return reached(); })) << "open, as long as nothing closes it";

    ASSERT_EQ(shell("sed 's/\"meshnet0\"/\"mesh0\"/' " MESHNET_SOURCE_DIR
                    "/tools/examples/meshnet.nft > mesh.nft && nft -f mesh.nft && nft -f mesh.nft"),
              0)
        << said();
    EXPECT_FALSE(reached());
    EXPECT_EQ(shell("nft list chain inet meshnet from_mesh | grep -v 'packets 0 ' | grep -q 'counter packets'"), 0)
        << "what was refused is counted";
    EXPECT_TRUE(ping()) << "what this machine asks for is answered";
    EXPECT_EQ(shell_of_b("ping -6 -n -c 1 -W 20 " + status("a")["address"].get<std::string>()), 0)
        << "and it can be pinged";
    ASSERT_EQ(shell("nft add element inet meshnet open_tcp '{ 8080 }'"), 0) << said();
    EXPECT_TRUE(eventually([&] { return reached(); })) << "a port that is named is open";
}

}  // namespace
}  // namespace meshnet::test
