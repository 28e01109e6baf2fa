// SPDX-License-Identifier: MIT
// Fault: two daemons started with a copy of one key ruined each other in silence. Here coast and ship of the example
// air have one key; both, and the beacon between them, must say so.
#include <algorithm>
#include <csignal>
#include <filesystem>

#include "tests/regressions/daemons_in_air.hpp"

namespace meshnet::test {
namespace {

class TheSameKeyInTwoDaemons : public DaemonsInAir {
protected:
    std::size_t alarms(const std::string& station) {
        const auto status = view(station, "status");
        return status.is_null() ? 0 : status["alarms"].size();
    }
    bool neighbour_with_alarm(const std::string& station) {
        const auto rows = view(station, "neighbours");
        return std::any_of(rows.begin(), rows.end(),
                           [](const auto& row) { return row.value("alarm", nlohmann::json()) == "same key twice"; });
    }
};

TEST_F(TheSameKeyInTwoDaemons, BothAndTheBeaconSaySo) {
    start("beacon");
    start("coast");
    ASSERT_TRUE(eventually([&] { return logged("beacon", "session up"); })) << text("beacon.log");
    end("coast", SIGKILL);  // a restart is nothing to speak of
    start("coast");
    std::filesystem::copy_file(folder_.path("coast.key"), folder_.path("ship.key"));
    EXPECT_EQ(alarms("coast") + alarms("beacon"), 0U);
    start("ship");
    for (const char* station : {"beacon", "coast", "ship"}) {
        EXPECT_TRUE(eventually([&] { return alarms(station) == 1; })) << station << text(std::string(station) + ".log");
        EXPECT_TRUE(eventually([&] { return logged(station, "ALARM: "); }));
    }
    EXPECT_TRUE(logged("coast", "another station uses the key of this one"));
    EXPECT_TRUE(logged("beacon", "two stations use the key of"));
    EXPECT_EQ(view("coast", "status")["alarms"][0]["own"], true);
    // The twins take the link from each other, so the row of the key is not always the first, nor always there.
    EXPECT_TRUE(eventually([&] { return neighbour_with_alarm("beacon"); })) << view("beacon", "neighbours");
    EXPECT_GE(view("beacon", "status")["routing"]["key_alarms"], 1);
}

}  // namespace
}  // namespace meshnet::test
