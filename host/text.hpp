// SPDX-License-Identifier: MIT
// What the operating system says, in words and as an ErrorCode.
#pragma once

#include <string>

#include "core/result.hpp"

namespace meshnet::host {

/// The system's sentence for an errno value: "No such file or directory".
[[nodiscard]] std::string reason(int error);

/// The code a caller can decide by.
[[nodiscard]] ErrorCode code_of(int error) noexcept;

/// "WHAT: REASON".
[[nodiscard]] Error system_error(const std::string& what, int error);

}  // namespace meshnet::host
