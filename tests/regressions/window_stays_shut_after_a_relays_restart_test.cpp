// SPDX-License-Identifier: MIT
// Fault: after its restart a relay took all that a flow can have carried for forwarded and resolved. The delivery
// floor, a multiple of what is proven, then lay below what was resolved: no receipt freed the window any more, and
// after 256 KiB the relay carried nothing for that neighbour until the flow was given up.
#include <gtest/gtest.h>

#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

struct WindowAfterARestart : ::testing::Test {
    World w;
    std::size_t a = w.add(), r = w.add(), b = w.add();
    WindowAfterARestart() {
        w.join(a, r);
        w.join(r, b);
        w.run(3s);
    }
    std::size_t delivered(std::size_t from, std::size_t to, int packets) {
        const std::size_t before = w.node(to).received.size();
        for (int i = 0; i < packets; ++i) w.after(i * 20ms, [this, from, to] { w.send(from, to, Bytes(1'000, 1)); });
        w.run(20ms * packets + 3s);
        return w.node(to).received.size() - before;
    }
    void restart() {
        w.kill(r);
        w.run(200ms);
        w.restart(r);
        w.run(3s);
    }
};

TEST_F(WindowAfterARestart, TheSourcePays) {
    EXPECT_EQ(delivered(a, b, 20), 20U);
    for (int i = 0; i < 4; ++i) {
        restart();
        EXPECT_EQ(delivered(a, b, 20), 20U) << "restart " << i;
    }
    EXPECT_EQ(delivered(a, b, 800), 800U);
    EXPECT_EQ(w.find_disagreement(), "");
}

TEST_F(WindowAfterARestart, TheDestinationPays) {
    EXPECT_EQ(delivered(a, b, 5), 5U);  // a opens the conversation and pays for the answers too
    EXPECT_EQ(delivered(b, a, 20), 20U);
    for (int i = 0; i < 4; ++i) {
        restart();
        EXPECT_EQ(delivered(a, b, 1), 1U);
        EXPECT_EQ(delivered(b, a, 20), 20U) << "restart " << i;
    }
    EXPECT_EQ(delivered(b, a, 800), 800U);
    EXPECT_EQ(w.find_disagreement(), "");
}

}  // namespace
}  // namespace meshnet::net::test
