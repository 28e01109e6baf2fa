// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include "core/random.hpp"
#include "net/identity_secrets.hpp"
#include "net/route_proofs.hpp"

namespace meshnet::net {
namespace {

struct RouteProofsTest : ::testing::Test {
    Rng random{7};
    Identity identity = (crypto_init(), Identity::generate(random));
    const Identity::Secrets& self = identity.secrets();
    RouteProofs proofs;
    std::uint64_t verifications = 0;

    [[nodiscard]] RouteUpdate update(std::uint32_t seqno, bool with_certificate = false) const {
        RouteUpdate u;
        u.destination = short_id(self.id);
        u.seqno = seqno;
        u.metric = RouteMetric::origin();
        u.serial = self.certificate.serial;
        u.signature = self.device.sign(kRouteContext, RouteUpdate::signed_part(self.id, seqno, u.serial));
        if (with_certificate) {
            u.certificate = self.certificate;
        }
        return u;
    }
    bool genuine(const RouteUpdate& u) { return proofs.verify(self.id, u, verifications).genuine; }
};

TEST_F(RouteProofsTest, NothingIsGenuineWithoutACertificate) {
    EXPECT_FALSE(genuine(update(1)));
    EXPECT_EQ(verifications, 0U);
    EXPECT_EQ(proofs.certificate(), nullptr);
    EXPECT_EQ(proofs.signature(1), nullptr);
}

TEST_F(RouteProofsTest, ASeqnoIsVerifiedOnce) {
    const RouteProofs::Verdict first = proofs.verify(self.id, update(1, true), verifications);
    EXPECT_TRUE(first.genuine);
    EXPECT_TRUE(first.new_certificate);
    EXPECT_EQ(verifications, 2U);
    RouteUpdate again = update(1);
    again.signature.reset();
    again.metric.price_msat_per_mib = 5;  // not signed: relays change it
    EXPECT_TRUE(genuine(again));
    EXPECT_EQ(verifications, 2U);
    ASSERT_NE(proofs.signature(1), nullptr);
    EXPECT_EQ(*proofs.signature(1), *update(1).signature);
    again.seqno = 2;
    EXPECT_FALSE(genuine(again)) << "a new seqno needs its signature";
}

TEST_F(RouteProofsTest, TwoRunsMaySignOneSeqno) {
    (void)proofs.learn(self.certificate);
    RouteUpdate first = update(1), second = update(1);
    second.instance = {0, 5, 0, false};
    EXPECT_FALSE(genuine(second)) << "the signature covers the run";
    second.signature =
        self.device.sign(kRouteContext, RouteUpdate::signed_part(self.id, 1, second.serial, second.instance));
    for (const RouteUpdate& u : {first, second}) {
        const RouteProofs::Verdict verdict = proofs.verify(self.id, u, verifications);
        EXPECT_TRUE(verdict.genuine && verdict.new_signature);
        EXPECT_FALSE(proofs.verify(self.id, u, verifications).new_signature);
    }
    EXPECT_EQ(proofs.find(1)->instance.boot, 5U) << "the newest";
}

TEST_F(RouteProofsTest, NothingOfAnEarlierEpochIsGenuine) {
    const auto of_epoch = [&](std::uint32_t seqno, std::uint32_t epoch) {
        RouteUpdate u = update(seqno);
        u.instance.epoch = epoch;
        u.signature = self.device.sign(kRouteContext, RouteUpdate::signed_part(self.id, seqno, u.serial, u.instance));
        return u;
    };
    (void)proofs.learn(self.certificate);
    EXPECT_TRUE(genuine(of_epoch(5, 3)));
    EXPECT_TRUE(genuine(of_epoch(6, 4)));
    const std::uint64_t before = verifications;
    const RouteProofs::Verdict verdict = proofs.verify(self.id, of_epoch(7, 3), verifications);
    EXPECT_TRUE(!verdict.genuine && verdict.outdated);
    EXPECT_EQ(verifications, before) << "it costs nothing";
    EXPECT_EQ(proofs.signature(5), nullptr) << "nor does what was genuine in the epoch before";
    RouteProofs restored;
    (void)restored.learn(self.certificate);
    restored.restore(4, 0, {});
    EXPECT_FALSE(restored.verify(self.id, of_epoch(8, 3), verifications).genuine);
    EXPECT_TRUE(restored.verify(self.id, of_epoch(8, 4), verifications).genuine);
}

TEST_F(RouteProofsTest, AForgedSignatureIsRefused) {
    (void)proofs.learn(self.certificate);
    RouteUpdate u = update(3);
    (*u.signature)[10] ^= 1;
    EXPECT_FALSE(genuine(u));
    u = update(3);
    u.seqno = 4;
    EXPECT_FALSE(genuine(u));
    EXPECT_TRUE(genuine(update(3)));
}

TEST_F(RouteProofsTest, ACertificateOfSomebodyElseIsNotTaken) {
    const Identity other = Identity::generate(random);
    RouteUpdate u = update(1);
    u.certificate = other.secrets().certificate;
    EXPECT_FALSE(genuine(u));
    EXPECT_EQ(proofs.certificate(), nullptr);
}

TEST_F(RouteProofsTest, ALearntCertificateIsKeptUnlessANewerOneComes) {
    (void)proofs.learn(self.certificate);
    EXPECT_TRUE(genuine(update(1)));
    (void)proofs.learn(self.certificate);
    EXPECT_NE(proofs.signature(1), nullptr) << "the same certificate changes nothing";
    Certificate newer = self.certificate;
    newer.serial += 1;
    (void)proofs.learn(newer);
    EXPECT_EQ(proofs.signature(1), nullptr) << "signatures belong to a certificate";
    EXPECT_FALSE(genuine(update(1))) << "signed under the old serial";
}

TEST_F(RouteProofsTest, OnlyTheNewestSignaturesAreKept) {
    (void)proofs.learn(self.certificate);
    for (std::uint32_t seqno = 1; seqno <= 5; ++seqno) {
        EXPECT_TRUE(genuine(update(seqno)));
    }
    EXPECT_EQ(proofs.signature(1), nullptr);
    EXPECT_NE(proofs.signature(2), nullptr);
    EXPECT_NE(proofs.signature(5), nullptr);
}

}  // namespace
}  // namespace meshnet::net
