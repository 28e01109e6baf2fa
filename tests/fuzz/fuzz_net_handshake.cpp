// SPDX-License-Identifier: MIT
// Any bytes as handshake frames into an initiator and a responder in every stage, and as certificates and Noise
// messages.
#include <cstdlib>

#include "net/identity_secrets.hpp"
#include "net/link_peer.hpp"
#include "net/route_messages.hpp"

using namespace meshnet;
using namespace meshnet::net;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Rng seed(1);
    static const Identity one = Identity::generate(seed);
    static const Identity two = Identity::generate(seed);
    Rng rng(7);
    const auto all = [](const NodeId&) { return true; };
    HandshakeShared shared_a(rng);
    HandshakeShared shared_b(rng);
    LinkPeer a(one.secrets().certificate, one.secrets().exchange_secret, one.station_id(), two.station_id(), rng,
               shared_a, all);
    LinkPeer b(two.secrets().certificate, two.secrets().exchange_secret, two.station_id(), one.station_id(), rng,
               shared_b, all);
    Instant now = instant_from_ns(1'000'000'000);
    a.start(now);
    ByteReader in({data, size});
    for (int i = 0; in.left() > 0 && i < 32; ++i) {
        const std::uint8_t what = in.u8();
        LinkPeer& from = (what & 1) != 0 ? a : b;
        LinkPeer& to = (what & 1) != 0 ? b : a;
        std::optional<Bytes> frame;
        if (auto handshake = from.poll_handshake()) {
            frame = std::move(handshake->frame);
        } else if (from.up() && from.unheard()) {
            frame = from.greeting();
        }
        if ((what & 2) != 0 && frame) {  // a true frame with some bytes changed
            const ByteView patch = in.bytes(std::min<std::size_t>(what >> 5, in.left()));
            for (const std::uint8_t p : patch) (*frame)[p % frame->size()] ^= 0x41;
            (void)to.on_frame(now, *frame);
        } else {
            if (frame) (void)to.on_frame(now, *frame);
            const ByteView raw = in.bytes(std::min<std::size_t>(in.u8() * 2U, in.left()));
            (void)to.on_frame(now, raw);
            (void)Certificate::decode(raw);
            (void)RouteUpdate::decode(raw);
            const Key32 secret{1};
            NoiseHandshake noise(NoisePattern::kIK, false, {}, secret, Key32{2});
            (void)noise.read(raw);
        }
        now += Duration{(what >> 3) * 50'000'000LL};
        a.on_timeout(now);
        b.on_timeout(now);
    }
    if (a.up() && a.id() != two.id()) std::abort();
    if (b.up() && b.id() != one.id()) std::abort();
    return 0;
}
