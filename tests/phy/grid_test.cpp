// SPDX-License-Identifier: MIT
#include "phy/waveform/grid.hpp"

#include <gtest/gtest.h>

#include <set>

namespace meshnet::phy {
namespace {

class EveryProfile : public testing::TestWithParam<Profile> {};
INSTANTIATE_TEST_SUITE_P(Profiles, EveryProfile, testing::ValuesIn(profiles().begin(), profiles().end()),
                         [](const auto& test) { return std::string(test.param.name); });

TEST_P(EveryProfile, CarriersAvoidDcAndTheBandEdges) {
    const Grid grid(GetParam());
    std::set<std::size_t> bins;
    for (std::size_t c = 0; c < grid.carriers(); ++c) {
        EXPECT_NE(grid.subcarrier(c), 0);
        EXPECT_LE(std::abs(grid.subcarrier(c)), static_cast<int>(GetParam().fft_size * 13 / 32));
        bins.insert(grid.bin(c));
    }
    EXPECT_EQ(bins.size(), grid.carriers());
    EXPECT_EQ(bins.count(0), 0U);
}

TEST_P(EveryProfile, EverySymbolHasTheSameRoomAndOnePeriodSoundsEveryCarrier) {
    const Grid grid(GetParam());
    for (const bool dense : {false, true}) {
        std::set<std::uint16_t> visited;
        for (std::size_t s = 0; s < Grid::kPilotPeriod; ++s) {
            EXPECT_EQ(grid.data(s, dense).size(), grid.data_per_symbol(dense));
            EXPECT_EQ(grid.pilots(s, dense).size() + grid.data(s, dense).size(), grid.carriers());
            visited.insert(grid.pilots(s, dense).begin(), grid.pilots(s, dense).end());
        }
        EXPECT_EQ(visited.size(), grid.carriers());
    }
}

TEST_P(EveryProfile, TrainingHasConstantMagnitude) {
    const Grid grid(GetParam());
    for (const Sample t : grid.training()) {
        EXPECT_NEAR(std::abs(t), 1.0F, 1e-5F);
    }
}

TEST(Profiles, AreFoundByNameWhateverTheCase) {
    EXPECT_EQ(find_profile("1m"), &profiles()[3]);
    EXPECT_EQ(find_profile("1M"), &profiles()[3]);
    EXPECT_EQ(find_profile("3M"), nullptr);
    EXPECT_EQ(find_profile(""), nullptr);
}

TEST(Modes, AreNamedByWhatTheyAre) {
    float last = -100.0F;
    for (std::size_t i = 0; i < modes().size(); ++i) {
        const Mode& m = modes()[i];
        EXPECT_EQ(find_mode(m.name), i);
        const std::string modulation = m.bits_per_symbol == 2 ? "qpsk" : std::to_string(1 << m.bits_per_symbol) + "qam";
        std::string name = modulation + "-" + std::to_string(m.rate_num) + "/" + std::to_string(m.rate_den);
        if (m.spread > 1) {
            name += "x" + std::to_string(m.spread);
        }
        EXPECT_EQ(m.name, name);
        EXPECT_GT(m.required_snr_db, last) << "the most robust mode is first";
        last = m.required_snr_db;
    }
    EXPECT_FALSE(find_mode("qpsk-1/4"));
}

}  // namespace
}  // namespace meshnet::phy
