// SPDX-License-Identifier: MIT
#include "core/result.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace meshnet {
namespace {

Result<int> half(int v) {
    if (v % 2 != 0) {
        return Error{ErrorCode::kInvalidArgument, "odd"};
    }
    return v / 2;
}

TEST(Result, HoldsAValueOrAReason) {
    EXPECT_TRUE(half(4).ok());
    EXPECT_EQ(*half(4), 2);
    EXPECT_FALSE(half(3));
    EXPECT_EQ(half(3).error().message, "odd");
}

TEST(Result, MovesOutWhatCannotBeCopied) {
    Result<std::unique_ptr<int>> r(std::make_unique<int>(5));
    const std::unique_ptr<int> p = std::move(r).value();
    EXPECT_EQ(*p, 5);
}

TEST(ResultDeathTest, ReadingTheWrongSideIsABrokenPrecondition) {
    EXPECT_DEATH(static_cast<void>(half(3).value()), "ok");
    EXPECT_DEATH(static_cast<void>(half(4).error()), "ok");
}

}  // namespace
}  // namespace meshnet
