// SPDX-License-Identifier: MIT
#include "phy/waveform/frame_layout.hpp"

#include <gtest/gtest.h>

#include "phy/frame.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

TEST(PayloadLayout, CoversEveryByteAndEveryPointOnce) {
    for (const Mode& mode : modes()) {
        for (const std::size_t bytes :
             {1UL, 2UL, 16UL, 100UL, 1052UL, 1053UL, 1054UL, 1500UL, 2107UL, 24'000UL, kMaxPayloadBytes}) {
            for (const std::size_t per_symbol : {44UL, 48UL, 96UL, 1536UL}) {
                const PayloadLayout layout(mode, bytes, per_symbol);
                std::size_t offset = 0;
                std::size_t points = 0;
                for (std::size_t b = 0; b < layout.blocks(); ++b) {
                    EXPECT_EQ(layout.block_offset(b), offset);
                    EXPECT_GE(layout.block_bytes(b), 1U);
                    EXPECT_LE(layout.block_bytes(b), kMaxBlockBytes);
                    offset += layout.block_bytes(b);
                    points += layout.block_points(b);
                    const double coded = static_cast<double>(layout.block_points(b) * mode.bits_per_symbol);
                    const double wanted =
                        static_cast<double>((8 * layout.block_bytes(b) + kBlockCrcBits) * mode.rate_den * mode.spread) /
                        mode.rate_num;
                    EXPECT_GE(coded + 1e-9, wanted) << mode.name << " must not be sent at a higher rate than its own";
                }
                EXPECT_EQ(offset, bytes);
                EXPECT_EQ(points, layout.symbols() * per_symbol);
            }
        }
    }
}

TEST(PayloadLayout, SixteenFullPacketsAtTheTopCarryFivePointThreeBitsPerSecondPerHertz) {
    for (const char* name : {"125k", "250k", "500k", "1M", "2M", "5M"}) {
        const Profile& profile = *find_profile(name);
        const double seconds =
            static_cast<double>(frame_samples(profile, *find_mode("256qam-5/6"), 24'000)) / profile.sample_rate_hz;
        EXPECT_GE(24'000 * 8 / seconds / profile.occupied_bandwidth_hz(), 5.3) << name;
    }
}

}  // namespace
}  // namespace meshnet::phy
