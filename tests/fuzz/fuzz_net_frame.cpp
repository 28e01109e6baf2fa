// SPDX-License-Identifier: MIT
// Any frames into a router with established sessions. First byte of a chunk: bit 0 which neighbour, bit 1 past the
// encryption (what a neighbour with a session could send), bit 2 let time pass; then its length, then the bytes.
#include "sim/router_access.hpp"
#include "tests/net/net_world.hpp"

using namespace meshnet;
using namespace meshnet::net;

namespace {

/// A relay between two neighbours with a paying flow through it.
struct Scene {
    test::World world;
    std::size_t a = world.add(), r = world.add(), b = world.add();
    Scene() {
        world.join(a, r);
        world.join(r, b);
        world.run(2s);
        for (int i = 0; i < 30; ++i) world.send(a, b, Bytes(1'000, 1));
        world.send(b, a, Bytes(50, 1));
        world.run(1s);
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Scene scene;
    test::World& w = scene.world;
    ByteReader in({data, size});
    for (int chunks = 0; in.left() > 0 && chunks < 64; ++chunks) {
        const std::uint8_t what = in.u8();
        const std::size_t length = std::min<std::size_t>(in.u8() * 2U, in.left());
        Bytes bytes;
        const ByteView view = in.bytes(length);
        bytes.assign(view.begin(), view.end());
        const NeighborId from = w.node((what & 1) != 0 ? scene.a : scene.b).link;
        const std::size_t to = (what & 8) != 0 ? scene.b : scene.r;
        // Known labels make the harness reach what is behind them: 0xL? in the label's place stands for a real one.
        if ((what & 16) != 0 && bytes.size() >= 5) {
            const FlowTable& flows = RouterTestAccess::flows(w.router(to));
            const auto& table = (what & 32) != 0 ? flows.labels_in() : flows.labels_out();
            if (!table.empty()) {
                const auto& [key, id] = *std::next(table.begin(), bytes[1] % static_cast<int>(table.size()));
                for (std::size_t i = 0; i < 4; ++i)
                    bytes[1 + i] = static_cast<std::uint8_t>(key.second >> (24 - 8 * i));
            }
        }
        if ((what & 2) != 0) {
            RouterTestAccess::feed(w.router(to), w.now(), (what & 8) != 0 ? w.node(scene.r).link : from, bytes);
            w.pump(to);
        } else {
            w.inject(to, from, bytes);
        }
        if ((what & 4) != 0) w.run(500ms);
    }
    w.run(2s);
    // What the relay risks stays within its limits, its books are explained by its entries, and routes lead somewhere.
    for (const std::size_t other : {scene.a, scene.b}) {
        const CreditControl::Exposure e = RouterTestAccess::exposure(w.router(scene.r), w.node(other).id);
        if (e.nsat > e.limit_nsat || w.disk_entries(scene.r, other) != w.disk_balance(scene.r, other)) std::abort();
    }
    if (!w.find_loop().empty()) std::abort();
    return 0;
}
