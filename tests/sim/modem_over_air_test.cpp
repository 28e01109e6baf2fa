// SPDX-License-Identifier: MIT
// The modem in the air of the example: frames of every station reach those that can hear it, with the numbers the
// budget predicts.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "sim/air_config.hpp"

namespace meshnet::sim {
namespace {

TEST(ModemOverAir, StationsOfTheExampleHearWhomTheyShould) {
    const auto file = load_air_config(MESHNET_SOURCE_DIR "/tools/examples/air-coast-beacon-ship.toml");
    ASSERT_TRUE(file.ok()) << file.error().message;
    Air air(file->air);
    const phy::Profile& profile = *phy::find_profile("1M");
    ASSERT_DOUBLE_EQ(profile.sample_rate_hz, file->air.sample_rate_hz);
    phy::Transmitter transmitter(profile);
    std::vector<phy::Receiver> receivers;
    const std::size_t count = file->air.stations.size();
    for (std::size_t s = 0; s < count; ++s) {
        phy::Receiver::Config config;
        config.profile = &profile;
        receivers.emplace_back(config);
    }
    struct Heard {
        std::size_t by;
        phy::Frame frame;
    };
    std::vector<Heard> heard;
    const auto pass = [&](Duration time) {
        for (Duration t{}; t < time; t += 1ms) {
            air.advance(1ms);
            for (std::size_t s = 0; s < count; ++s) {
                receivers[s].push(air.received(s).samples);
                while (auto frame = receivers[s].poll_frame()) {
                    heard.push_back({s, std::move(*frame)});
                }
            }
        }
    };
    pass(20ms);
    Rng random(1);
    for (const char* name : {"qpsk-1/5", "qpsk-1/2", "16qam-1/2", "16qam-3/4"}) {
        const auto mode = phy::find_mode(name);
        ASSERT_TRUE(mode);
        for (std::size_t from = 0; from < count; ++from) {
            Bytes payload(1'500);
            random.fill(payload);
            std::vector<phy::Sample> burst;
            transmitter.modulate(*mode, payload, burst);
            const std::uint64_t at = air.local_index(from) + 2'000;
            ASSERT_EQ(air.transmit(from, 1, at, burst), AirVerdict::kAccepted);
            heard.clear();
            pass(from_seconds(static_cast<double>(burst.size()) * 1e-6) + 8ms);
            std::size_t expected = 0;
            for (std::size_t to = 0; to < count; ++to) {
                const AirBudget budget = air.budget(from, to);
                if (from == to || !budget.heard) {
                    continue;
                }
                ++expected;
                const auto it = std::find_if(heard.begin(), heard.end(), [&](const Heard& h) { return h.by == to; });
                ASSERT_NE(it, heard.end()) << name << " from " << from << " to " << to;
                EXPECT_TRUE(it->frame.ok()) << name << " from " << from << " to " << to;
                EXPECT_EQ(it->frame.payload, payload);
                EXPECT_EQ(it->frame.mode, *mode);
                EXPECT_NEAR(static_cast<double>(it->frame.snr_db), budget.snr_db, 1.5);
                EXPECT_NEAR(static_cast<double>(it->frame.cfo_hz), budget.carrier_offset_hz, 50.0);
                // Both clocks started at time 0: the frame comes at its time plus the delay, on the receiver's count.
                const double rate_from = 1e6 + file->air.stations[from].clock_ppm;
                const double rate_to = 1e6 + file->air.stations[to].clock_ppm;
                const double arrival = (static_cast<double>(at) / rate_from + to_seconds(budget.delay)) * rate_to;
                EXPECT_NEAR(
                    static_cast<double>(it->frame.sample_index) + static_cast<double>(it->frame.sample_fraction),
                    arrival, 1.0);
            }
            EXPECT_EQ(heard.size(), expected) << name << " from " << from;
        }
    }
}

}  // namespace
}  // namespace meshnet::sim
