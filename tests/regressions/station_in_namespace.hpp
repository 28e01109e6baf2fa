// SPDX-License-Identifier: MIT
// A meshnetd with a TUN interface in a network namespace of the test's own. Skips where that is not possible.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "host/unique_fd.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::test {

class StationInNamespace : public ::testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
            GTEST_SKIP() << "needs root and /dev/net/tun";
        }
        home_ = host::UniqueFd{::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
        if (!home_ || ::unshare(CLONE_NEWNET) != 0) {
            home_.reset();
            GTEST_SKIP() << "network namespaces are not permitted here";
        }
        if (shell("ip link set lo up") != 0 || shell("ip tuntap add dev trial mode tun && ip link del trial") != 0) {
            GTEST_SKIP() << "interfaces cannot be made here, or there is no program ip";
        }
    }
    void TearDown() override {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        if (home_) {
            EXPECT_EQ(::setns(home_.get(), CLONE_NEWNET), 0);
        }
    }

    /// Its exit code; the text it wrote stands in said().
    int shell(const std::string& command) {
        const std::string all = "cd " + folder_.path("") + " && { " + command + "; } > said 2>&1 < /dev/null";
        const int status = std::system(all.c_str());  // NOLINT(cert-env33-c): a fixed command of this test
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::string said() { return read("said"); }
    std::string log() { return read("a.log"); }
    /// Waits for what must become true; the time-out is the end of a hang, not a speed.
    static bool eventually(const std::function<bool()>& condition) {
        for (int i = 0; i < 1'200; ++i) {
            if (condition()) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        return false;
    }

    /// A station that hears silence, with interface mesh0; `tun` is added to its section [tun].
    void write_config(const std::string& tun = "") {
        std::ofstream(folder_.path("air.cf32")).close();
        std::filesystem::resize_file(folder_.path("air.cf32"), std::uintmax_t{600} * 1'000'000 * 8);  // sparse
        std::ofstream(folder_.path("a.toml"))
            << "[station]\nname = \"a\"\nkey_file = \"a.key\"\nledger_file = \"a.ledger\"\ncontrol_socket = "
               "\"a.sock\"\n"
            << "[radio]\ndevice = \"file:" << folder_.path("air.cf32") << "\"\n[tun]\nname = \"mesh0\"\n"
            << tun;
    }
    void start(const std::string& tun = "") {
        write_config(tun);
        pid_ = ::fork();
        if (pid_ == 0) {
            if (::chdir(folder_.path("").c_str()) != 0 || std::freopen("a.log", "w", stderr) == nullptr) {
                ::_exit(127);
            }
            ::execl(MESHNETD, MESHNETD, "--config", "a.toml", static_cast<char*>(nullptr));
            ::_exit(127);
        }
        ASSERT_TRUE(eventually([&] { return !status().is_null(); })) << log();
    }
    nlohmann::json status() {
        if (shell(std::string(MESHNET_CLI) + " status --json --socket a.sock") != 0) {
            return nullptr;
        }
        return nlohmann::json::parse(said(), nullptr, false);
    }
    /// Link up, address and MTU in place.
    bool whole(const std::string& name = "mesh0") {
        return shell("ip -o link show dev " + name + " up") == 0 && said().find("mtu 1400") != std::string::npos &&
               shell("ip -6 -o addr show dev " + name) == 0 && said().find("inet6 fd") != std::string::npos;
    }
    bool routed(const std::string& prefix = "fd00::/8") {
        return shell("ip -6 route show dev mesh0") == 0 && said().find(prefix) != std::string::npos;
    }
    bool logged(const std::string& text) { return log().find(text) != std::string::npos; }

    TemporaryFolder folder_;

private:
    std::string read(const std::string& name) {
        std::ifstream file(folder_.path(name));
        return {std::istreambuf_iterator<char>(file), {}};
    }
    host::UniqueFd home_;
    pid_t pid_ = -1;
};

}  // namespace meshnet::test
