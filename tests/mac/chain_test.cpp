// SPDX-License-Identifier: MIT
// Coast, beacon, ship: the ends cannot hear each other and talk through the middle, a window of data one way, small
// answers back.
#include <gtest/gtest.h>

#include <cstdio>
#include <deque>

#include "tests/mac/traffic.hpp"

namespace meshnet::mac::test {
namespace {

/// Forwards what comes from one neighbour to the other, holding at most `kHold` bytes each way; drops beyond.
class Relay {
public:
    static constexpr std::size_t kHold = 131'072;
    Relay(Medium& m, std::size_t at, std::size_t a, std::size_t b) : m_(m), at_(at) {
        m[at].on_event = [this, a, b](Instant, const Event& e) {
            if (const auto* got = std::get_if<Received>(&e)) {
                const std::size_t to = got->sdu.peer == m_.id(a) ? b : a;
                auto& queue = held_[to];
                if (bytes_[to] + got->sdu.bytes.size() > kHold) {
                    ++dropped;
                    return;
                }
                bytes_[to] += got->sdu.bytes.size();
                queue.push_back(got->sdu);
            }
        };
        m[at].on_service = [this](Instant) { forward(); };
    }
    std::uint64_t dropped = 0;

private:
    void forward() {
        for (auto& [to, queue] : held_) {
            while (!queue.empty() && m_.mac(at_).room(m_.id(to)) >= queue.front().bytes.size()) {
                Sdu sdu = queue.front();
                sdu.peer = m_.id(to);
                if (!m_.mac(at_).enqueue(m_.local(at_), sdu)) {
                    break;
                }
                bytes_[to] -= sdu.bytes.size();
                queue.pop_front();
            }
        }
    }
    Medium& m_;
    std::size_t at_;
    std::map<std::size_t, std::deque<Sdu>> held_;
    std::map<std::size_t, std::size_t> bytes_;
};

/// A window of numbered packets one way, a small cumulative answer for every second back, as TCP in a steady state.
/// What is missing for a second is sent again.
class Transfer {
public:
    Transfer(Medium& m, std::size_t from, std::size_t to, std::size_t via, std::uint64_t window)
        : m_(m), from_(from), to_(to), via_(via), window_(window) {
        chain(
            m[from], [this](const Sdu& s) { on_answer(s); }, [this](Instant t) { fill(t); });
        chain(
            m[to], [this](const Sdu& s) { on_data(s); }, [this](Instant) { answer(); });
    }
    void start() { running_ = true; }
    void mark() {
        marked_ = m_.now();
        marked_bytes_ = delivered_ * kPacket;
    }
    [[nodiscard]] double goodput_bps() const {
        return static_cast<double>(delivered_ * kPacket - marked_bytes_) * 8.0 / to_seconds(m_.now() - marked_);
    }
    std::uint64_t resent = 0;
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

private:
    static constexpr std::size_t kPacket = 1'400;
    static constexpr std::uint64_t kMark = 0xDA7A;

    template <class A, class B>
    void chain(Medium::Station& s, A received, B service) {
        s.on_event = [before = s.on_event, received](Instant t, const Event& e) {
            if (before) before(t, e);
            if (const auto* got = std::get_if<Received>(&e)) received(got->sdu);
        };
        s.on_service = [before = s.on_service, service](Instant t) {
            if (before) before(t);
            service(t);
        };
    }
    [[nodiscard]] std::uint64_t tag(std::uint64_t kind) const { return (kMark + from_ * 16 + to_ + kind * 256) << 40; }

    void fill(Instant t) {
        if (!running_) return;
        if (next_ == acked_) progress_ = t;
        if (t - progress_ > 2s) {
            next_ = acked_;  // go back
            progress_ = t;
            ++resent;
        }
        while (next_ < acked_ + window_ && m_.mac(from_).room(m_.id(via_)) >= kPacket) {
            if (!m_.enqueue(from_, via_, make_sdu(tag(0) + next_, kPacket))) break;
            ++next_;
        }
    }
    void on_data(const Sdu& s) {
        const auto n = sdu_number(s.bytes);
        if (!n || (*n >> 40) != (tag(0) >> 40)) return;
        if (*n - tag(0) == delivered_) {
            ++delivered_;
            if (delivered_ % 2 == 0) due_ = true;
        } else {
            due_ = true;
        }
    }
    void answer() {
        if (due_ && m_.mac(to_).room(m_.id(via_)) >= 60) {
            due_ = !m_.enqueue(to_, via_, make_sdu(tag(1) + delivered_, 60), Priority::kInteractive);
        }
    }
    void on_answer(const Sdu& s) {
        const auto n = sdu_number(s.bytes);
        if (!n || (*n >> 40) != (tag(1) >> 40)) return;
        if (*n - tag(1) > acked_) {
            acked_ = *n - tag(1);
            next_ = std::max(next_, acked_);
            progress_ = m_.local(from_);
        }
    }

    Medium& m_;
    std::size_t from_, to_, via_;
    std::uint64_t window_;
    bool running_ = false;
    bool due_ = false;
    std::uint64_t next_ = 0, acked_ = 0, delivered_ = 0;
    Instant progress_{};
    Instant marked_{};
    std::uint64_t marked_bytes_ = 0;
};

Medium make_chain(std::uint64_t seed, float snr_db, Duration lead = 2ms) {
    Medium m(seed);
    for (int i = 0; i < 3; ++i) {
        Mac::Config c;
        c.transmit_lead = lead;
        m.add(c);
    }
    m.connect(0, 1, 200us, snr_db);
    m.connect(1, 2, 183us, snr_db);
    return m;
}

TEST(MacChain, OneWayWithAnswers) {
    for (const Duration lead : {Duration{2ms}, Duration{8ms}}) {
        for (const float snr : {8.0F, 13.0F, 17.5F}) {
            auto m = make_chain(11, snr, lead);
            Relay relay(m, 1, 0, 2);
            Transfer t(m, 2, 0, 1, 96);
            run_for(m, 5s);
            t.start();
            run_for(m, 5s);
            t.mark();
            const double rate = run_and_average_rate(m, 2, 30);
            std::printf(
                "chain, lead %d ms, SNR %4.1f dB, PHY %.2f Mbit/s: %.3f Mbit/s end to end = %.3f of the PHY rate, %llu "
                "resent\n",
                static_cast<int>(lead / 1ms), static_cast<double>(snr), rate / 1e6, t.goodput_bps() / 1e6,
                t.goodput_bps() / rate, static_cast<unsigned long long>(t.resent));
            EXPECT_GE(t.goodput_bps(), 0.25 * rate);
            EXPECT_EQ(t.resent, 0U);
        }
    }
}

// One hop is three times as fast as the other: the slow end must not slow down the burst meant for the fast one.
TEST(MacChain, UnequalHops) {
    auto m = make_chain(14, 17.0F);
    m.connect(1, 2, 183us, 6.0F);
    Relay relay(m, 1, 0, 2);
    Transfer t(m, 2, 0, 1, 96);
    run_for(m, 5s);
    t.start();
    run_for(m, 5s);
    t.mark();
    const double slow = run_and_average_rate(m, 2, 30);
    const double fast = m.mac(0).neighbors(m.local(0)).at(0).quality.rate_bps;
    const double ceiling = slow * fast / (slow + fast);
    std::printf("unequal hops, %.2f and %.2f Mbit/s: %.3f of the half-duplex ceiling\n", slow / 1e6, fast / 1e6,
                t.goodput_bps() / ceiling);
    EXPECT_GE(t.goodput_bps(), 0.6 * ceiling);
}

TEST(MacChain, LossesOnTheWay) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        auto m = make_chain(seed, 13.0F);
        Relay relay(m, 1, 0, 2);
        Transfer t(m, 2, 0, 1, 96);
        int downs = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            m[i].on_event = [&downs, before = m[i].on_event](Instant at, const Event& e) {
                if (before) before(at, e);
                downs += std::holds_alternative<LinkDown>(e) ? 1 : 0;
            };
        }
        run_for(m, 5s);
        m.block_loss = 0.05;
        m.frame_loss = 0.05;
        t.start();
        run_for(m, 5s);
        t.mark();
        const double rate = run_and_average_rate(m, 2, 20);
        std::printf("chain with 5 %% of blocks and of frames lost: %.3f of the PHY rate\n", t.goodput_bps() / rate);
        EXPECT_GE(t.goodput_bps(), 0.2 * rate);
        EXPECT_EQ(t.resent, 0U);
        EXPECT_EQ(downs, 0);
    }
}

TEST(MacChain, BothWaysAtOnce) {
    auto m = make_chain(12, 13.0F);
    Relay relay(m, 1, 0, 2);
    Transfer there(m, 0, 2, 1, 64);
    Transfer back(m, 2, 0, 1, 64);
    run_for(m, 5s);
    there.start();
    back.start();
    run_for(m, 5s);
    there.mark();
    back.mark();
    const double rate = run_and_average_rate(m, 0, 30);
    std::printf("chain both ways: %.3f + %.3f of the PHY rate\n", there.goodput_bps() / rate,
                back.goodput_bps() / rate);
    EXPECT_GE(there.goodput_bps() + back.goodput_bps(), 0.25 * rate);
    EXPECT_GE(there.goodput_bps(), 0.08 * rate);
    EXPECT_GE(back.goodput_bps(), 0.08 * rate);
}

// No window end to end: the source sends all it can, the relay drops what it cannot hold. What passes must not
// collapse.
TEST(MacChain, OverloadedSourceDoesNotStarveTheRelay) {
    auto m = make_chain(13, 13.0F);
    Relay relay(m, 1, 0, 2);
    Transfer t(m, 0, 2, 1, 100'000);
    run_for(m, 5s);
    std::uint64_t bytes = 0;
    m[2].on_event = [&](Instant, const Event& e) {
        if (const auto* got = std::get_if<Received>(&e)) bytes += got->sdu.bytes.size();
    };
    t.start();
    run_for(m, 5s);
    const std::uint64_t before = bytes;
    const double rate = run_and_average_rate(m, 0, 20);
    const double passed = static_cast<double>(bytes - before) * 8.0 / 20.0;
    std::printf("overloaded chain: %.3f of the PHY rate passes, %llu dropped by the relay\n", passed / rate,
                static_cast<unsigned long long>(relay.dropped));
    EXPECT_GE(passed, 0.25 * rate);
}

}  // namespace
}  // namespace meshnet::mac::test
