// SPDX-License-Identifier: MIT
#include "apps/transfer/transfer.hpp"

#include <gtest/gtest.h>

#include <map>

#include "core/random.hpp"

namespace meshnet::apps {
namespace {

Bytes random_bytes(std::size_t n, std::uint64_t seed) {
    Bytes out(n);
    Rng(seed).fill(out);
    return out;
}

TEST(TransferPacket, MessagesRoundTrip) {
    const TransferMessage open{7, TransferOpen{1'000, sha256(random_bytes(9, 1)), "chart.bin"}};
    const TransferMessage data{8, TransferData{3, 99, random_bytes(kTransferChunk, 2)}};
    const TransferMessage ack{9, TransferAck{TransferAck::kComplete, 4, 5, {1, 2, 3}}};
    const TransferMessage pull{0, TransferPull{}};
    for (const auto& message : {open, data, ack, pull}) {
        const Bytes bytes = encode_transfer(message);
        const auto back = decode_transfer(bytes);
        ASSERT_TRUE(back.has_value()) << message.body.index();
        EXPECT_EQ(back->transfer, message.transfer);
        EXPECT_EQ(encode_transfer(*back), bytes);
        for (std::size_t cut = 0; cut < 12; ++cut) {
            EXPECT_FALSE(decode_transfer(ByteView(bytes).first(cut)).has_value()) << cut;
        }
    }
}

TEST(TransferPacket, RefusesNamesThatLeaveTheFolder) {
    EXPECT_FALSE(decode_transfer(encode_transfer({1, TransferOpen{1, {}, "../x"}})).has_value());
    EXPECT_FALSE(decode_transfer(encode_transfer({1, TransferOpen{kMaxTransferBytes + 1, {}, "x"}})).has_value());
}

TEST(UdpPacket, ChecksumOfAKnownPacket) {
    // Calculated by hand after RFC 768 and RFC 8200, 8.1: fd00::1 -> fd00::2, ports 1 -> 2, payload "A".
    UdpDatagram d;
    d.source = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    d.destination = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
    d.source_port = 1;
    d.destination_port = 2;
    d.payload = {'A'};
    const Bytes packet = encode_udp(d);
    ASSERT_EQ(packet.size(), 49U);
    // Sum: fd00 + 1 + fd00 + 2 + length 9 + next header 17 + ports 1 + 2 + length 9 + 4100 = 2'3b29 + ... folded below.
    std::uint32_t sum = 0xfd00 + 1 + 0xfd00 + 2 + 9 + 17 + 1 + 2 + 9 + 0x4100;
    sum = (sum & 0xffff) + (sum >> 16);
    EXPECT_EQ((packet[46] << 8) | packet[47], 0xffff - static_cast<int>(sum));
}

TEST(UdpPacket, EveryFlippedBitOfTheDatagramIsSeen) {
    UdpDatagram d;
    d.source[0] = d.destination[0] = 0xfd;
    d.source_port = d.destination_port = kTransferPort;
    d.payload = random_bytes(101, 4);
    Bytes packet = encode_udp(d);
    const auto back = decode_udp(packet);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->payload, d.payload);
    for (std::size_t bit = 40 * 8; bit < packet.size() * 8; ++bit) {
        packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ (1U << (bit % 8)));
        EXPECT_FALSE(decode_udp(packet).has_value()) << bit;
        packet[bit / 8] = static_cast<std::uint8_t>(packet[bit / 8] ^ (1U << (bit % 8)));
    }
}

struct Wire {
    double loss = 0.0;
    double doubled = 0.0;
    Duration delay = 100ms;
    Duration jitter = 0ms;
    double rate_bps = 1e6;
    std::size_t queue = 60;  // full messages
};

struct Outcome {
    bool done = false;
    bool same = false;
    double seconds = 0.0;
    std::uint64_t retransmissions = 0;
};

/// Both ends in virtual time over a wire with a queue; each direction loses, doubles and delays by seed.
Outcome run(std::size_t size, const Wire& wire, std::uint64_t seed, Duration limit = 600s) {
    Rng rng(seed);
    const Bytes file = random_bytes(size, seed + 1);
    TransferSender sender(42, "f", file);
    std::optional<TransferReceiver> receiver;
    std::multimap<Instant, std::pair<bool, Bytes>> flying;  // true: to the receiver
    Instant free_at[2] = {};
    Instant now{};
    const auto put = [&](bool to_receiver, const TransferMessage& message) {
        const Bytes bytes = encode_transfer(message);
        Instant& busy = free_at[to_receiver ? 0 : 1];
        busy = std::max(busy, now);
        const Duration one = from_seconds(8.0 * static_cast<double>(bytes.size() + 48) / wire.rate_bps);
        const Duration longest = from_seconds(8.0 * 1'248.0 * static_cast<double>(wire.queue) / wire.rate_bps);
        if (busy - now > longest || rng.uniform() < wire.loss) {
            return;
        }
        busy += one;
        for (int copies = rng.uniform() < wire.doubled ? 2 : 1; copies > 0; --copies) {
            const Duration late =
                wire.jitter.count() > 0
                    ? Duration{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(wire.jitter.count())))}
                    : Duration{};
            flying.emplace(busy + wire.delay + late, std::pair{to_receiver, bytes});
        }
    };
    while (sender.state() == TransferSender::State::kRunning && now < Instant{limit}) {
        while (auto m = sender.poll_transmit(now)) put(true, *m);
        while (receiver) {
            auto m = receiver->poll_transmit(now);
            if (!m) break;
            put(false, *m);
        }
        Instant next = Instant{limit};
        if (!flying.empty()) next = std::min(next, flying.begin()->first);
        if (auto t = sender.next_timeout()) next = std::min(next, *t);
        if (receiver) {
            if (auto t = receiver->next_timeout()) next = std::min(next, *t);
        }
        now = std::max(now + 1ns, next);
        while (!flying.empty() && flying.begin()->first <= now) {
            const auto [to_receiver, bytes] = flying.begin()->second;
            flying.erase(flying.begin());
            const auto message = decode_transfer(bytes);
            EXPECT_TRUE(message.has_value());
            if (!to_receiver) {
                sender.on_message(now, *message);
            } else {
                if (const auto* open = std::get_if<TransferOpen>(&message->body); open != nullptr && !receiver) {
                    receiver.emplace(message->transfer, *open);
                }
                if (receiver) receiver->on_message(now, *message);
            }
        }
    }
    Outcome out;
    out.done = sender.state() == TransferSender::State::kDone;
    out.same = receiver && receiver->complete() && receiver->intact() && receiver->file() == file;
    out.seconds = to_seconds(now.time_since_epoch());
    out.retransmissions = sender.retransmissions();
    return out;
}

TEST(Transfer, FillsACleanWire) {
    Wire wire;
    wire.queue = 100;
    const auto out = run(400'000, wire, 1);
    EXPECT_TRUE(out.done && out.same);
    EXPECT_EQ(out.retransmissions, 0U);
    EXPECT_LT(out.seconds, 1.25 * 400'000 * 8 / 1e6 + 1.0) << "at least 80 % of the rate";
}

TEST(Transfer, SmallestFiles) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kTransferChunk, kTransferChunk + 1}) {
        const auto out = run(size, {}, 2);
        EXPECT_TRUE(out.done && out.same) << size;
    }
}

TEST(Transfer, ArrivesIntactOverAnyWire) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        Wire wire;
        wire.loss = 0.03 * static_cast<double>(seed % 6);
        wire.doubled = 0.05;
        wire.jitter = 30ms * static_cast<std::int64_t>(seed % 3);
        wire.queue = 10 + 5 * (seed % 4);
        const auto out = run(60'000, wire, seed);
        EXPECT_TRUE(out.done && out.same) << "seed " << seed << " after " << out.seconds << " s";
    }
}

TEST(Transfer, SurvivesAnOutage) {
    // A sender whose receiver is silent repeats its OPEN, at most every 8 s.
    TransferSender sender(1, "f", random_bytes(5'000, 3));
    Instant now{};
    int opens = 0;
    while (now < Instant{100s}) {
        while (sender.poll_transmit(now)) ++opens;
        ASSERT_TRUE(sender.next_timeout().has_value());
        ASSERT_GT(*sender.next_timeout(), now) << "a timer in the past would be a busy loop";
        now = *sender.next_timeout();
    }
    EXPECT_GE(opens, 12);
    EXPECT_LE(opens, 18);
}

TEST(Transfer, ForgedAcknowledgementsDoNoHarm) {
    TransferSender sender(1, "f", random_bytes(50'000, 3));
    Rng rng(9);
    Instant now{};
    for (int i = 0; i < 3'000; ++i) {
        now += 10ms;
        while (sender.poll_transmit(now)) {
        }
        TransferAck ack;
        ack.next = static_cast<std::uint32_t>(rng.below(60));
        ack.stamp = rng.next_u64();
        ack.bitmap.resize(rng.below(33));
        rng.fill(ack.bitmap);
        sender.on_message(now, {1, ack});
    }
    EXPECT_EQ(sender.state(), TransferSender::State::kRunning) << "only the result of the digest ends it";
    sender.on_message(now, {1, TransferAck{TransferAck::kComplete | TransferAck::kDamaged, 0, 0, {}}});
    EXPECT_EQ(sender.state(), TransferSender::State::kDamaged);
}

TEST(Transfer, ACorruptChunkIsFound) {
    const Bytes file = random_bytes(3'000, 6);
    TransferOpen open{file.size(), sha256(file), "f"};
    TransferReceiver receiver(5, open);
    for (std::uint32_t chunk = 0; chunk < 3; ++chunk) {
        const std::size_t begin = chunk * kTransferChunk;
        Bytes part(file.begin() + static_cast<std::ptrdiff_t>(begin),
                   file.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kTransferChunk, file.size())));
        part[0] ^= 1;
        receiver.on_message(Instant{}, {5, TransferData{chunk, 1, part}});
    }
    ASSERT_TRUE(receiver.complete());
    EXPECT_FALSE(receiver.intact());
    const auto answer = receiver.poll_transmit(Instant{});
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(std::get<TransferAck>(answer->body).flags, TransferAck::kComplete | TransferAck::kDamaged);
}

}  // namespace
}  // namespace meshnet::apps
