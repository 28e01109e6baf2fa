// SPDX-License-Identifier: GPL-3.0-or-later
// The system calls a daemon and the drivers of its radios make; all others are refused by the kernel.
#pragma once

#include "core/result.hpp"

namespace meshnet::station {

/// Loads the filter for all threads of the process; for good. What is not in the table answers ENOSYS, so that the C
/// library and drivers fall back where they can. Error: the kernel or the sandbox around us has no seccomp.
[[nodiscard]] Status restrict_system_calls();

}  // namespace meshnet::station
