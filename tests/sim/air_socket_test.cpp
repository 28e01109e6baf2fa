// SPDX-License-Identifier: MIT
// The air between processes: what arrives is what the air computed, and no client can disturb another.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>

#include "host/unique_fd.hpp"
#include "host/unix_socket.hpp"
#include "sim/air_protocol.hpp"
#include "sim/air_socket.hpp"
#include "sim/pacer.hpp"
#include "tests/sim/test_signals.hpp"
#include "tests/support/stale_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::sim {
namespace {

using phy::Sample;

constexpr int kHangMs = 180'000;  // ends a hang; no measure of the machine

Air::Config two_stations() {
    Air::Config config;
    config.stations.resize(2);
    config.stations[0].name = "beacon";
    config.stations[0].clock_ppm = 7.0;
    config.stations[1].name = "ship";
    config.stations[1].x_m = 9'000.0;
    config.stations[1].clock_ppm = -4.0;
    return config;
}

/// A server in a thread of its own whose time moves only when the test says so.
class Pump {
public:
    explicit Pump(Duration backlog = 200ms) {
        auto server = AirServer::listen({path_, backlog}, two_stations());
        EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().message);
        thread_ = std::thread([this, s = std::make_unique<AirServer>(std::move(*server))] { run(*s); });
    }
    ~Pump() {
        stop_ = true;
        thread_.join();
    }
    Pump(const Pump&) = delete;
    Pump& operator=(const Pump&) = delete;

    /// Lets `blocks` ms of simulated time pass, and waits until they have.
    void run_for(int blocks) {
        granted_ += blocks;
        while (done_ < granted_) {
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        }
    }
    void grant(int blocks) { granted_ += blocks; }
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string events() {
        const std::lock_guard lock(mutex_);
        return events_;
    }
    /// Waits until an event says `words`; false if none ever does.
    [[nodiscard]] bool says(const std::string& words) {
        for (int turn = 0; turn < kHangMs && events().find(words) == std::string::npos; ++turn) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return events().find(words) != std::string::npos;
    }
    [[nodiscard]] std::uint64_t lost(std::size_t station) { return lost_[station]; }

private:
    void run(AirServer& server) {
        while (!stop_) {
            server.exchange();
            if (done_ < granted_) {
                server.advance(1ms);
                lost_[0] = server.stats(0).samples_lost;
                lost_[1] = server.stats(1).samples_lost;
                ++done_;
            } else {
                pollfd wait{server.fd(), POLLIN, 0};
                ::poll(&wait, 1, 1);
            }
            while (const auto event = server.poll_event()) {
                const std::lock_guard lock(mutex_);
                events_ += *event + "\n";
            }
        }
    }

    meshnet::test::TemporaryFolder folder_;
    std::string path_ = folder_.path("air.sock");
    std::thread thread_;
    std::atomic<bool> stop_ = false;
    std::atomic<int> granted_ = 0;
    std::atomic<int> done_ = 0;
    std::atomic<std::uint64_t> lost_[2] = {0, 0};
    std::mutex mutex_;
    std::string events_;
};

/// Receives until `count` samples without a gap are there.
std::vector<Sample> receive(AirClient& client, std::size_t count, std::uint64_t* first = nullptr,
                            std::vector<AirTxReport>* reports = nullptr) {
    std::vector<Sample> out;
    std::uint64_t next = 0;
    while (out.size() < count) {
        pollfd wait{client.fd(), POLLIN, 0};
        if (::poll(&wait, 1, kHangMs) != 1) {
            ADD_FAILURE() << "nothing more after " << out.size() << " samples";
            break;
        }
        auto got = client.receive();
        if (!got.ok()) {
            ADD_FAILURE() << got.error().message;
            break;
        }
        if (!got->samples.empty()) {
            if (out.empty() && first != nullptr) {
                *first = got->first_index;
            }
            EXPECT_TRUE(out.empty() || got->first_index == next);
            next = got->first_index + got->samples.size();
            out.insert(out.end(), got->samples.begin(), got->samples.end());
        }
        if (reports != nullptr) {
            reports->insert(reports->end(), got->reports.begin(), got->reports.end());
        }
    }
    return out;
}

TEST(AirSocket, ClientsReceiveWhatTheAirComputes) {
    Pump pump;
    auto beacon = AirClient::connect(pump.path(), "beacon");
    auto ship = AirClient::connect(pump.path(), "ship");
    ASSERT_TRUE(beacon.ok() && ship.ok());
    EXPECT_DOUBLE_EQ(beacon->sample_rate_hz(), 1e6);
    const auto burst = test::Multitone(10, 0.4, 0.25, 1).samples(120'000);  // larger than the socket's buffer
    ASSERT_TRUE(beacon->transmit(77, 10'000, burst).ok());
    ASSERT_TRUE(beacon->transmit(78, 5, burst).ok());  // hopelessly late
    std::uint64_t first = 99;
    std::vector<AirTxReport> reports;
    for (int wait = 0; wait < kHangMs && reports.empty(); ++wait) {  // the late one is told at once: both are there
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        auto got = beacon->receive();
        ASSERT_TRUE(got.ok());
        reports = got->reports;
    }
    pump.grant(140);
    const auto heard = receive(*ship, 139'000, &first);
    EXPECT_EQ(first, 0U);
    (void)receive(*beacon, 139'000, nullptr, &reports);

    Air air(two_stations());
    ASSERT_EQ(air.transmit(0, 77, 10'000, burst), AirVerdict::kAccepted);
    std::vector<Sample> expected;
    while (expected.size() < heard.size()) {
        air.advance(1ms);
        const auto block = air.received(1).samples;
        expected.insert(expected.end(), block.begin(), block.end());
    }
    expected.resize(heard.size());
    EXPECT_EQ(heard, expected);
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(reports[0].id, 78U);
    EXPECT_TRUE(reports[0].late);
    EXPECT_EQ(reports[1].id, 77U);
    EXPECT_FALSE(reports[1].late);
    EXPECT_EQ(reports[1].end_index, 130'000U);
    EXPECT_TRUE(pump.says("late")) << pump.events();
}

TEST(AirSocket, WrongConnectionsAreRefusedWithAClearLine) {
    Pump pump;
    auto nobody = AirClient::connect(pump.path(), "submarine");
    ASSERT_FALSE(nobody.ok());
    EXPECT_NE(nobody.error().message.find("no station is called 'submarine'"), std::string::npos)
        << nobody.error().message;
    EXPECT_NE(nobody.error().message.find("beacon, ship"), std::string::npos);
    auto first = AirClient::connect(pump.path(), "ship");
    ASSERT_TRUE(first.ok());
    auto second = AirClient::connect(pump.path(), "ship");
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find("already connected"), std::string::npos) << second.error().message;
    auto nowhere = AirClient::connect(pump.path() + "-not", "ship");
    ASSERT_FALSE(nowhere.ok());
    EXPECT_NE(nowhere.error().message.find("meshnet-air"), std::string::npos) << nowhere.error().message;
    EXPECT_FALSE(AirClient::connect(std::string(200, 'x'), "ship").ok());
    EXPECT_FALSE(AirClient::connect(pump.path(), "").ok());
    EXPECT_FALSE(first->transmit(1, 10, {}).ok());
    pump.grant(2);
    EXPECT_GE(receive(*first, 1'900).size(), 1'900U);  // the first is not disturbed
}

TEST(AirSocket, AStationThatComesBackFindsItsClockRunning) {
    Pump pump;
    {
        auto client = AirClient::connect(pump.path(), "ship");
        ASSERT_TRUE(client.ok());
        pump.run_for(10);
    }
    pump.run_for(40);
    auto again = AirClient::connect(pump.path(), "ship");
    for (int wait = 0; wait < 100 && !again.ok(); ++wait) {
        again = AirClient::connect(pump.path(), "ship");
    }
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->first_index(), 49'999U);  // 50 ms at -4 ppm
    pump.grant(5);
    std::uint64_t first = 0;
    (void)receive(*again, 4'900, &first);
    EXPECT_EQ(first, 49'999U);
}

TEST(AirSocket, ASlowClientLosesSamplesAndNobodyElseDoes) {
    Pump pump(20ms);
    auto slow = AirClient::connect(pump.path(), "beacon");
    auto quick = AirClient::connect(pump.path(), "ship");
    ASSERT_TRUE(slow.ok() && quick.ok());
    constexpr int kBlocks = 400;
    for (int i = 0; i < kBlocks; i += 10) {
        pump.grant(10);
        ASSERT_GE(receive(*quick, i == 0 ? 9'900 : 10'000 - 1).size(), 9'900U);
    }
    EXPECT_EQ(pump.lost(1), 0U);
    EXPECT_GT(pump.lost(0), 100'000U);
    // What was buffered comes first, then the index jumps.
    std::uint64_t next = 0;
    std::uint64_t jumped = 0;
    for (int turn = 0; turn < 200 && jumped == 0; ++turn) {
        auto got = slow->receive();
        ASSERT_TRUE(got.ok());
        if (!got->samples.empty()) {
            jumped += got->first_index - next;
            next = got->first_index + got->samples.size();
        }
        pump.run_for(1);
    }
    EXPECT_GT(jumped, 100'000U);
}

TEST(AirSocket, MalformedBytesAreRefusedAndTheAirGoesOn) {
    Pump pump;
    auto good = AirClient::connect(pump.path(), "ship");
    ASSERT_TRUE(good.ok());
    Bytes half_burst;
    write_hello(half_burst, "beacon");
    write_burst(half_burst, 1, 100, std::vector<Sample>(1000));
    half_burst.resize(half_burst.size() / 2);
    Bytes early_burst;
    write_burst(early_burst, 1, 100, std::vector<Sample>(10));
    Bytes wrong_version;
    write_hello(wrong_version, "beacon");
    wrong_version[10] = 9;
    for (const Bytes& bytes :
         {Bytes(100, 0xFF), Bytes{'G', 'E', 'T', ' ', '/'}, half_burst, early_burst, wrong_version, Bytes{}}) {
        const auto raw = host::connect_unix(pump.path(), "air socket");
        ASSERT_TRUE(raw.ok());
        ASSERT_EQ(::send(raw->get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    }
    // Each is told before the next crowd comes, which makes the server send away who has said nothing yet.
    EXPECT_TRUE(pump.says("not a message of the air protocol")) << pump.events();
    EXPECT_TRUE(pump.says("a burst before the hello")) << pump.events();
    EXPECT_TRUE(pump.says("version 9")) << pump.events();
    std::vector<host::UniqueFd> silent;  // more strangers than the server holds
    for (int i = 0; i < 40; ++i) {
        if (auto connected = host::connect_unix(pump.path(), "air socket")) {
            silent.push_back(std::move(connected).value());
        }
    }
    pump.grant(20);
    EXPECT_GE(receive(*good, 19'900).size(), 19'900U);
    auto beacon = AirClient::connect(pump.path(), "beacon");  // the half burst's connection is gone
    for (int wait = 0; wait < 100 && !beacon.ok(); ++wait) {
        beacon = AirClient::connect(pump.path(), "beacon");
    }
    EXPECT_TRUE(beacon.ok()) << beacon.error().message;
}

TEST(AirSocket, TheServersEndIsAnErrorForTheClient) {
    std::optional<AirClient> client;
    {
        Pump pump;
        auto connected = AirClient::connect(pump.path(), "ship");
        ASSERT_TRUE(connected.ok());
        client.emplace(std::move(*connected));
    }
    pollfd wait{client->fd(), POLLIN, 0};
    ASSERT_EQ(::poll(&wait, 1, kHangMs), 1);
    auto got = client->receive();
    ASSERT_FALSE(got.ok());
    EXPECT_NE(got.error().message.find("closed the connection"), std::string::npos);
}

TEST(AirSocket, PathsInUseAreRefusedAndStaleSocketsReplaced) {
    const meshnet::test::TemporaryFolder folder;
    const std::string path = folder.path("air.sock");
    {
        auto first = AirServer::listen({path, 200ms}, two_stations());
        ASSERT_TRUE(first.ok());
        auto second = AirServer::listen({path, 200ms}, two_stations());
        ASSERT_FALSE(second.ok());
        EXPECT_NE(second.error().message.find("another air server"), std::string::npos);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    { meshnet::test::make_stale_socket(path); }
    EXPECT_TRUE(std::filesystem::exists(path));
    EXPECT_TRUE(AirServer::listen({path, 200ms}, two_stations()).ok());
    std::ofstream(path) << "precious";
    auto file = AirServer::listen({path, 200ms}, two_stations());
    ASSERT_FALSE(file.ok());
    EXPECT_NE(file.error().message.find("no socket"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path), 8U);
    std::filesystem::remove(path);
    EXPECT_FALSE(AirServer::listen({path, 0ms}, two_stations()).ok());
    EXPECT_FALSE(AirServer::listen({path, 200ms}, Air::Config{}).ok());
    EXPECT_FALSE(AirServer::listen({"/nowhere/at/all", 200ms}, two_stations()).ok());
}

TEST(Pacer, FollowsTheWallClockAndGivesUpWhatIsTooLate) {
    const Instant start = instant_from_ns(5'000'000'000);
    Pacer pacer(start, 2.0, 1ms, 50ms);
    EXPECT_FALSE(pacer.due(start));
    EXPECT_EQ(pacer.next(), start + 500us);
    int blocks = 0;
    while (pacer.due(start + 10ms)) {
        ++blocks;
    }
    EXPECT_EQ(blocks, 20);
    // 100 ms away: 40 ms could be caught up, but beyond the patience of 50 ms all is given up.
    blocks = 0;
    while (pacer.due(start + 110ms)) {
        ++blocks;
    }
    EXPECT_EQ(blocks, 1);
    EXPECT_EQ(pacer.slipped(), 99'500us);
    EXPECT_EQ(pacer.next(), start + 110ms + 500us);
    EXPECT_THROW(Pacer(start, 0.0, 1ms, 1ms), std::invalid_argument);
    EXPECT_THROW(Pacer(start, 1.0, 0ms, 1ms), std::invalid_argument);
}

}  // namespace
}  // namespace meshnet::sim
