// SPDX-License-Identifier: MIT
#include "station/ip_prefix.hpp"

#include <gtest/gtest.h>

namespace meshnet::station {
namespace {

TEST(IpPrefix, IsReadAndWritten) {
    for (const char* text : {"fd00::/8", "::/0", "fdaa:1:2:3::1/128", "fe00::/9", "8000::/1"}) {
        const auto prefix = ip_prefix_from_string(text);
        ASSERT_TRUE(prefix) << text;
        EXPECT_EQ(to_string(*prefix), text);
    }
}

TEST(IpPrefix, WhatIsNone) {
    for (const char* text : {"", "/", "fd00::", "fd00::/", "/8", "fd00::/129", "fd00::/-1", "fd00::/8 ", "fd00::/0x8",
                             "fd00::/7", "fd01::/15", "10.0.0.0/8", "fd00::%lo/8", "fd00::/99999999999999999999"}) {
        EXPECT_FALSE(ip_prefix_from_string(text)) << text;
    }
}

TEST(IpPrefix, CoversWhatLiesInside) {
    const auto p = [](const char* text) { return ip_prefix_from_string(text).value(); };
    EXPECT_TRUE(p("::/0").covers(p("fd00::/8")));
    EXPECT_TRUE(p("fd00::/8").covers(p("fd00::/8")));
    EXPECT_TRUE(p("fc00::/7").covers(p("fdaa::1/128")));
    EXPECT_FALSE(p("fd00::/8").covers(p("fc00::/7")));
    EXPECT_FALSE(p("fd00::/8").covers(p("fe00::/9")));
    EXPECT_FALSE(p("fdaa::/17").covers(p("fdaa:8000::/17")));
}

}  // namespace
}  // namespace meshnet::station
