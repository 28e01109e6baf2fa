// SPDX-License-Identifier: MIT
#include "core/names.hpp"

#include <gtest/gtest.h>

#include <array>

namespace meshnet {
namespace {

constexpr std::array<std::string_view, 3> kWords{"profile", "device", "search"};

TEST(NearestName, FindsSlipsAndNothingElse) {
    EXPECT_EQ(nearest_name("profiel", kWords), "profile");
    EXPECT_EQ(nearest_name("devise", kWords), "device");
    EXPECT_FALSE(nearest_name("antenna", kWords).has_value());
    EXPECT_FALSE(nearest_name("", std::array<std::string_view, 0>{}).has_value());
    EXPECT_FALSE(nearest_name(std::string(65, 'x'), kWords).has_value());
}

TEST(UnknownName, NamesWhatThereIs) {
    const Error far = unknown_name("key", "antenna", kWords);
    EXPECT_EQ(far.code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(far.message, "unknown key 'antenna'; known are profile device search");
    EXPECT_EQ(unknown_name("key", "devise", kWords).message,
              "unknown key 'devise'; did you mean 'device'? known are profile device search");
}

TEST(Quoted, IsShortAndPrintable) {
    EXPECT_EQ(meshnet::quoted(std::string_view("a\nb\xff")), "'a?b?'");
    EXPECT_EQ(meshnet::quoted(std::string(100, 'x')).size(), 66U);
}

}  // namespace
}  // namespace meshnet
