// SPDX-License-Identifier: MIT
#include "station/control/control_server.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "host/unix_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

host::UniqueFd client_of(const std::string& path) {
    auto fd = host::connect_unix(path, "control socket");
    return fd ? std::move(fd).value() : host::UniqueFd();
}

// One pass of the daemon's loop; what is there is there already, so nothing waits.
std::vector<ControlServer::Incoming> poll_once(ControlServer& server) {
    std::vector<pollfd> fds;
    server.add_poll(fds);
    ::poll(fds.data(), fds.size(), 0);
    return server.handle(fds);
}

void send_text(const host::UniqueFd& fd, const std::string& text) {
    ASSERT_EQ(::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

std::string received(const host::UniqueFd& fd) {
    char buffer[65'536];
    const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
}

class ControlServerTest : public ::testing::Test {
protected:
    ControlServerTest() : path_(folder_.path("control.sock")) {}
    test::TemporaryFolder folder_;
    std::string path_;
};

TEST_F(ControlServerTest, AnswersLinesInPiecesAndInHeaps) {
    auto server = ControlServer::listen(path_);
    ASSERT_TRUE(server.ok()) << server.error().message;
    const host::UniqueFd client = client_of(path_);
    ASSERT_TRUE(client);
    EXPECT_TRUE(poll_once(*server).empty());
    send_text(client, "{\"cmd\":");
    EXPECT_TRUE(poll_once(*server).empty());
    send_text(client, "\"status\"}\n{\"cmd\":\"routes\"}\nrubbish\n");
    const auto requests = poll_once(*server);
    ASSERT_EQ(requests.size(), 3U);
    EXPECT_EQ(requests[0].request->view, find_view("status"));
    EXPECT_EQ(requests[1].request->view, find_view("routes"));
    EXPECT_FALSE(requests[2].request.ok());
    EXPECT_TRUE(server->send(requests[0].client, "{}\n"));
    EXPECT_EQ(received(client), "{}\n");
}

TEST_F(ControlServerTest, IsForItsOwnerOnlyAndGoneAfterwards) {
    {
        const auto server = ControlServer::listen(path_);
        ASSERT_TRUE(server.ok());
        struct stat info {};
        ASSERT_EQ(::stat(path_.c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600U);
    }
    EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(ControlServerTest, TwoDaemonsOnOneSocket) {
    const auto first = ControlServer::listen(path_);
    ASSERT_TRUE(first.ok());
    const auto second = ControlServer::listen(path_);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.error().message,
              "control socket " + path_ + " is in use by another meshnetd; stop it or choose another path");
    EXPECT_TRUE(client_of(path_)) << "the first one still listens";
}

TEST_F(ControlServerTest, AFileThatIsNoSocketIsNotTouched) {
    std::ofstream(path_) << "a key, say";
    const auto server = ControlServer::listen(path_);
    ASSERT_FALSE(server.ok());
    EXPECT_EQ(server.error().message,
              "control socket " + path_ + ": a file that is no socket is there; choose another path");
    EXPECT_EQ(std::filesystem::file_size(path_), 10U);
}

TEST_F(ControlServerTest, NoPlaceForTheSocket) {
    const auto server = ControlServer::listen(folder_.path("no/such/folder.sock"));
    ASSERT_FALSE(server.ok());
    EXPECT_EQ(server.error().message,
              "control socket " + folder_.path("no/such/folder.sock") + " cannot be made: No such file or directory");
}

TEST_F(ControlServerTest, AnEndlessLineIsRefusedAndTheClientSentAway) {
    auto server = ControlServer::listen(path_);
    ASSERT_TRUE(server.ok());
    const host::UniqueFd client = client_of(path_);
    EXPECT_TRUE(poll_once(*server).empty());
    send_text(client, std::string(40'000, 'x'));
    for (int i = 0; i < 4; ++i) {
        EXPECT_TRUE(poll_once(*server).empty());
    }
    EXPECT_EQ(received(client), "{\"code\":\"limit\",\"error\":\"a request is at most 16384 bytes\",\"ok\":false}\n");
}

TEST_F(ControlServerTest, AClientThatDoesNotReadIsClosedNotWaitedFor) {
    auto server = ControlServer::listen(path_);
    ASSERT_TRUE(server.ok());
    const host::UniqueFd client = client_of(path_);
    EXPECT_TRUE(poll_once(*server).empty());
    send_text(client, "{\"cmd\":\"status\"}\n");
    const auto requests = poll_once(*server);
    ASSERT_EQ(requests.size(), 1U);
    const std::string line(100'000, 'y');
    int accepted = 0;
    while (server->send(requests[0].client, line) && accepted < 1'000) {
        ++accepted;
    }
    EXPECT_GE(accepted, 10);
    EXPECT_LE(accepted, 40) << "2 MiB and what the kernel holds";
    EXPECT_FALSE(server->connected(requests[0].client));
}

TEST_F(ControlServerTest, ClientsBeyondTheLimitGetALine) {
    auto server = ControlServer::listen(path_);
    ASSERT_TRUE(server.ok());
    std::vector<host::UniqueFd> clients;
    for (int i = 0; i < 17; ++i) {
        clients.push_back(client_of(path_));
        ASSERT_TRUE(clients.back());
        EXPECT_TRUE(poll_once(*server).empty());
    }
    EXPECT_EQ(received(clients[16]), "{\"code\":\"limit\",\"error\":\"too many control connections\",\"ok\":false}\n");
    clients.erase(clients.begin());  // one leaves: its place is free again
    EXPECT_TRUE(poll_once(*server).empty());
    clients.push_back(client_of(path_));
    EXPECT_TRUE(poll_once(*server).empty());
    send_text(clients.back(), "{\"cmd\":\"status\"}\n");
    EXPECT_EQ(poll_once(*server).size(), 1U);
}

}  // namespace
}  // namespace meshnet::station
