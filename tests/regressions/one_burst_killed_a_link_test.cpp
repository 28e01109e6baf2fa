// SPDX-License-Identifier: MIT
// Fault: one forged burst of 36 bytes ended a link for good; 280 forged hellos filled the tables until a restart;
// forged reservations took the air. Here a radio without keys plays them on two daemons over the sample-true air, where
// it hears and is heard as any station is (virtual time: tests/node/hostile_air_test.cpp).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "core/random.hpp"
#include "mac/frame_format.hpp"
#include "phy/modes.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/air_socket.hpp"
#include "tests/regressions/daemons_in_air.hpp"

namespace meshnet::test {
namespace {

/// A radio at the place of a station of the air, in a thread of its own: it demodulates what it hears and sends what it
/// is told, at most 1 % of the time if it is told so.
class Forger {
public:
    Forger(const std::string& air, const std::string& station) {
        auto client = sim::AirClient::connect(air, station);
        EXPECT_TRUE(client.ok()) << (client.ok() ? "" : client.error().message);
        client_ = std::make_unique<sim::AirClient>(std::move(*client));
        thread_ = std::thread([this] { work(); });
    }
    ~Forger() {
        stop_ = true;
        thread_.join();
    }
    Forger(const Forger&) = delete;
    Forger& operator=(const Forger&) = delete;

    /// From now on `make` is asked for a burst so often. It is given the newest burst heard.
    void attack(Duration every, std::function<mac::Burst(const mac::Burst&)> make) {
        const std::lock_guard lock(mutex_);
        every_ = static_cast<std::uint64_t>(to_seconds(every) * client_->sample_rate_hz());
        make_ = std::move(make);
        next_ = 0;
        sent_ = 0;
    }
    void rest() { attack(1s, nullptr); }
    [[nodiscard]] std::uint64_t sent() {
        const std::lock_guard lock(mutex_);
        return sent_;
    }
    [[nodiscard]] std::uint64_t heard() const { return heard_; }

private:
    void work() {
        phy::Receiver::Config config;
        config.profile = &profile_;
        phy::Receiver receiver(config);
        while (!stop_) {
            auto got = client_->receive();
            if (!got) {
                ADD_FAILURE() << got.error().message;
                return;
            }
            if (got->samples.empty()) {
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                continue;
            }
            receiver.push(got->samples);
            while (const auto frame = receiver.poll_frame()) {
                if (frame->ok() && mac::parse_burst(frame->payload)) {
                    last_ = frame->payload;
                    ++heard_;
                }
            }
            send(got->first_index + got->samples.size());
        }
    }
    void send(std::uint64_t now) {
        const std::lock_guard lock(mutex_);
        const auto heard = mac::parse_burst(last_);
        if (!make_ || !heard || now < next_) {
            return;
        }
        next_ = now + every_;
        const Bytes payload = mac::encode_burst(make_(*heard), false, [this](mac::StationId) -> const mac::TagKey* {
            random_.fill(key_);
            return &key_;
        });
        std::vector<phy::Sample> samples;
        transmitter_.modulate(*phy::find_mode("qpsk-1/2"), payload, samples);
        EXPECT_TRUE(client_->transmit(++sent_, now + client_->shortest_lead() + 3'000, samples).ok());
    }

    const phy::Profile& profile_ = *phy::find_profile("1M");
    std::unique_ptr<sim::AirClient> client_;
    phy::Transmitter transmitter_{profile_};
    Bytes last_;
    std::mutex mutex_;
    std::function<mac::Burst(const mac::Burst&)> make_;
    std::uint64_t every_ = 0, next_ = 0, sent_ = 0;
    mac::TagKey key_{};
    Rng random_{5};
    std::atomic<std::uint64_t> heard_ = 0;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

class AForgerAmongDaemons : public DaemonsInAir {
protected:
    void SetUp() override {
        DaemonsInAir::SetUp();
        start("beacon");
        start("coast");
        ASSERT_TRUE(eventually([&] { return session("coast") && session("beacon"); }));
        std::string file(30'000, '\0');
        Rng random(8);
        for (char& c : file) {
            c = static_cast<char>(random.next_u64());
        }
        std::ofstream(folder_.path("file"), std::ios::binary) << file;
        forger_ = std::make_unique<Forger>(folder_.path("air.sock"), "ship");  // hears the beacon, and the beacon it
        link_ = number("coast");
        beacon_ = number("beacon");
    }
    void TearDown() override {
        forger_.reset();
        DaemonsInAir::TearDown();
    }
    bool session(const std::string& station) {
        const auto neighbours = view(station, "neighbours");
        return std::any_of(neighbours.begin(), neighbours.end(),
                           [](const nlohmann::json& n) { return n.value("session_up", false); });
    }
    mac::StationId number(const std::string& station) {
        return static_cast<mac::StationId>(std::stoul(view(station, "status").value("link", "0"), nullptr, 16));
    }
    /// Seconds that the file takes from the beacon to the coast; it must arrive whole.
    double transfer(const std::string& name) {
        const auto began = std::chrono::steady_clock::now();
        run("receive", {MESHNET_CLI, "receive", "--socket", folder_.path("coast.sock"), folder_.path(name)});
        run("send", {MESHNET_CLI, "send", "--socket", folder_.path("beacon.sock"), "--to",
                     view("coast", "status").value("address", ""), folder_.path("file")});
        EXPECT_EQ(wait_for("send"), 0) << text("send.log");
        EXPECT_EQ(wait_for("receive"), 0) << text("receive.log");
        EXPECT_EQ(text(name), text("file"));
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    }
    /// A burst in the name of the coast to the beacon.
    mac::Burst forged(const mac::Burst& heard, std::uint32_t ahead) const {
        mac::Burst burst;
        burst.header.sender = link_;
        burst.header.authenticated = true;
        burst.header.epoch = heard.header.epoch;
        burst.header.burst = heard.header.burst + ahead;
        return burst;
    }

    std::unique_ptr<Forger> forger_;
    mac::StationId link_ = 0, beacon_ = 0;
};

TEST_F(AForgerAmongDaemons, ForgedBurstsEndNoLinkAndTakeNoAir) {
    const double clean = transfer("clean");
    EXPECT_GT(forger_->heard(), 10U);
    const auto before = view("beacon", "status")["mac"];
    using Make = std::function<mac::Burst(const mac::Burst&)>;
    const std::vector<Make> kinds{
        // a floor far ahead
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 1);
            b.header.targets = {{beacon_, 1, 32'512}};
            return b;
        },
        // an acknowledgement of all
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 2);
            mac::BlockAck ack;
            ack.peer = beacon_;
            ack.base = 30'000;
            ack.snr_db = -30.0F;
            b.acks.push_back(ack);
            return b;
        },
        // a hello that hears nobody
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 3);
            b.hello = mac::Hello{};
            b.hello->interval = 1s;
            b.hello->number = 9'000;
            return b;
        },
        // a new epoch
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 4);
            b.header.authenticated = false;
            b.header.epoch = static_cast<std::uint16_t>(heard.header.epoch + 77);
            return b;
        },
        // a reservation for nobody
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 5);
            b.header.sender = 0x6666'6666;
            b.header.grantee = 0x7777'7777;
            b.header.grant = 1s;
            b.header.nav = 1s;
            return b;
        },
        // an invitation
        [&](const mac::Burst& heard) {
            mac::Burst b = forged(heard, 6);
            b.header.sender = 0x6666'6666;
            b.header.grantee = beacon_;
            b.header.grant = 1s;
            b.header.nav = 1s;
            return b;
        },
    };
    std::size_t next = 0;
    forger_->attack(300ms, [&](const mac::Burst& heard) {  // 3 ms each: 1 % of the air
        return kinds[next++ % kinds.size()](heard);
    });
    for (int i = 0; i < 2; ++i) {
        const double attacked = transfer("attacked");
        std::printf("under attack %.1f s, without %.1f s\n", attacked, clean);
        EXPECT_TRUE(session("coast") && session("beacon"));
    }
    EXPECT_TRUE(eventually([&] { return forger_->sent() >= 2 * kinds.size(); }));
    forger_->rest();
    (void)transfer("after");
    const auto seen = view("beacon", "status")["mac"];
    const auto more = [&](const char* counter) {
        return seen.value(counter, std::uint64_t{0}) - before.value(counter, std::uint64_t{0});
    };
    EXPECT_GT(more("forged_targets") + more("forged_acks") + more("forged_hellos"), 0U) << seen;
    EXPECT_FALSE(logged("coast", "gone"));
}

TEST_F(AForgerAmongDaemons, AFloodOfHellosKeepsNoNewcomerOut) {
    std::uint32_t sent = 0;
    forger_->attack(100ms, [&](const mac::Burst&) {
        mac::Burst b;
        b.header.sender = static_cast<mac::StationId>(0x5000'0000 + sent % 280);
        b.header.authenticated = true;
        b.header.burst = ++sent;
        b.hello = mac::Hello{};
        b.hello->interval = 1s;
        b.hello->number = static_cast<std::uint16_t>(sent);
        b.hello->heard.push_back({beacon_, 12.0F, 1, Duration{1}});
        return b;
    });
    ASSERT_TRUE(eventually([&] { return forger_->sent() >= 50; }));
    end("coast", SIGKILL);
    for (const char* file : {"key", "ledger", "ledger-wal", "ledger-shm"}) {
        std::remove(folder_.path(std::string("coast.") + file).c_str());
    }
    start("coast");  // with a new key: nobody knows it
    EXPECT_TRUE(eventually([&] { return session("coast"); })) << text("coast.log");
    (void)transfer("arrived");
    EXPECT_LE(view("beacon", "neighbours").size(), 100U);
    const auto status = view("beacon", "status");
    EXPECT_LE(status["mac"].value("airtime_strangers_s", 1e9), 1.0 + 0.01 * status.value("uptime_s", 0.0));
}

}  // namespace
}  // namespace meshnet::test
