// SPDX-License-Identifier: MIT
#include "net/icmpv6.hpp"

#include <gtest/gtest.h>

#include "net/ip_header.hpp"

namespace meshnet::net::test {
namespace {

Bytes from_hex(std::string_view text) {
    Bytes out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(std::stoul(std::string(text.substr(i, 2)), nullptr, 16)));
    }
    return out;
}

Address address(std::uint8_t first, std::uint8_t last) {
    Address a{};
    a[0] = first;
    a[15] = last;
    return a;
}

const Address kHost = address(0xfd, 1), kOther = address(0xfd, 2);

Bytes packet(const Address& source, const Address& destination, std::uint8_t next_header, const Bytes& payload) {
    Bytes out;
    out.reserve(kIpHeaderBytes + payload.size());
    ByteWriter w(out);
    w.u32(6U << 28);
    w.u16(static_cast<std::uint16_t>(payload.size()));
    w.u8(next_header);
    w.u8(64);
    w.bytes(source);
    w.bytes(destination);
    w.bytes(payload);
    return out;
}

bool answered(const Bytes& original) {
    return icmp_error_packet({kIcmpUnreachable, 0, 0}, original).has_value();
}

// A datagram to a closed port and Linux's answer (6.x, captured on a TUN; flow label set to 0).
const Bytes kDatagram = from_hex(
    "60000000000d1140fd000000000000000000000000000002fd00000000000000000000000000000103e80001000dbe1468656c6c6f");
const Bytes kLinuxAnswer = from_hex(
    "60000000003d3a40fd000000000000000000000000000001fd000000000000000000000000000002010493500000000060000000000d1140fd"
    "000000000000000000000000000002fd00000000000000000000000000000103e80001000dbe1468656c6c6f");

TEST(Icmpv6, TheAnswerIsTheOneLinuxGives) {
    EXPECT_EQ(icmp_error_packet({kIcmpUnreachable, 4, 0}, kDatagram), kLinuxAnswer);
}

TEST(Icmpv6, AChecksumOverARightPacketIsZero) {
    EXPECT_EQ(upper_layer_checksum(kOther, kHost, 17, ByteView(kDatagram).subspan(40)), 0);
    EXPECT_EQ(upper_layer_checksum(kHost, kOther, 58, ByteView(kLinuxAnswer).subspan(40)), 0);
    Bytes changed = kDatagram;
    changed.back() ^= 1;
    EXPECT_NE(upper_layer_checksum(kOther, kHost, 17, ByteView(changed).subspan(40)), 0);
}

TEST(Icmpv6, EachReasonHasItsMessage) {
    const auto error = [](Undeliverable reason) {
        const IcmpError e = icmp_error_for(reason, 1'400);
        return std::array<unsigned, 3>{e.type, e.code, e.parameter};
    };
    using Figures = std::array<unsigned, 3>;
    EXPECT_EQ(error(Undeliverable::kNoRoute), (Figures{1, 0, 0}));
    EXPECT_EQ(error(Undeliverable::kRouteLost), (Figures{1, 3, 0}));
    EXPECT_EQ(error(Undeliverable::kPrice), (Figures{1, 3, 0}));
    EXPECT_EQ(error(Undeliverable::kRefused), (Figures{1, 3, 0}));
    EXPECT_EQ(error(Undeliverable::kNoAnswer), (Figures{1, 3, 0}));
    EXPECT_EQ(error(Undeliverable::kSource), (Figures{1, 5, 0}));
    EXPECT_EQ(error(Undeliverable::kTooBig), (Figures{2, 0, 1'400}));
    EXPECT_EQ(error(Undeliverable::kHopLimit), (Figures{3, 0, 0}));
}

TEST(Icmpv6, TheMtuStandsInPacketTooBigAndTheAnswerFitsTheSmallestMtu) {
    const Bytes big = packet(kHost, kOther, 17, Bytes(1'460, 9));
    const auto out = icmp_error_packet({kIcmpTooBig, 0, 1'400}, big);
    ASSERT_TRUE(out);
    EXPECT_EQ(out->size(), kMaxIcmpErrorBytes);
    const auto ip = parse_ip(*out);
    ASSERT_TRUE(ip);
    EXPECT_EQ(ip->source, kOther) << "the host has a route to it through us";
    EXPECT_EQ(ip->destination, kHost);
    EXPECT_EQ(upper_layer_checksum(kOther, kHost, 58, ip->payload), 0);
    EXPECT_EQ((Bytes{ip->payload.begin() + 4, ip->payload.begin() + 8}), (Bytes{0, 0, 0x05, 0x78}));
    EXPECT_TRUE(std::equal(ip->payload.begin() + 8, ip->payload.end(), big.begin()));
}

TEST(Icmpv6, WhatIsNeverAnswered) {
    const Bytes payload(16, 0x80);
    EXPECT_TRUE(answered(packet(kHost, kOther, 17, payload)));
    EXPECT_FALSE(answered(packet(Address{}, kOther, 17, payload))) << "unspecified source";
    EXPECT_FALSE(answered(packet(address(0xff, 2), kOther, 17, payload))) << "multicast source";
    EXPECT_FALSE(answered(packet(kHost, address(0xff, 2), 17, payload))) << "multicast destination";
    EXPECT_FALSE(answered(packet(kHost, Address{}, 17, payload)));
    EXPECT_FALSE(answered(packet(kHost, kHost, 17, payload)));
    EXPECT_FALSE(answered({}));
    EXPECT_FALSE(answered(Bytes(39, 0x60)));
    Bytes four = packet(kHost, kOther, 17, payload);
    four[0] = 0x45;
    EXPECT_FALSE(answered(four)) << "IPv4";
}

TEST(Icmpv6, ErrorsAreNotAnsweredWhereverTheyStand) {
    const Bytes request{128, 0, 0, 0, 0, 1, 0, 1}, unreachable{1, 0, 0, 0, 0, 0, 0, 0}, redirect{137, 0, 0, 0};
    EXPECT_TRUE(answered(packet(kHost, kOther, 58, request)));
    EXPECT_FALSE(answered(packet(kHost, kOther, 58, unreachable)));
    EXPECT_FALSE(answered(packet(kHost, kOther, 58, redirect)));
    EXPECT_FALSE(answered(packet(kHost, kOther, 58, {}))) << "its type is not to be seen";
    const auto behind = [](Bytes headers, const Bytes& message) {
        headers.insert(headers.end(), message.begin(), message.end());
        return headers;
    };
    const Bytes options{58, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};  // 16 bytes of padding options
    const Bytes fragment_first{58, 0, 0, 1, 0, 0, 0, 7}, fragment_later{58, 0, 0, 8, 0, 0, 0, 7};
    const Bytes authentication{58, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (const auto& [number, header] :
         {std::pair{0, options}, {60, options}, {43, options}, {44, fragment_first}, {51, authentication}}) {
        const auto n = static_cast<std::uint8_t>(number);
        EXPECT_TRUE(answered(packet(kHost, kOther, n, behind(header, request)))) << number;
        EXPECT_FALSE(answered(packet(kHost, kOther, n, behind(header, unreachable)))) << number;
        EXPECT_FALSE(answered(packet(kHost, kOther, n, Bytes(header.begin(), header.begin() + 7)))) << number;
    }
    EXPECT_FALSE(answered(packet(kHost, kOther, 44, behind(fragment_later, request)))) << "its type is in another";
    Bytes of_udp = fragment_later;
    of_udp[0] = 17;
    EXPECT_TRUE(answered(packet(kHost, kOther, 44, of_udp)));
}

TEST(Icmpv6, AnswersAreLimitedInRate) {
    IcmpErrors errors(1'400);
    const UndeliverablePacket lost{Undeliverable::kNoRoute, packet(kHost, kOther, 17, Bytes(10, 1))};
    Instant now = instant_from_ns(1'000'000'000);
    int answers = 0;
    for (int i = 0; i < 1'000; ++i) {
        answers += errors.answer(now, lost) ? 1 : 0;
    }
    EXPECT_EQ(answers, IcmpErrors::kBurst);
    now += 1s;
    for (int i = 0; i < 1'000; ++i) {
        answers += errors.answer(now, lost) ? 1 : 0;
    }
    EXPECT_EQ(answers, IcmpErrors::kBurst + IcmpErrors::kPerSecond);
    EXPECT_EQ(errors.counters().icmp_errors_sent, static_cast<std::uint64_t>(answers));
    EXPECT_EQ(errors.counters().icmp_errors_limited, 2'000U - static_cast<std::uint64_t>(answers));
    EXPECT_FALSE(errors.answer(now + 10s, {Undeliverable::kNoRoute, Bytes{1, 2, 3}}));
    EXPECT_EQ(errors.counters().icmp_errors_forbidden, 1U);
}

TEST(Undeliverable, WhatNobodyPollsIsForgotten) {
    UndeliverableQueue queue(kHost);
    for (int i = 0; i < 1'000; ++i) {
        queue.add(Undeliverable::kNoRoute, Bytes(2'000, static_cast<std::uint8_t>(i)));
    }
    std::size_t kept = 0;
    std::uint8_t newest = 0;
    while (const auto p = queue.poll()) {
        ++kept;
        newest = p->packet.at(0);
        EXPECT_EQ(p->packet.size(), kUndeliverableBytes);
    }
    EXPECT_EQ(kept, UndeliverableQueue::kPackets);
    EXPECT_EQ(newest, static_cast<std::uint8_t>(999));
}

}  // namespace
}  // namespace meshnet::net::test
