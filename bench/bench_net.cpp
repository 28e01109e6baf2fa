// SPDX-License-Identifier: MIT
// What a relay costs per packet of 1400 bytes: three routers a - r - b in virtual time, a paid flow from a to b; only
// the calls into r are timed: link frames opened and sealed, labels swapped, queues, receipts verified, entries for the
// ledger, timers. Beside it, of the same run: ChaCha20-Poly1305 alone, an Ed25519 verification, and SipHash-2-4 over a
// burst header as the MAC authenticates it. And the bytes on the air that each packet takes, paid and unpaid.
//
//     bench_net [--packets N] [--frame BYTES] [--unit BYTES]
#include <sodium.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "tests/net/net_world.hpp"

extern "C" void relay_call(const std::function<void()>& call);

namespace {

using namespace meshnet;
using namespace meshnet::net;
using namespace meshnet::net::test;
using WallClock = std::chrono::steady_clock;

constexpr std::size_t kPacket = 1'400;
constexpr std::size_t kHeaderBytes = 40;  // of a burst for one target
constexpr int kPacketsPerRound = 8;
constexpr Duration kRound = 90ms;  // 8 packets at 1 Mbit/s: what goes by time weighs what it does on such a link
constexpr int kBlocks = 15;

struct Options {
    std::uint32_t unit_bytes = 65'536;
    int packets = 30'000;
    std::size_t frame = 6'000;
};

/// The least of the blocks: what others on the machine did not disturb.
double least(const std::vector<double>& blocks) {
    return *std::min_element(blocks.begin(), blocks.end());
}

/// Microseconds of one call, the mean over a block.
double time_of(int repeats, const std::function<void()>& call) {
    const auto begin = WallClock::now();
    for (int i = 0; i < repeats; ++i) {
        call();
    }
    const std::chrono::duration<double, std::micro> spent = WallClock::now() - begin;
    return spent.count() / repeats;
}

/// a - r - b, each frame handed over at once, what is to be persisted persisted at once.
class Chain {
public:
    Chain(const Options& options, bool paid) : options_(options), world_(world_options(options)) {
        for (std::size_t i = 0; i < 3; ++i) {
            (void)world_.add([&, i](Router::Config& c) {
                c.price_msat_per_mib = paid && i == 1 ? 1'000 : 0;
                c.pay = paid;
                c.unit_bytes = options.unit_bytes;
                c.mtu = 1'500;
            });
        }
        LinkOptions fast;
        fast.rate_bps = 1e8;
        world_.join(0, 1, fast);
        world_.join(1, 2, fast);
        world_.run(5s);
        for (int i = 0; i < 50; ++i) {  // the flow is open, its first units are paid
            world_.send(0, 2, Bytes(kPacket - 40, 1));
            world_.run(100ms);
        }
        now_ = world_.now();
        payload_ = world_.packet(0, 2, Bytes(kPacket - 40, 1));  // 40 bytes: IPv6 header
    }

    /// Microseconds of the relay per packet that arrived.
    double run(int packets) {
        spent_ = {};
        bytes_ = 0;
        arrived_ = 0;
        for (int sent = 0; sent < packets; sent += kPacketsPerRound) {
            for (int i = 0; i < kPacketsPerRound; ++i) {
                world_.router(0).on_packet(now_, payload_);
            }
            settle();
            now_ += kRound;
            for (std::size_t i = 0; i < 3; ++i) {
                wake(i);
            }
            settle();
        }
        return std::chrono::duration<double, std::micro>(spent_).count() / std::max(1, arrived_);
    }
    [[nodiscard]] int arrived() const { return arrived_; }
    /// On the air of both links, per packet and hop.
    [[nodiscard]] double bytes_per_packet() const { return static_cast<double>(bytes_) / (2.0 * arrived_); }
    [[nodiscard]] std::size_t packet_bytes() const { return payload_.size(); }

private:
    static WorldOptions world_options(const Options& options) {
        WorldOptions w;
        w.max_frame = options.frame;
        return w;
    }
    template <class Call>
    void timed(std::size_t node, const Call& call) {
        if (node != 1) {
            call();
            return;
        }
        const auto begin = WallClock::now();
        relay_call(call);
        spent_ += WallClock::now() - begin;
    }
    void wake(std::size_t node) {
        timed(node, [&] {
            if (const auto at = world_.router(node).next_timeout(); at && *at <= now_) {
                world_.router(node).on_timeout(now_);
            }
        });
    }
    bool step(std::size_t node) {
        bool any = false;
        Router& router = world_.router(node);
        timed(node, [&] {
            while (const auto batch = router.poll_persist(now_)) {
                router.on_persisted(now_, batch->number);
                any = true;
            }
        });
        for (const std::size_t peer : {node - 1, node + 1}) {
            if (peer > 2) {
                continue;
            }
            for (;;) {
                std::optional<OutFrame> frame;
                timed(node, [&] { frame = router.poll_transmit(now_, world_.node(peer).link, options_.frame); });
                if (!frame) {
                    break;
                }
                any = true;
                bytes_ += frame->bytes.size();
                timed(peer, [&] { world_.router(peer).on_frame(now_, world_.node(node).link, frame->bytes); });
            }
        }
        while (router.poll_packet()) {
            arrived_ += node == 2 ? 1 : 0;
        }
        return any;
    }
    void settle() {
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < 3; ++i) {
                any = step(i) || any;
            }
        }
    }

    Options options_;
    World world_;
    Instant now_{};
    Bytes payload_;
    WallClock::duration spent_{};
    std::size_t bytes_ = 0;
    int arrived_ = 0;
};

/// Opened and sealed once each, in place, as nothing can do it with less.
double aead_alone() {
    std::array<std::uint8_t, 32> key{};
    std::array<std::uint8_t, 12> nonce{};
    std::array<std::uint8_t, 16> tag{};
    std::vector<std::uint8_t> bytes(kPacket, 0x5A);
    return time_of(2'000, [&] {
        crypto_aead_chacha20poly1305_ietf_encrypt_detached(bytes.data(), tag.data(), nullptr, bytes.data(),
                                                           bytes.size(), nullptr, 0, nullptr, nonce.data(), key.data());
        if (crypto_aead_chacha20poly1305_ietf_decrypt_detached(bytes.data(), nullptr, bytes.data(), bytes.size(),
                                                               tag.data(), nullptr, 0, nonce.data(), key.data()) != 0) {
            std::abort();
        }
    });
}

double ed25519_verification() {
    const SigningKey key(Key32{1});
    const Bytes message(100, 7);
    const Signature signature = key.sign("bench", message);
    return time_of(50, [&] {
        if (!verify(key.public_key(), "bench", message, signature)) {
            std::abort();
        }
    });
}

double siphash() {
    std::array<std::uint8_t, crypto_shorthash_KEYBYTES> key{};
    std::array<std::uint8_t, crypto_shorthash_BYTES> out{};
    std::array<std::uint8_t, kHeaderBytes> header{};
    return time_of(20'000, [&] {
        crypto_shorthash(out.data(), header.data(), header.size(), key.data());
        header[0] = out[0];
    });
}

bool read_options(int argc, char** argv, Options& options) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const long value = std::strtol(argv[i + 1], nullptr, 10);
        if (std::string(argv[i]) == "--packets" && value >= 1'000 && value <= 100'000'000) {
            options.packets = static_cast<int>(value);
        } else if (std::string(argv[i]) == "--frame" && value >= 1'600 && value <= 60'000) {
            options.frame = static_cast<std::size_t>(value);
        } else if (std::string(argv[i]) == "--unit" && value >= 1'024 && value <= 65'536) {
            options.unit_bytes = static_cast<std::uint32_t>(value);
        } else {
            return false;
        }
    }
    return argc % 2 == 1;
}

}  // namespace

/// All calls into the relay pass here: callgrind --toggle-collect=relay_call shows its functions alone.
extern "C" __attribute__((noinline)) void relay_call(const std::function<void()>& call) {
    call();
    asm volatile("");  // no jump in the place of the call
}

int main(int argc, char** argv) {
    Options options;
    if (!read_options(argc, argv, options)) {
        std::fputs("usage: bench_net [--packets 1000..100000000] [--frame 1600..60000] [--unit 1024..65536]\n", stderr);
        return 2;
    }
    crypto_init();
    Chain paid(options, true), unpaid(options, false);
    std::vector<double> with_money, without, ciphers, verifications, macs;
    double bytes_paid = 0, bytes_unpaid = 0;
    int arrived = 0;
    for (int block = 0; block < kBlocks; ++block) {  // one after the other, so that all see the same machine
        with_money.push_back(paid.run(options.packets / kBlocks));
        bytes_paid += paid.bytes_per_packet() / kBlocks;
        arrived += paid.arrived();
        without.push_back(unpaid.run(options.packets / kBlocks));
        bytes_unpaid += unpaid.bytes_per_packet() / kBlocks;
        ciphers.push_back(aead_alone());
        verifications.push_back(ed25519_verification());
        macs.push_back(siphash());
    }
    const double relay = least(with_money), aead = least(ciphers), ed25519 = least(verifications), sip = least(macs);
    const double packets_per_frame = std::max(1.0, std::floor(static_cast<double>(options.frame) / (kPacket + 30)));
    const double with_mac = relay + 2.0 * sip / packets_per_frame;
    std::printf("a relay, packets of %zu bytes, frames of %zu at most, units of %u, %d arrived\n\n", kPacket,
                options.frame, options.unit_bytes, arrived);
    std::printf("%-52s %8s %14s %16s\n", "", "us", "/ ChaCha20-P.", "/ Ed25519 verify");
    const auto row = [&](const char* name, double us) {
        std::printf("%-52s %8.3f %14.2f %16.3f\n", name, us, us / aead, us / ed25519);
    };
    row("relay, paid, per packet", relay);
    row("  with the MAC's check and tag (SipHash-2-4, 40 bytes)", with_mac);
    row("relay, unpaid, per packet", least(without));
    row("ChaCha20-Poly1305, open and seal 1400 bytes", aead);
    row("SipHash-2-4 of 40 bytes", sip);
    row("Ed25519 verification", ed25519);
    constexpr double most = 5.0;
    std::printf("\nbar: <= %.0f us a packet with the MAC: %s\n", most, with_mac <= most ? "holds" : "MISSED");
    std::printf("bytes on the air per packet and hop: %.2f paid, %.2f unpaid; payment %.2f (bar 1.5: %s)\n", bytes_paid,
                bytes_unpaid, bytes_paid - bytes_unpaid, bytes_paid - bytes_unpaid <= 1.5 ? "holds" : "MISSED");
    return 0;
}
