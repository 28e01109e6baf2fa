// SPDX-License-Identifier: MIT
// A station driven by a script of hostile events: raw payloads, bursts with valid checks and arbitrary fields, carrier,
// time, packets, keys.
//
// Script: one byte of settings (bit 0: authenticated), then op and its operands, again and again; what is missing reads
// as zero. Whatever happens, requests obey the lead and the size, queues their bounds, and the station can be polled to
// rest. Authenticated, a packet comes only from a station with keys, in a burst with a tag that holds; and if no such
// burst was given, nothing is delivered or acknowledged.
#include <algorithm>
#include <cstdlib>

#include "mac/frame_format.hpp"
#include "mac/mac.hpp"
#include "tests/support/table_phy.hpp"

using namespace meshnet;
using namespace meshnet::mac;

namespace {

void require(bool good) {
    if (!good) {
        std::abort();
    }
}

constexpr StationId kKeyed = 8;  // stations below it may have keys

LinkKeys keys_of(StationId peer) {
    LinkKeys keys;
    keys.send.fill(static_cast<std::uint8_t>(peer));
    keys.receive.fill(static_cast<std::uint8_t>(peer + 100));
    return keys;
}

Burst read_burst(ByteReader& in, Bytes& data, bool authenticated) {
    Burst b;
    BurstHeader& h = b.header;
    h.authenticated = authenticated;
    h.sender = 1 + in.u8() % 80U;
    h.epoch = in.u8() % 3U;
    h.burst = in.u8();
    h.chain_left = in.u8() & 15U;
    h.wants_txop = (in.u8() & 1U) != 0;
    h.gap = in.u8() * Duration{250us};
    const std::uint8_t grantee = in.u8();
    h.grantee = grantee < 128 ? 200 : grantee % 80U;
    h.grant = in.u16() * Duration{16us};
    h.nav = in.u16() * Duration{16us};
    h.backlog_bytes = in.u16() * std::size_t{64};
    const std::size_t targets = in.u8() % (kMaxTargets + 1);
    for (std::size_t i = 0; i < targets; ++i) {
        const std::uint8_t who = in.u8();
        h.targets.push_back({who < 160   ? 200U
                             : who < 200 ? kBroadcast
                                         : StationId{who},
                             static_cast<std::uint16_t>(in.u8() % 2U), in.u16()});
    }
    const std::uint8_t parts = in.u8();
    for (unsigned i = 0; i < (parts & 7U); ++i) {
        BlockAck a;
        a.peer = (in.u8() & 3U) != 0 ? 200 : 7;
        a.session = in.u16();
        a.burst = in.u8();
        a.snr_db = static_cast<float>(in.u8()) / 4.0F - 32.0F;
        a.base = in.u16();
        a.bitmap.assign(in.u8() % (kMaxBitmapBytes + 1), in.u8());
        b.acks.push_back(std::move(a));
    }
    if ((parts & 8U) != 0) {
        Hello hello;
        hello.number = in.u16();
        hello.sent = Duration{static_cast<std::int64_t>(in.u32()) << (in.u8() % 16U)};
        hello.interval = in.u8() * Duration{16ms};
        hello.truncated = (in.u8() & 1U) != 0;
        const std::size_t heard = in.u8() % (kMaxHeard + 1);
        for (std::size_t i = 0; i < heard; ++i) {
            if (authenticated && i == kMaxHeardTagged) {
                break;
            }
            hello.heard.push_back({(in.u8() & 3U) != 0 ? 200U : 9U, static_cast<float>(in.u8()) / 4.0F - 32.0F,
                                   in.u16(), Duration{static_cast<std::int64_t>(in.u32())}});
        }
        b.hello = std::move(hello);
    }
    data.assign(1 + in.u8() * 4U, 0x5A);
    if (authenticated) {
        h.witnesses = static_cast<std::uint8_t>(in.u8() % (targets + 1));
        if ((in.u8() & 1U) != 0) {
            b.opens.push_back({(in.u8() & 1U) != 0 ? 200 : kBroadcast,
                               ByteView(data).first(std::min<std::size_t>(data.size(), kMaxOpenBytes))});
        }
    }
    for (unsigned i = 0; i < (parts >> 4) && targets > 0; ++i) {
        FragmentView f;
        f.target = static_cast<std::uint8_t>(in.u8() % targets);
        f.priority = static_cast<Priority>(in.u8() % 3U);
        f.sequence = in.u16();
        f.sdu = in.u8();
        f.count = static_cast<std::uint8_t>(1 + in.u8() % kMaxFragments);
        f.index = static_cast<std::uint8_t>(in.u8() % f.count);
        f.data = data;
        b.fragments.push_back(f);
    }
    return b;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    const test::TablePhy phy({{0.667e6, 0.0F, 2ms}, {1.333e6, 4.0F, 2ms}, {2.667e6, 8.0F, 2ms}}, 8'000);
    Rng random(1);
    Mac::Config config;
    config.self = 200;
    config.queue_bytes = 20'000;
    ByteReader in(ByteView(bytes, size));
    config.authenticated = (in.u8() & 1U) != 0;
    Mac mac(config, phy, random);
    Instant now = instant_from_ns(5'000'000'000);
    std::optional<TxRequest> last;
    Bytes data;
    bool any_genuine = false;
    for (int step = 0; step < 200 && in.left() > 0; ++step) {
        const std::uint8_t op = in.u8();
        switch (op % 8) {
            case 0:
            case 1:
            case 2: {
                RxFrame frame;
                const Duration length = in.u8() * Duration{1ms};
                frame.end = now - in.u8() * Duration{100us};
                frame.start = frame.end - length;
                frame.snr_db = static_cast<float>(in.u8()) / 4.0F - 20.0F;
                if (op % 8 == 0) {
                    const ByteView raw = in.bytes(std::min<std::size_t>(in.u8(), in.left()));
                    frame.payload.assign(raw.begin(), raw.end());
                } else {
                    // With tags of the right keys, of wrong ones, or none at all.
                    const bool tagged = config.authenticated && (op & 16U) != 0;
                    const Burst burst = read_burst(in, data, tagged);
                    const bool genuine = (op & 32U) != 0 && burst.header.sender < kKeyed;
                    TagKey key = keys_of(burst.header.sender).receive;
                    key[0] = static_cast<std::uint8_t>(key[0] ^ (genuine ? 0 : 1));
                    any_genuine = any_genuine || (genuine && tagged);
                    frame.payload =
                        encode_burst(burst, (op & 8U) != 0, [&](StationId) -> const TagKey* { return &key; });
                }
                mac.on_frame(now, frame);
                break;
            }
            case 3:
                if ((op & 16U) != 0) {
                    const StationId peer = 1 + in.u8() % (kKeyed - 1);
                    const std::uint8_t what = in.u8();
                    if (what % 4 == 0) {
                        mac.forget_link_keys(now, peer);
                    } else {
                        mac.set_link_keys(now, peer, keys_of(peer), what % 4 == 1);
                    }
                    break;
                }
                mac.on_carrier(now, (in.u8() & 1U) != 0);
                break;
            case 4:
                now += in.u8() * Duration{op < 128 ? 1ms : 50ms};
                break;
            case 5: {
                Sdu sdu;
                const std::uint8_t to = in.u8();
                sdu.peer = to < 20 ? kBroadcast : 1 + to % 80U;
                sdu.priority = static_cast<Priority>(in.u8() % 3U);
                sdu.bytes.assign(in.u16() % 9'000U, 0x77);
                sdu.open = config.authenticated && (op & 16U) != 0;
                sdu.answer = (op & 32U) != 0;
                (void)mac.enqueue(now, std::move(sdu));
                require(mac.room(kBroadcast) <= config.queue_bytes);
                break;
            }
            case 6:
                if (last) {
                    now = std::max(now, last->at + phy.airtime(last->mode, last->payload.size()));
                    mac.on_transmitted(now, last->id, (in.u8() & 3U) != 0 ? TxOutcome::kSent : TxOutcome::kLate);
                    last.reset();
                }
                break;
            default:
                if (const auto next = mac.next_timeout()) {
                    now = std::clamp(*next, now, now + 2s);
                }
                mac.on_timeout(now);
                break;
        }
        int polls = 0;
        while (auto request = mac.poll_transmit(now)) {
            require(request->at >= now + config.transmit_lead && request->payload.size() <= phy.max_bytes() &&
                    !request->payload.empty());
            require(parse_burst(request->payload).has_value());
            last = std::move(request);
            require(++polls < 3);
        }
        while (const auto event = mac.poll_event()) {
            if (const auto* got = std::get_if<Received>(&*event)) {
                require(!got->sdu.bytes.empty() && got->sdu.bytes.size() <= kMaxSduBytes);
                require(!config.authenticated || got->sdu.open || (any_genuine && got->sdu.peer < kKeyed));
            } else if (const auto* done = std::get_if<SduDone>(&*event)) {
                require(!config.authenticated || !done->delivered || any_genuine);
            }
        }
    }
    require(mac.neighbors(now).size() <= (config.authenticated ? 64U + 32U : 64U));
    for (const NeighborView& n : mac.neighbors(now)) {
        require(!config.authenticated || !n.up || n.quality.peer < kKeyed);
    }
    return 0;
}
