// SPDX-License-Identifier: MIT
// Two whole nodes with a session and traffic, beside a radio without keys driven by a script: it replays, alters, cuts
// and joins what it has heard, makes up frames, and jams, at any time.
//
// Script: op and its operands, again and again; what is missing reads as zero. Whatever is sent: nothing comes out at a
// host that the other host did not send, nobody but the two is a neighbour with a session, no money is owed, tables
// keep their bounds, and after some seconds of silence packets pass again.
#include <algorithm>
#include <cstdlib>
#include <deque>

#include "tests/support/hostile_air.hpp"

using namespace meshnet;

namespace {

void require(bool good) {
    if (!good) {
        std::abort();
    }
}

constexpr std::size_t kRemembered = 32;
constexpr std::size_t kPacket = 400;

struct Scene {
    test::HostileAir air{11};
    std::size_t a = air.add(), b = air.add();
    std::deque<mac::TxRequest> heard;
    std::uint64_t sent = 0;  // bytes of packets, headers included, by both hosts

    Scene() {
        air.on_heard = [this](std::size_t, const mac::TxRequest& request) {
            heard.push_back(request);
            if (heard.size() > kRemembered) {
                heard.pop_front();
            }
        };
        air.run_for(4s);
        send();
        air.run_for(1s);
    }
    void send() {
        air.send(a, b, kPacket);
        air.send(b, a, kPacket);
        sent += 2 * (kPacket + 40);
    }
    [[nodiscard]] std::uint64_t delivered() const { return air.delivered_bytes(a) + air.delivered_bytes(b); }
};

/// What the forger sends: bytes of the script, or a frame it heard with some of them changed.
Bytes forged(ByteReader& in, Scene& scene, std::uint8_t op) {
    Bytes out;
    if ((op & 8U) != 0 && !scene.heard.empty()) {
        out = scene.heard[in.u8() % scene.heard.size()].payload;
        for (unsigned changes = in.u8() % 8U; changes > 0 && !out.empty(); --changes) {
            out[in.u16() % out.size()] = in.u8();
        }
        if ((op & 16U) != 0) {
            out.resize(std::min<std::size_t>(out.size(), 1U + in.u8() * 4U));
        }
        if ((op & 32U) != 0) {
            const Bytes& more = scene.heard[in.u8() % scene.heard.size()].payload;
            out.insert(out.end(), more.begin(), more.end());
            out.resize(std::min(out.size(), scene.air.phy().max_bytes()));
        }
        // The check over the header is no secret: every second forgery has a right one where the format has it.
        if (auto burst = mac::parse_burst(out); burst && (op & 64U) != 0) {
            burst->header.burst += in.u8();
            out = mac::encode_burst(*burst, false, scene.air.no_keys());
        }
    } else {
        const ByteView raw = in.bytes(std::min<std::size_t>(in.u8(), in.left()));
        out.assign(raw.begin(), raw.end());
    }
    if (out.empty()) {
        out.push_back(0);
    }
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    Scene scene;
    test::HostileAir& air = scene.air;
    require(air.session(scene.a, scene.b) && scene.delivered() == scene.sent);
    ByteReader in(ByteView(bytes, size));
    for (int step = 0; step < 100 && in.left() > 0; ++step) {
        const std::uint8_t op = in.u8();
        switch (op % 4) {
            case 0:
            case 1:
                air.forge(forged(in, scene, op), in.u8() % 4U, static_cast<float>(in.u8()) / 8.0F - 8.0F);
                break;
            case 2:
                scene.send();
                break;
            default:
                air.run_for(in.u8() * Duration{op < 128 ? 1ms : 20ms});
                break;
        }
        air.run_for(1ms);
    }
    for (const std::size_t i : {scene.a, scene.b}) {
        const net::NodeId& other = air.node(i == scene.a ? scene.b : scene.a).router().id();
        for (const auto& n : air.node(i).router().neighbors()) {
            require(!n.session_up || n.id == other);
            require(n.balance_msat == 0);
        }
        require(air.node(i).mac().neighbors(air.now()).size() <= 96);
    }
    require(scene.delivered() <= scene.sent);

    air.run_for(20s);
    const std::uint64_t before = scene.delivered();
    scene.send();
    air.run_for(2s);
    scene.send();
    air.run_for(3s);
    require(air.session(scene.a, scene.b));
    require(scene.delivered() >= before + 2 * (kPacket + 40));
    require(scene.delivered() <= scene.sent);
    return 0;
}
