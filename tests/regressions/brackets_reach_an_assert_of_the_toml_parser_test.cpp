// SPDX-License-Identifier: MIT
// Fault: a few bytes of a configuration file ("[[|") reached an assert of the TOML parser and ended the program. Any
// bytes at all must give a configuration or one line that says what is wrong.
#include <gtest/gtest.h>

#include <string>

#include "sim/air_config.hpp"
#include "station/config.hpp"

namespace meshnet {
namespace {

TEST(Regressions, BracketsReachAnAssertOfTheTomlParser) {
    for (const std::string text :
         {"[[|", "[|", "[[", "[[]]", "[a.[", "a=[[|", "\"[[|", "=", "a=", "[[a]]\n[a", "[\xc3\xb0"}) {
        const auto daemon = station::parse_config(text, "test.toml");
        ASSERT_FALSE(daemon.ok()) << text;
        EXPECT_EQ(daemon.error().message.find('\n'), std::string::npos) << daemon.error().message;
        const auto air = sim::parse_air_config(text, "test.toml");
        ASSERT_FALSE(air.ok()) << text;
        EXPECT_EQ(air.error().message.find('\n'), std::string::npos) << air.error().message;
    }
}

}  // namespace
}  // namespace meshnet
