// SPDX-License-Identifier: MIT
#include "host/text.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace meshnet::host {
namespace {

TEST(SystemError, HasTheSystemsSentenceAndACode) {
    const Error missing = system_error("key file k cannot be opened", ENOENT);
    EXPECT_EQ(missing.message, "key file k cannot be opened: No such file or directory");
    EXPECT_EQ(missing.code, ErrorCode::kNotFound);
    EXPECT_EQ(code_of(EACCES), ErrorCode::kPermission);
    EXPECT_EQ(code_of(EADDRINUSE), ErrorCode::kInUse);
    EXPECT_EQ(code_of(ECONNREFUSED), ErrorCode::kUnavailable);
    EXPECT_EQ(code_of(ENOSPC), ErrorCode::kSystem);
}

}  // namespace
}  // namespace meshnet::host
