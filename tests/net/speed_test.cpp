// SPDX-License-Identifier: MIT
// Prints what a relay costs. Nothing is asserted about time: machines differ. What is asserted is that it worked.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "tests/net/net_world.hpp"

namespace meshnet::net::test {
namespace {

TEST(Speed, RelayOfLargePackets) {
    WorldOptions options;
    options.max_frame = 6'000;
    World w(options);
    const auto wide = [](Router::Config& c) {
        c.initial_window_bytes = 16'777'216;
        c.credit.unsigned_msat = c.credit.stranger_msat;  // no balance is signed within these milliseconds
        c.mtu = 1'500;
    };
    const auto a = w.add(wide), r = w.add(wide), b = w.add(wide);
    LinkOptions fast;
    fast.rate_bps = 1e9;
    fast.delay = 10us;
    w.join(a, r, fast);
    w.join(r, b, fast);
    w.run(2s);
    w.send(a, b, Bytes(1'400, 1));
    w.run(2s);

    // The relay alone: frames of four packets in, frames out, the ends are run beforehand and afterwards.
    constexpr int kFrames = 1'000;
    std::vector<Bytes> in;
    for (int i = 0; i < kFrames; ++i) {
        for (int k = 0; k < 4; ++k) w.router(a).on_packet(w.now(), w.packet(a, b, Bytes(1'399, 1)));
        while (auto f = w.router(a).poll_transmit(w.now(), w.node(r).link, options.max_frame))
            in.push_back(std::move(f->bytes));
    }
    std::vector<Bytes> out;
    out.reserve(in.size());
    const auto start = std::chrono::steady_clock::now();
    for (const Bytes& frame : in) {
        w.router(r).on_frame(w.now(), w.node(a).link, frame);
        while (auto f = w.router(r).poll_transmit(w.now(), w.node(b).link, options.max_frame))
            out.push_back(std::move(f->bytes));
    }
    const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - start;
    std::size_t delivered = 0;
    for (const Bytes& frame : out) {
        w.router(b).on_frame(w.now(), w.node(r).link, frame);
        while (w.router(b).poll_packet()) ++delivered;
    }
    EXPECT_EQ(delivered, static_cast<std::size_t>(4 * kFrames));
    std::printf("relay: %.2f us per 1400-byte packet (four in a frame)\n", spent.count() / (4.0 * kFrames));
}

}  // namespace
}  // namespace meshnet::net::test
