// SPDX-License-Identifier: MIT
// Daemons over the example air, as an operator would start them, for tests of what they do together.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.hpp"

namespace meshnet::test {

/// The air of coast, beacon and ship is running at air.sock of `folder_`; stations are started by name, without TUN.
class DaemonsInAir : public ::testing::Test {
protected:
    void SetUp() override {
        run("air", {MESHNET_AIR, "--config", MESHNET_SOURCE_DIR "/tools/examples/air-coast-beacon-ship.toml",
                    "--socket", folder_.path("air.sock")});
        ASSERT_TRUE(eventually([&] { return logged("air", "listening:"); })) << text("air.log");
    }
    void TearDown() override {
        for (const auto& [name, pid] : running_) {
            ::kill(pid, SIGKILL);
            ::waitpid(pid, nullptr, 0);
        }
    }
    void run(const std::string& name, const std::vector<std::string>& arguments) {
        const std::string log = folder_.path(name + ".log");
        const pid_t pid = ::fork();
        if (pid == 0) {
            const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
            ::dup2(fd, 1);
            ::dup2(fd, 2);
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
    void end(const std::string& name, int signal) {
        ::kill(running_[name], signal);
        (void)wait_for(name);
    }
    /// Waits until a program ends; its exit code.
    int wait_for(const std::string& name) {
        int status = 0;
        ::waitpid(running_[name], &status, 0);
        running_.erase(name);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    void start(const std::string& station) {
        std::ofstream(folder_.path(station + ".toml"))
            << "[station]\nname = \"" << station << "\"\nkey_file = \"" << station << ".key\"\nledger_file = \""
            << station << ".ledger\"\ncontrol_socket = \"" << station
            << ".sock\"\n[radio]\ndevice = \"air:" << folder_.path("air.sock") << "#" << station
            << "\"\n[tun]\nenabled = false\n";
        run(station, {MESHNETD, "--config", folder_.path(station + ".toml")});
        ASSERT_TRUE(eventually([&] { return !view(station, "status").is_null(); })) << text(station + ".log");
    }
    nlohmann::json view(const std::string& station, const std::string& what) {
        const std::string command = std::string(MESHNET_CLI) + " " + what + " --json --socket " +
                                    folder_.path(station + ".sock") + " > " + folder_.path("said") + " 2>/dev/null";
        if (std::system(command.c_str()) != 0) {  // NOLINT(cert-env33-c): a fixed command of this test
            return nullptr;
        }
        return nlohmann::json::parse(text("said"), nullptr, false);
    }
    std::string text(const std::string& name) {
        std::ifstream in(folder_.path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    bool logged(const std::string& name, const std::string& line) {
        return text(name + ".log").find(line) != std::string::npos;
    }
    /// Waits for what must become true; the time-out is the end of a hang, not a speed.
    static bool eventually(const std::function<bool()>& condition) {
        for (int i = 0; i < 2'400; ++i) {
            if (condition()) {
                return true;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
        return false;
    }

    TemporaryFolder folder_;
    std::map<std::string, pid_t> running_;
};

}  // namespace meshnet::test
