// SPDX-License-Identifier: MIT
#include "station/control/control_service.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "host/unix_socket.hpp"
#include "net/crypto.hpp"
#include "net/master_key.hpp"
#include "station/control/signal_log.hpp"
#include "tests/station/silent_station.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

class ControlServiceTest : public ::testing::Test {
protected:
    ControlServiceTest() {
        auto server = ControlServer::listen(folder_.path("s"));
        EXPECT_TRUE(server.ok());
        service_.emplace(
            std::move(*server),
            ControlService::Station{[this] {
                                        ViewContext c{station_.node, station_.config, station_.link, 5s, price_, false};
                                        c.signal = &signal_;
                                        return c;
                                    },
                                    [this](ByteView packet) { sent_.assign(packet.begin(), packet.end()); },
                                    [this](std::uint64_t msat) { price_ = msat; }, [this] { stopped_ = true; },
                                    [] { return std::string("{\"mtu\":1400}"); }, [this] { return why_not_attach_; },
                                    [this](const net::Certificate& certificate) {
                                        published_.push_back(certificate);
                                        return published_.size() == 1;
                                    }});
    }
    host::UniqueFd connect() {
        auto fd = host::connect_unix(folder_.path("s"), "control socket");
        EXPECT_TRUE(fd.ok());
        poll();
        return std::move(*fd);
    }
    void poll() {
        std::vector<pollfd> fds;
        service_->add_poll(fds);
        ::poll(fds.data(), fds.size(), 0);
        service_->handle(fds);
    }
    static std::string receive(const host::UniqueFd& fd) {
        char buffer[65'536];
        const ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, MSG_DONTWAIT);
        return n > 0 ? std::string(buffer, static_cast<std::size_t>(n)) : std::string();
    }
    nlohmann::json request(const host::UniqueFd& fd, const std::string& line) {
        const std::string out = line + "\n";
        EXPECT_EQ(::send(fd.get(), out.data(), out.size(), MSG_NOSIGNAL), static_cast<ssize_t>(out.size()));
        poll();
        return nlohmann::json::parse(receive(fd), nullptr, false);
    }

    test::TemporaryFolder folder_;
    std::vector<net::Certificate> published_;
    test::SilentStation station_;
    SignalLog signal_;
    std::uint64_t price_ = 1'000;
    Bytes sent_;
    bool stopped_ = false;
    std::string why_not_attach_;
    std::chrono::steady_clock::time_point now_{std::chrono::hours(1)};
    std::optional<ControlService> service_;
};

TEST_F(ControlServiceTest, AnswersEveryViewWithTheColumnsOfItsRow) {
    const auto client = connect();
    for (const View& view : views()) {
        const auto answer = request(client, R"({"cmd":")" + std::string(view.name) + "\"}");
        EXPECT_EQ(answer["ok"], view.name != "ledger") << view.name << ": " << answer;  // there is no ledger file
    }
    EXPECT_EQ(request(client, R"({"cmd":"ledger"})")["code"], "not_found");
    EXPECT_EQ(request(client, R"({"cmd":"nonsense"})")["code"], "invalid_argument");
}

TEST_F(ControlServiceTest, StatusHasEveryCounterOfEveryLayer) {
    const auto client = connect();
    const auto status = request(client, R"({"cmd":"status"})")["result"];
    EXPECT_EQ(status["uptime_s"], 5.0);
    const auto has = [&](const char* group, const auto& counters) {
        visit_counters(counters, [&](const char* name, const auto& value) {
            using Value = std::remove_cvref_t<decltype(value)>;
            const std::string key = std::string(name) + (std::is_same_v<Value, Duration> ? "_s" : "");
            EXPECT_TRUE(status[group].contains(key)) << group << "." << key;
        });
    };
    has("phy", phy::ReceiverCounters{});
    has("mac", mac::MacCounters{});
    has("net", net::RouterCounters{});
    has("routing", net::RouteCounters{});
    has("radio", RadioLinkCounters{});
}

TEST_F(ControlServiceTest, ShowsAndSetsThePrice) {
    const auto client = connect();
    EXPECT_EQ(request(client, R"({"cmd":"price"})")["result"]["price_msat_per_mib"], 1'000);
    EXPECT_EQ(request(client, R"({"cmd":"price","msat_per_mib":5})")["result"]["price_msat_per_mib"], 5);
    EXPECT_EQ(request(client, R"({"cmd":"status"})")["result"]["price_msat_per_mib"], 5);
}

TEST_F(ControlServiceTest, AStationWithoutALedgerRefusesPayments) {
    const auto client = connect();
    const std::string order = R"({"cmd":"payment","order":{"do":"cancel","peer":"x","reference":"r"}})";
    EXPECT_EQ(request(client, order)["code"], "unsupported");
    for (const char* bad :
         {R"({})", R"([])", R"({"do":"pay"})", R"({"do":"cancel","peer":"x"})",
          R"({"do":"cancel","peer":"x","reference":"r","more":1})", R"({"do":"settle","peer":"x","msat":-1})",
          R"({"do":"settle","peer":"x","msat":1.5})", R"({"do":"settle","peer":"x","msat":1000000000001})",
          R"({"do":"note","id":"00","state":"failed"})",
          R"({"do":"note","id":"00112233445566778899aabbccddeeff","state":"lost"})",
          R"({"do":"record","peer":"x","paid":1,"msat":1,"reference":"r"})"}) {
        const auto answer = request(client, R"({"cmd":"payment","order":)" + std::string(bad) + "}");
        EXPECT_EQ(answer["code"], "invalid_argument") << bad << answer;
    }
}

TEST_F(ControlServiceTest, WatchersGetTheStatusEveryInterval) {
    const auto client = connect();
    EXPECT_TRUE(request(client, R"({"cmd":"watch","interval_ms":500})").is_discarded()) << "not before the tick";
    service_->on_tick(now_);
    EXPECT_EQ(nlohmann::json::parse(receive(client))["result"]["name"], "station");
    service_->on_tick(now_ + std::chrono::milliseconds(400));
    EXPECT_EQ(receive(client), "");
    service_->on_tick(now_ + std::chrono::milliseconds(500));
    EXPECT_NE(receive(client), "");
}

TEST_F(ControlServiceTest, OneHostAtATime) {
    std::optional<host::UniqueFd> first = connect();
    const auto second = connect();
    const std::string packet = R"({"cmd":"packet","data":")" + std::string(120, '6') + "\"}";
    EXPECT_EQ(request(*first, packet)["code"], "permission");
    EXPECT_EQ(request(*first, R"({"cmd":"attach"})")["result"]["mtu"], 1'400);
    EXPECT_TRUE(request(*first, packet).is_discarded()) << "a packet has no answer";
    EXPECT_EQ(sent_, Bytes(60, 0x66));
    EXPECT_EQ(request(second, R"({"cmd":"attach"})")["code"], "in_use");
    service_->deliver(Bytes{0x60, 0x01});
    EXPECT_EQ(receive(*first), "{\"packet\":\"6001\"}\n");
    first.reset();
    poll();
    service_->on_tick(now_);
    EXPECT_FALSE(service_->host_attached());
    EXPECT_EQ(request(second, R"({"cmd":"attach"})")["ok"], true);
}

TEST_F(ControlServiceTest, NobodyAttachesWhenTheStationForbidsIt) {
    why_not_attach_ = "this station has TUN mesh0";
    const auto client = connect();
    EXPECT_EQ(request(client, R"({"cmd":"attach"})")["error"], "this station has TUN mesh0");
    EXPECT_FALSE(service_->host_attached());
}

TEST_F(ControlServiceTest, StopIsAnsweredAndCarriedOut) {
    const auto client = connect();
    EXPECT_EQ(request(client, R"({"cmd":"stop"})")["ok"], true);
    EXPECT_TRUE(stopped_);
}

TEST_F(ControlServiceTest, ARevocationIsPublished) {
    Rng random(3);
    net::crypto_init();
    const auto revocation = net::MasterKey::generate(random).revoke(4);
    ASSERT_TRUE(revocation.ok());
    const auto fd = connect();
    const std::string text = net::to_text(*revocation);
    const std::string line = R"({"cmd":"publish","certificate":")" + text + "\"}";
    EXPECT_EQ(request(fd, line)["result"]["news"], true);
    ASSERT_EQ(published_.size(), 1U);
    EXPECT_EQ(published_[0], *revocation);
    EXPECT_EQ(request(fd, line)["result"]["news"], false);
    std::string forged = text;
    forged[60] = forged[60] == 'a' ? 'b' : 'a';
    for (const std::string& bad : {forged, std::string("hello"), std::string()}) {
        const auto answer = request(fd, R"({"cmd":"publish","certificate":")" + bad + "\"}");
        EXPECT_EQ(answer["ok"], false) << answer;
        EXPECT_EQ(answer["code"], "invalid_argument") << answer;
    }
    EXPECT_EQ(request(fd, R"({"cmd":"publish"})")["ok"], false);
    EXPECT_EQ(request(fd, R"({"cmd":"publish","certificate":7})")["ok"], false);
    EXPECT_EQ(published_.size(), 2U) << "what is not genuine is not passed on";
}

}  // namespace
}  // namespace meshnet::station
