// SPDX-License-Identifier: MIT
// Fault: a client of a daemon that hangs waited for ever, at the latest when the queue of its socket was full.
#include <gtest/gtest.h>

#include <vector>

#include "host/unix_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::host {
namespace {

TEST(Regressions, ADaemonThatHangsIsWaitedFor) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("socket");
    const auto listener = listen_unix(
        path, {.what = "control socket", .server = "meshnetd", .mode = 0600, .backlog = 0, .make_folder = false});
    ASSERT_TRUE(listener.ok()) << listener.error().message;
    std::vector<UniqueFd> waiting;  // nobody accepts them
    for (int i = 0; i < 8; ++i) {
        auto client = connect_unix(path, "control socket");
        if (!client) {
            EXPECT_EQ(client.error().code, ErrorCode::kInUse) << client.error().message;
            return;
        }
        waiting.push_back(std::move(client).value());
    }
    FAIL() << "the queue of a socket with backlog 0 took " << waiting.size() << " connections";
}

}  // namespace
}  // namespace meshnet::host
