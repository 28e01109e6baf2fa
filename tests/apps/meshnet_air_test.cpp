// SPDX-License-Identifier: MIT
// The program meshnet-air as a process: it passes samples, survives the kill of a client and ends cleanly.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "sim/air_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::sim {
namespace {

constexpr int kTurns = 18'000;  // of 10 ms: ends a hang; not a measure of speed

/// Starts a program with its output in a file; the pid.
pid_t start(const std::vector<std::string>& arguments, const std::string& output) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const int fd = ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
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
    return pid;
}

int wait_for(pid_t pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    return status;
}

std::string contents(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Connects, trying until the server is there.
Result<AirClient> connect(const std::string& path, const std::string& station) {
    for (int turn = 0; turn < kTurns; ++turn) {
        auto client = AirClient::connect(path, station);
        if (client.ok()) {
            return client;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return AirClient::connect(path, station);
}

/// Samples received until there are `count`, in all; 0 on error.
std::size_t receive(AirClient& client, std::size_t count) {
    std::size_t got = 0;
    while (got < count) {
        pollfd wait{client.fd(), POLLIN, 0};
        auto block =
            ::poll(&wait, 1, kTurns * 10) == 1 ? client.receive() : Error{ErrorCode::kInvalidArgument, "nothing came"};
        if (!block.ok()) {
            ADD_FAILURE() << block.error().message;
            return 0;
        }
        got += block->samples.size();
    }
    return got;
}

TEST(MeshnetAir, ServesStationsSurvivesTheDeathOfOneAndStopsCleanly) {
    const test::TemporaryFolder folder;
    const std::string socket = folder.path("air.sock");
    const std::string stats = folder.path("stats.json");
    const std::string output = folder.path("output");
    const pid_t air =
        start({MESHNET_AIR_PROGRAM, "--config", MESHNET_SOURCE_DIR "/tools/examples/air-coast-beacon-ship.toml",
               "--socket", socket, "--stats", stats},
              output);
    auto coast = connect(socket, "coast");
    ASSERT_TRUE(coast.ok()) << coast.error().message << contents(output);

    const pid_t victim = ::fork();
    if (victim == 0) {
        auto ship = AirClient::connect(socket, "ship");
        for (;;) {
            ::pause();
        }
    }
    for (int turn = 0; turn < kTurns && contents(output).find("'ship' connected") == std::string::npos; ++turn) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::kill(victim, SIGKILL);
    EXPECT_TRUE(WIFSIGNALED(wait_for(victim)));
    auto ship = connect(socket, "ship");
    ASSERT_TRUE(ship.ok()) << ship.error().message;
    EXPECT_GT(ship->first_index(), 0U);
    EXPECT_GE(receive(*ship, 20'000), 20'000U);
    EXPECT_GE(receive(*coast, 20'000), 20'000U);

    ::kill(air, SIGTERM);
    const int status = wait_for(air);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << contents(output);
    EXPECT_FALSE(std::filesystem::exists(socket));
    const std::string json = contents(stats);
    EXPECT_NE(json.find("\"name\": \"ship\", \"connected\": true, \"connections\": 2"), std::string::npos) << json;
    EXPECT_NE(contents(output).find("'ship' disconnected"), std::string::npos) << contents(output);
}

TEST(MeshnetAir, AWrongConfigurationEndsItWithALine) {
    const test::TemporaryFolder folder;
    const std::string config = folder.path("air.toml");
    std::ofstream(config) << "[[station]]\nname = \"a\"\nlength = 3\n";
    const std::string output = folder.path("output");
    const int status = wait_for(start({MESHNET_AIR_PROGRAM, "--config", config, "--socket", folder.path("s")}, output));
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 2);
    EXPECT_NE(contents(output).find("air.toml:3: [station] unknown key 'length'"), std::string::npos)
        << contents(output);
}

}  // namespace
}  // namespace meshnet::sim
