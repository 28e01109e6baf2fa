// SPDX-License-Identifier: MIT
// The test vectors of docs/spec/net.md and docs/spec/payment.md, read from those pages: text and code cannot part.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "net/identity_secrets.hpp"
#include "net/master_key.hpp"
#include "net/packet_format.hpp"
#include "net/payment/amount.hpp"
#include "net/payment/hash_chain.hpp"
#include "net/route_messages.hpp"

namespace meshnet::net {
namespace {

/// A page of the specification without blanks, so that broken lines do not matter.
std::string page(const std::string& name) {
    std::ifstream file(std::string(MESHNET_SOURCE_DIR) + "/docs/spec/" + name);
    std::string text;
    for (auto it = std::istreambuf_iterator<char>(file); it != std::istreambuf_iterator<char>(); ++it) {
        if (*it != ' ' && *it != '\n') text += *it;
    }
    return text;
}

std::string seed(char digit) {
    std::string out;
    for (int i = 0; i < 32; ++i) out += std::string("0") + digit;
    return out;
}

TEST(Vectors, OfTheNetPage) {
    const std::string text = page("net.md");
    const auto key = Identity::from_text("meshnet-key-v1:" + seed('1') + seed('2') + seed('3') +
                                         "000000010000000000000000:7152c5b9");
    ASSERT_TRUE(key.ok()) << key.error().message;
    EXPECT_NE(text.find("nodeid" + to_string(key->id())), std::string::npos);
    EXPECT_NE(text.find("address" + to_string(key->address())), std::string::npos);
    Bytes certificate;
    key->secrets().certificate.encode(certificate);
    EXPECT_NE(text.find("certificate" + to_hex(certificate)), std::string::npos);
    const auto master = MasterKey::from_text(key->to_text());
    certificate.clear();
    master->revoke(1)->encode(certificate);
    EXPECT_NE(text.find("revocation" + to_hex(certificate)), std::string::npos);
    RouteUpdates updates;
    updates.span = RouteUpdates::Span{0x21222324, 4, 5};
    updates.entries.resize(1);
    RouteUpdate& u = updates.entries[0];
    u.destination = short_id(key->id());
    u.seqno = 7;
    u.metric = RouteMetric{1'000, 20, 3, 1};
    u.via = 0x0a0b;
    u.instance = {2, 0x1112131415161718, 0, false};
    u.run = u.instance.tag();
    u.serial = 1;
    u.signature = key->secrets().device.sign(kRouteContext, RouteUpdate::signed_part(key->id(), 7, 1, u.instance));
    EXPECT_NE(text.find("boot1112131415161718" + to_hex(updates.encode())), std::string::npos);
    MessageBundle bundle(400);
    const Bytes sealed(16, 0xcc);
    ASSERT_TRUE(bundle.add({0x01020304, 5, 31, sealed}));
    ASSERT_TRUE(bundle.add({0x01020304, 6, 31, sealed}));
    ASSERT_TRUE(bundle.add_control(ReceiptAck{0x0a0b0c0d, 4096}.encode()));
    EXPECT_NE(text.find("4096bytes" + to_hex(bundle.bytes())), std::string::npos);
}

TEST(Vectors, OfThePaymentPage) {
    const std::string text = page("payment.md");
    FlowId flow{};
    flow.fill(0xaa);
    Payword last{};
    last.fill(0x55);
    const HashChain chain(flow, 4, last);
    for (std::uint32_t k = 0; k < 4; ++k) {
        EXPECT_NE(text.find("w_" + std::to_string(k) + to_hex(chain.payword(k))), std::string::npos) << k;
    }
    EXPECT_NE(text.find("cost(1000,16384)=" + std::to_string(price_nsat(1'000, 16'384)) + "nsat"), std::string::npos);
    EXPECT_NE(text.find("cost(777,12345)=" + std::to_string(price_nsat(777, 12'345)) + "nsat"), std::string::npos);
    const SigningKey key(Key32{});
    const std::string statement = to_hex(key.sign(kStatementContext, Statement::signed_part(flow, 12'345, 67)));
    EXPECT_NE(text.find(statement), std::string::npos) << statement;
}

}  // namespace
}  // namespace meshnet::net
