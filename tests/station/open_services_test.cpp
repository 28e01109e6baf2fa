// SPDX-License-Identifier: MIT
#include "station/open_services.hpp"

#include <gtest/gtest.h>

namespace meshnet::station {
namespace {

using Ports = std::vector<std::uint16_t>;

TEST(OpenServices, AreThoseThatListenOnEveryAddress) {
    EXPECT_EQ(
        open_services("  sl  local_address                         remote_address                        st tx_queue\n"
                      "   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0\n"
                      "   1: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 0:0\n"
                      "   2: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0\n"
                      "   3: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0\n"
                      "   4: 00000000000000000000000000000000:1770 0000000000000000FFFF00000100007F:0050 01 0:0\n"),
        (Ports{22, 8'080}));
}

TEST(OpenServices, WhatIsNotUnderstoodIsPassedOver) {
    EXPECT_EQ(open_services(""), Ports{});
    EXPECT_EQ(open_services("0: 00000000000000000000000000000000:XXXX 0:0 0A\n"
                            "1: 00000000000000000000000000000000:12 0:0 0A\n"
                            "2: 0000:0016 0:0 0A\nnothing\n\n"),
              Ports{});
}

}  // namespace
}  // namespace meshnet::station
