// SPDX-License-Identifier: MIT
// The parts of the status page without a socket: who is let in, what the history keeps, that every counter is there.
#include <gtest/gtest.h>

#include <fstream>
#include <limits>
#include <string>

#include "apps/page/history.hpp"
#include "apps/page/metrics.hpp"
#include "apps/page/request_guard.hpp"
#include "station/control/counter_groups.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::page {
namespace {

const std::string kToken(64, 'a');

RequestFacts facts_of(std::string_view path) {
    RequestFacts f;
    f.method = "GET";
    f.path = path;
    f.hosts = 1;
    f.host = "127.0.0.1:8470";
    return f;
}

TEST(PageGuard, LetsInOnlyThisMachineWithTheToken) {
    const RequestGuard guard(8470, kToken, false);
    RequestFacts f = facts_of("/");
    EXPECT_EQ(guard.judge(f), Verdict::kNoToken);
    f.query_token = kToken;
    EXPECT_EQ(guard.judge(f), Verdict::kGiveCookie);
    const std::string cookie = "x=y; meshnet_page_8470=" + kToken;
    f.cookie = cookie;
    EXPECT_EQ(guard.judge(f), Verdict::kPass);
    for (const char* host : {"localhost:8470", "LOCALHOST:8470", "[::1]:8470"}) {
        f.host = host;
        EXPECT_EQ(guard.judge(f), Verdict::kPass) << host;
    }
    for (const char* host : {"", "127.0.0.1", "127.0.0.1:80", "evil:8470", "127.0.0.1.evil:8470"}) {
        f.host = host;
        EXPECT_EQ(guard.judge(f), Verdict::kWrongHost) << host;
    }
    f.host = "127.0.0.1:8470";
    f.hosts = 2;
    EXPECT_EQ(guard.judge(f), Verdict::kWrongHost);
    f.hosts = 1;
    f.origin = "null";
    EXPECT_EQ(guard.judge(f), Verdict::kWrongOrigin);
}

TEST(PageGuard, OpenMetricsAreOpenToProgramsAndNotToOtherPages) {
    const RequestGuard guard(8470, kToken, true);
    RequestFacts f = facts_of("/metrics");
    EXPECT_EQ(guard.judge(f), Verdict::kPass);
    f.fetch_site = "cross-site";
    EXPECT_EQ(guard.judge(f), Verdict::kNoToken);
    EXPECT_EQ(guard.judge(facts_of("/money")), Verdict::kNoToken);
}

TEST(PageHistory, KeepsTheNewestPointsOfEachLevelOverARestart) {
    const test::TemporaryFolder folder;
    const std::string path = folder.path("h");
    const std::int64_t begin = 1'000'000'800;
    {
        auto history = History::open(path);
        ASSERT_TRUE(history.ok()) << history.error().message;
        EXPECT_EQ(History::open(path).error().code, ErrorCode::kInUse);
        for (std::int64_t i = 0; i < 2'300; ++i) {
            const auto added = history->add(
                begin + 10 * i,
                {{{"snr_db", "a"}, static_cast<double>(i)}, {{"loss", "a"}, std::numeric_limits<double>::quiet_NaN()}});
            ASSERT_TRUE(added.ok());
        }
    }
    auto history = History::open(path);
    ASSERT_TRUE(history.ok()) << history.error().message;
    const auto fine = history->read("snr_db", begin + 23'000 - 21'600, begin + 23'000);
    ASSERT_EQ(fine->series.size(), 1U);
    EXPECT_LE(fine->series[0].points.size(), 2'160U);
    EXPECT_EQ(fine->series[0].points.back().mean, 2'299.0);
    const auto coarse = history->read("snr_db", begin, begin + 86'400);
    EXPECT_EQ(coarse->step_s, 120);
    EXPECT_NEAR(coarse->series[0].points[1].mean, 17.5, 6.0);
    EXPECT_TRUE(history->read("loss", begin, begin + 86'400)->series.empty());
}

TEST(PageHistory, ManySeriesMakeRoom) {
    const test::TemporaryFolder folder;
    auto history = History::open(folder.path("h"));
    ASSERT_TRUE(history.ok());
    for (std::size_t i = 0; i < kMostSeries + 20; ++i) {
        ASSERT_TRUE(history->add(static_cast<std::int64_t>(1'000 + i), {{{"snr_db", std::to_string(i)}, 1.0}}).ok());
    }
    EXPECT_EQ(history->read("snr_db", 0, 10'000)->series.size(), kMostSeries);
}

TEST(PageHistory, RefusesForeignFiles) {
    const test::TemporaryFolder folder;
    std::ofstream(folder.path("h")) << std::string(5'000, 'x');
    EXPECT_EQ(History::open(folder.path("h")).error().code, ErrorCode::kInvalidData);
}

TEST(PageMetrics, HasEveryCounter) {
    StationState state;
    state.link = StationState::Link::kAnswers;
    station::visit_counter_keys([&](const char* group, const std::string& key, bool) { state.status[group][key] = 7; });
    const std::string text = metrics_of(state, {}, {});
    station::visit_counter_keys([&](const char* group, const std::string& key, bool is_time) {
        const std::string name = counter_metric(group, key, is_time);
        EXPECT_NE(text.find("\n" + name + " 7\n"), std::string::npos) << name;
    });
    state.link = StationState::Link::kSilent;
    EXPECT_EQ(metrics_of(state, {}, {}).find("meshnet_mac_"), std::string::npos) << "old values are no values";
}

}  // namespace
}  // namespace meshnet::page
