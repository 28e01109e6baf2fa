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
#include <map>
#include <string>
#include <thread>
#include <vector>

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
        for (const auto& [name, pid] : running_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
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
        launch("a");
        ASSERT_TRUE(eventually([&] { return !status().is_null(); })) << log();
    }
    /// The daemon of NAME.toml, its words in NAME.log; with `apart` in a network namespace of its own.
    void launch(const std::string& name, bool apart = false) {
        run(name, {MESHNETD, "--config", name + ".toml"}, apart);
    }
    void run(const std::string& name, const std::vector<std::string>& arguments, bool apart = false) {
        const pid_t pid = ::fork();
        if (pid == 0) {
            if (::chdir(folder_.path("").c_str()) != 0 ||
                std::freopen((name + ".log").c_str(), "w", stderr) == nullptr ||
                (apart && ::unshare(CLONE_NEWNET) != 0)) {
                ::_exit(127);
            }
            std::vector<char*> argv;
            for (const std::string& argument : arguments) {
                argv.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: execv's signature
            }
            argv.push_back(nullptr);
            ::execv(argv[0], argv.data());
            ::_exit(127);
        }
        running_[name] = pid;
    }
    [[nodiscard]] pid_t pid_of(const std::string& name) const { return running_.at(name); }

    /// Stations a (here) and b (in a namespace of its own), each with an interface mesh0: coast and beacon of
    /// the example air.
    void start_pair() {
        run("air", {MESHNET_AIR, "--config", MESHNET_SOURCE_DIR "/tools/examples/air-coast-beacon-ship.toml",
                    "--socket", "air.sock"});
        ASSERT_TRUE(eventually([&] { return std::filesystem::exists(folder_.path("air.sock")); })) << read("air.log");
        for (const std::string name : {"a", "b"}) {
            std::ofstream(folder_.path(name + ".toml"))
                << "[station]\nname = \"" << name << "\"\nkey_file = \"" << name << ".key\"\nledger_file = \"" << name
                << ".ledger\"\ncontrol_socket = \"" << name
                << ".sock\"\n[radio]\ndevice = \"air:" << folder_.path("air.sock")
                << (name == "a" ? "#coast" : "#beacon") << "\"\n[tun]\nname = \"mesh0\"\n";
            launch(name, name == "b");
            ASSERT_TRUE(eventually([&] { return !status(name).is_null(); })) << read(name + ".log");
        }
        ASSERT_TRUE(eventually([&] { return ping(); })) << log();
    }
    /// A packet from here to b and back.
    bool ping() { return shell("ping -6 -n -c 1 -W 20 " + status("b")["address"].get<std::string>()) == 0; }
    nlohmann::json status(const std::string& name = "a") {
        if (shell(std::string(MESHNET_CLI) + " status --json --socket " + name + ".sock") != 0) {
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
    std::map<std::string, pid_t> running_;
};

}  // namespace meshnet::test
