// SPDX-License-Identifier: MIT
// The master key apart from the station: certify, install, replace, revoke.
#include "net/master_key.hpp"

#include <gtest/gtest.h>

#include "net/identity_secrets.hpp"

namespace meshnet::net {
namespace {

struct MasterKeyTest : ::testing::Test {
    Rng random{5};
    MasterKey master = (crypto_init(), MasterKey::generate(random));
};

TEST_F(MasterKeyTest, ADeviceIsCertifiedWithoutThatAnySecretTravels) {
    const DeviceKey device = DeviceKey::generate(random);
    const std::string request = device.request().to_text();  // to the master key, by any way
    const auto received = DeviceRequest::from_text(request);
    ASSERT_TRUE(received.ok());
    const auto certificate = master.certify(*received, 7, 1'900'000'000);
    ASSERT_TRUE(certificate.ok());
    const auto back = certificate_from_text(to_text(*certificate));  // to the station
    ASSERT_TRUE(back.ok());
    const auto station = device.certified(*back);
    ASSERT_TRUE(station.ok());
    EXPECT_EQ(station->id(), master.id());
    EXPECT_FALSE(station->has_master());
    EXPECT_EQ(station->secrets().master_seed, Key32{});

    const auto restarted = Identity::from_text(station->to_text());  // its key file
    ASSERT_TRUE(restarted.ok()) << restarted.error().message;
    EXPECT_EQ(restarted->secrets().certificate, *certificate);
    EXPECT_EQ(restarted->id(), master.id());
    EXPECT_EQ(restarted->to_text(), station->to_text());
    const std::string secret = to_hex(station->secrets().device_seed);
    EXPECT_EQ(request.find(secret), std::string::npos);
    EXPECT_EQ(to_text(*certificate).find(secret), std::string::npos);
}

TEST_F(MasterKeyTest, AKeyFileIsTakenApart) {
    const Identity whole = Identity::generate(random);
    EXPECT_TRUE(whole.has_master());
    const auto apart = MasterKey::from_text(whole.to_text());
    ASSERT_TRUE(apart.ok());
    EXPECT_EQ(apart->id(), whole.id());
    const Identity device = whole.device_only();
    EXPECT_EQ(device.id(), whole.id());
    EXPECT_EQ(device.to_text().find(to_hex(whole.secrets().master_seed)), std::string::npos);
    const auto again = Identity::from_text(device.to_text());
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->secrets().certificate, whole.secrets().certificate);
}

TEST_F(MasterKeyTest, TextGoesThereAndBack) {
    const auto same = MasterKey::from_text(" " + master.to_text() + "\n");
    ASSERT_TRUE(same.ok());
    EXPECT_EQ(same->id(), master.id());
    EXPECT_EQ(same->to_text(), master.to_text());
    const DeviceKey device = DeviceKey::generate(random);
    const auto pending = DeviceKey::from_text(device.to_text());
    ASSERT_TRUE(pending.ok());
    EXPECT_EQ(pending->request().to_text(), device.request().to_text());
}

TEST_F(MasterKeyTest, WhatDoesNotBelongTogetherIsRefused) {
    const DeviceKey device = DeviceKey::generate(random), other = DeviceKey::generate(random);
    const auto certificate = master.certify(device.request(), 1);
    EXPECT_FALSE(other.certified(*certificate).ok());
    EXPECT_TRUE(device.certified(*certificate).ok());
    Certificate forged = *certificate;
    forged.serial = 9;
    EXPECT_FALSE(device.certified(forged).ok());
    EXPECT_FALSE(certificate_from_text(to_text(forged)).ok());
    EXPECT_FALSE(device.certified(*master.revoke(3)).ok());
    EXPECT_FALSE(master.certify(device.request(), 0).ok());
    EXPECT_FALSE(master.certify(device.request(), 0xFFFF'FFFF).ok()) << "the last is for a revocation";
    EXPECT_FALSE(master.certify({}, 1).ok());
    EXPECT_FALSE(master.revoke(0).ok());
    EXPECT_TRUE(master.revoke(0xFFFF'FFFF)->revokes());
    EXPECT_FALSE(certificate->revokes());
}

TEST_F(MasterKeyTest, ABadTextIsExplainedInOneLineAndNeverShown) {
    const DeviceKey device = DeviceKey::generate(random);
    const auto certificate = master.certify(device.request(), 1);
    const std::string good[] = {master.to_text(), device.to_text(), device.request().to_text(), to_text(*certificate),
                                device.certified(*certificate)->to_text()};
    const auto check = [&](const std::string& text, const std::string& secret) {
        for (const Error& e : {MasterKey::from_text(text).error(), DeviceKey::from_text(text).error(),
                               DeviceRequest::from_text(text).error(), certificate_from_text(text).error(),
                               Identity::from_text(text).error()}) {
            EXPECT_FALSE(e.message.empty());
            EXPECT_EQ(e.message.find('\n'), std::string::npos);
            EXPECT_EQ(e.message.find(secret), std::string::npos);
        }
    };
    for (const std::string& text : good) {
        const std::string secret = text.substr(text.find(':') + 1, 8);
        for (std::size_t i = 0; i < text.size(); i += 5) {
            std::string one = text;
            one[i] = one[i] == '0' ? '1' : '0';
            check(one, secret);
        }
        check(text + "0", secret);
        check(text.substr(0, text.size() - 1), secret);
    }
    check("", "secret");
    check("hello", "secret");
}

}  // namespace
}  // namespace meshnet::net
