// SPDX-License-Identifier: MIT
// A link handshake, frames, a flow and its messages byte by byte, from fixed keys, as committed in
// tests/vectors/net_transcript.txt for a second implementation of docs/spec/net.md and docs/spec/payment.md.
//
// With MESHNET_WRITE_VECTORS=1 in the environment the file is written anew instead (a new version of the spec).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "net/ip_header.hpp"
#include "tests/net/flow_opener_fixture.hpp"

namespace meshnet::net::test {
namespace {

const std::string kFile = std::string(MESHNET_SOURCE_DIR) + "/tests/vectors/net_transcript.txt";

/// Lines of a name and a value.
class Transcript {
public:
    void say(const std::string& name, ByteView bytes) { out_ << name << ' ' << to_hex(bytes) << '\n'; }
    void say(const std::string& name, const std::string& text) { out_ << name << ' ' << text << '\n'; }
    void comment(const std::string& text) { out_ << "# " << text << '\n'; }
    [[nodiscard]] std::string text() const { return out_.str(); }

private:
    std::ostringstream out_;
};

std::string link_text(NeighborId link) {
    Bytes bytes;
    ByteWriter(bytes).u32(link);
    return to_hex(bytes);
}

Bytes message_bytes(MessageType type, const Bytes& body) {
    Bytes out{static_cast<std::uint8_t>(type)};
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

struct TranscriptTest : FlowOpenerTest {
    Transcript t;

    static std::string who(std::size_t end) { return end == 0 ? "a" : "b"; }

    void keys() {
        t.comment("Two stations, a and b: key file, link number, certificate.");
        for (std::size_t i = 0; i < 2; ++i) {
            Bytes certificate;
            w.ends[i].identity.secrets().certificate.encode(certificate);
            t.say(who(i) + "_key", w.ends[i].identity.to_text());
            t.say(who(i) + "_id", w.ends[i].identity.id());
            t.say(who(i) + "_link", link_text(w.ends[i].link));
            t.say(who(i) + "_certificate", certificate);
        }
    }

    /// The secret of the newest handshake that `end` begins: its public half opens the first message.
    Key32 ephemeral_secret(ByteView first, const Rng& before) {
        const Bytes sent(first.begin() + 1, first.begin() + 33);
        for (int skipped = 0; skipped < 64; ++skipped) {  // numbers of 8 bytes drawn before it
            Rng copy = before;
            for (int i = 0; i < skipped; ++i) (void)copy.next_u64();
            const Key32 secret = random_key(copy);
            if (const Key32 open = dh_public(secret); std::equal(sent.begin(), sent.end(), open.begin())) {
                return secret;
            }
        }
        ADD_FAILURE() << "the first message has no key that was drawn";
        return {};
    }

    /// Frames of a handshake that a begins, and the first of the session each way, with what is in them.
    void handshake() {
        t.comment(
            "A handshake that a begins (Noise XX), b's greeting, and frames of the new session with their "
            "plaintexts. The ephemeral secret of a.");
        for (auto& e : w.ends) e.received.clear();
        const Rng before = w.random;
        w.now += 41s;  // of silence
        links.on_timeout(w.now);
        bool named = false;
        int count = 0;
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < 2; ++i) {
                while (const auto frame = w.poll(i)) {
                    any = true;
                    if (!named) {
                        named = true;
                        t.say("a_ephemeral_secret", ephemeral_secret(frame->bytes, before));
                    }
                    const std::size_t had = w.ends[1 - i].received.size();
                    t.say("frame_" + std::to_string(++count) + "_" + who(i), frame->bytes);
                    w.deliver(1 - i, frame->bytes);
                    if (w.ends[1 - i].received.size() > had) {
                        t.say("plain_" + std::to_string(count) + "_" + who(i), w.ends[1 - i].received.back());
                        take_broadcast_key(1 - i);
                    }
                }
            }
        }
        EXPECT_GE(count, 6);
    }

    void take_broadcast_key(std::size_t end) {
        MessageReader reader(w.ends[end].received.back());
        while (const auto message = reader.next()) {
            const auto* control = std::get_if<ControlMessage>(&*message);
            if (control != nullptr && control->type == MessageType::kBroadcastKey) {
                EXPECT_TRUE(w.ends[end].links->on_broadcast_key(w.ends[1 - end].link, control->body));
            }
        }
    }

    /// A frame to everybody, with the messages in it.
    void broadcast() {
        t.comment("A frame of a to everybody, sealed with the key of its message broadcast key, and what is in it.");
        w.ends[1].received.clear();
        links.broadcast_control({static_cast<std::uint8_t>(MessageType::kRouteState), 1, 2, 3, 4, 0, 0, 0, 9});
        const auto frame = w.ends[0].links->poll_transmit(w.now, kBroadcast, 1'500, w.ends[0].gate);
        ASSERT_TRUE(frame);
        t.say("broadcast_a", frame->bytes);
        w.deliver(1, frame->bytes);
        ASSERT_EQ(w.ends[1].received.size(), 1U) << "b opens it";
        t.say("broadcast_plain", w.ends[1].received.back());
        w.ends[1].received.clear();
    }

    static IpView datagram(const Address& from, const Address& to, ByteView payload) {
        IpView packet;
        packet.source = from;
        packet.destination = to;
        packet.next_header = 17;
        packet.hop_limit = 64;
        packet.payload = payload;
        return packet;
    }

    /// A flow from b to a: what b writes is made here from the specification, what a writes comes from the router.
    void flow() {
        t.comment(
            "A flow of b to a, Noise IK: open and accept whole, with types; the flow's id and key; b's first "
            "packet.");
        FlowOpen open;
        open.destination = self.id;
        w.random.fill(open.nonce);
        open.unit_bytes = 1'024;
        open.max_units = 4;
        open.max_price = 100;
        open.source = peer.certificate;
        const Key32 secret = random_key(w.random);
        NoiseHandshake noise(NoisePattern::kIK, true, prologue(open), peer.exchange_secret, secret,
                             self.certificate.exchange);
        ASSERT_TRUE(noise.write(Bytes(5, 0), open.noise));
        open.signature = peer.device.sign(kOpenContext, open.signed_part());
        t.say("flow_ephemeral_secret_b", secret);
        t.say("flow_open", open.encode());
        t.say("flow_id", open.id());
        receive(open);
        outbox_to_disk();
        const auto answers = sent();
        ASSERT_EQ(answers.size(), 1U);
        ASSERT_EQ(answers[0].first, MessageType::kFlowAccept);
        t.say("flow_accept", message_bytes(answers[0].first, answers[0].second));
        const auto accept = FlowAccept::decode(answers[0].second);
        ASSERT_TRUE(accept && noise.read(accept->noise));
        const Key32 key = noise.split().send;
        t.say("flow_key", key);
        const Bytes payload = *from_hex("0035c0de000c0000cafe");
        const Bytes plain = compress_ip(datagram(w.ends[1].identity.address(), w.ends[0].identity.address(), payload));
        Bytes sealed;
        aead_seal(key, 0, {}, plain, sealed);
        MessageBundle bundle(1'500);
        ASSERT_TRUE(bundle.add({accept->label, 0, kMaxHops, sealed}));
        t.say("packet_compressed", plain);
        t.say("packet_message", bundle.bytes());
        MessageReader reader(bundle.bytes());
        const auto message = reader.next();
        forwarder.on_data(w.now, other, std::get<DataMessage>(*message));
        const auto delivered = forwarder.poll_packet();
        ASSERT_TRUE(delivered) << "the router reads what was made from the specification";
        t.say("packet_delivered", *delivered);
    }
    void outbox_to_disk() {
        while (const auto batch = outbox.poll()) outbox.persisted(w.now, batch->number);
    }

    /// IPv6 headers in their short form, each kind.
    void headers() {
        t.comment(
            "IPv6 packets and their compressed form: UDP, TCP with class and flow label, ICMPv6 with hop limit "
            "3, next header 99 with all.");
        const Address from = w.ends[1].identity.address(), to = w.ends[0].identity.address();
        struct Kind {
            const char* name;
            std::uint8_t next_header, traffic_class, hop_limit;
            std::uint32_t flow_label;
        };
        for (const Kind& k : {Kind{"udp", 17, 0, 64, 0}, Kind{"tcp", 6, 0xB8, 64, 0x12345}, Kind{"icmp", 58, 0, 3, 0},
                              Kind{"other", 99, 0x28, 255, 0xFFFFF}}) {
            IpView packet = datagram(from, to, as_bytes("payload"));
            packet.next_header = k.next_header;
            packet.traffic_class = k.traffic_class;
            packet.hop_limit = k.hop_limit;
            packet.flow_label = k.flow_label;
            const Bytes compressed = compress_ip(packet);
            const auto restored = restore_ip(compressed, from, to);
            ASSERT_TRUE(restored);
            t.say(std::string("ip_") + k.name, *restored);
            t.say(std::string("compressed_") + k.name, compressed);
        }
    }

    /// A route update of a and a balance from a to b, with types.
    void signed_messages() {
        t.comment(
            "Messages of a, with types: its own route, seqno 7, epoch 2, boot 1112131415161718, with certificate; a "
            "balance for b: generation 1, sequence 5, owed 123456789, claimed 42 nsat.");
        RouteUpdates updates;
        updates.entries.resize(1);
        RouteUpdate& u = updates.entries[0];
        u.destination = short_id(self.id);
        u.seqno = 7;
        u.metric = RouteMetric::origin();
        u.instance = {2, 0x1112131415161718, 0, false};
        u.run = u.instance.tag();
        u.serial = self.certificate.serial;
        u.certificate = self.certificate;
        u.signature = self.device.sign(kRouteContext, RouteUpdate::signed_part(self.id, 7, u.serial, u.instance));
        t.say("route_update", updates.encode());
        BalanceMessage balance;
        balance.generation = 1;
        balance.sequence = 5;
        balance.owed_nsat = 123'456'789;
        balance.claimed_nsat = 42;
        balance.signature = self.device.sign(kBalanceContext, balance.signed_part(self.id, peer.id));
        t.say("balance", balance.encode());
    }
};

TEST_F(TranscriptTest, IsThatOfTheFile) {
    keys();
    handshake();
    broadcast();
    flow();
    headers();
    signed_messages();
    if (std::getenv("MESHNET_WRITE_VECTORS") != nullptr) {
        std::ofstream(kFile)
            << "# Transcript of docs/spec/net.md, \"Test vectors\": a name and a value a line, bytes in "
               "hexadecimal.\n"
            << t.text();
        return;
    }
    std::ifstream file(kFile);
    std::string written;
    for (std::string line; std::getline(file, line);) {
        written += line.starts_with("# Transcript") ? "" : line + "\n";
    }
    EXPECT_EQ(t.text(), written);
}

}  // namespace
}  // namespace meshnet::net::test
