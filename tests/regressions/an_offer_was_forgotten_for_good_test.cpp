// SPDX-License-Identifier: MIT
// Fault: whoever answers opens its flow at the other end's cost. The other end refused that while its own flow was
// still being opened, and the refusal withdrew the offer that this flow had just made: from then on all answers were
// refused for their price, and the flow that would have made a new offer was in use and never opened again. Found by a
// station that was restarted in a conversation: nothing came back for 90 s.
#include <gtest/gtest.h>

#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

struct ForgottenOffer : ::testing::Test {
    World w;
    std::size_t client = w.add(), relay = w.add([](Router::Config&c) { c.price_msat_per_mib = 1'000; }),
                server = w.add();
    std::size_t answers = 0;

    // Ports are the first bytes of what is sent: the same both ways, so that what the server sends is an answer.
    void build(double loss) {
        w.join(client, relay, {20ms, 3e6, loss, 2'700.0});
        w.join(relay, server, {20ms, 3e6, loss, 2'700.0});
        w.node(server).on_packet = [this](Instant, const Bytes&) { w.send(server, client, Bytes(200, 1)); };
        w.node(client).on_packet = [this](Instant, const Bytes&) { ++answers; };
        w.run(3s);
    }
    /// Answers in `time` of requests, one every 20 ms.
    std::size_t ask(Duration time) {
        const std::size_t before = answers;
        for (Duration t{}; t < time; t += 20ms) w.after(t, [this] { w.send(client, server, Bytes(200, 1)); });
        w.run(time);
        return answers - before;
    }
};

TEST_F(ForgottenOffer, AnswersComeAfterEveryRestartOfWhoeverAsks) {
    build(0.0);
    EXPECT_GT(ask(2s), 80U);
    for (int i = 0; i < 30; ++i) {
        w.kill(client);
        w.run(100ms + i * 17ms);
        w.restart(client);
        ask(3s);
        EXPECT_GT(ask(1s), 40U) << "of 50, after restart " << i;
    }
}

// The server goes on sending, as TCP does, and its opens cross those of the client.
TEST_F(ForgottenOffer, AStreamGoesOnAfterEveryRestartOfWhoeverAsked) {
    build(0.0);
    w.node(server).on_packet = nullptr;
    ask(1s);
    for (int i = 0; i < 60; ++i) {
        w.kill(client);
        for (Duration t{}; t < 4s; t += 7ms) w.after(t, [this] { w.send(server, client, Bytes(200, 1)); });
        w.run(100ms + i * 7ms);
        w.restart(client);
        ask(3s);
        const std::size_t before = answers;
        ask(500ms);
        EXPECT_GT(answers - before, 50U) << "of 71, after restart " << i;
        w.run(1s);
    }
}

TEST_F(ForgottenOffer, AlsoWhenMessagesAreLost) {
    build(0.05);
    ask(3s);
    for (int i = 0; i < 30; ++i) {
        w.kill(client);
        w.run(100ms + i * 17ms);
        w.restart(client);
        std::size_t seconds = 0;
        while (ask(1s) == 0 && seconds < 60) ++seconds;
        EXPECT_LE(seconds, 12U) << "restart " << i;
    }
}

}  // namespace
}  // namespace meshnet::net::test
