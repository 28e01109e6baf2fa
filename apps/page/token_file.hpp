// SPDX-License-Identifier: GPL-3.0-or-later
// The token that opens the page, in a file that only its owner can read.
#pragma once

#include <string>

#include "core/result.hpp"

namespace meshnet::page {

inline constexpr std::size_t kTokenDigits = 64;

/// The token in `path`; if there is no such file, a new random one is written to it (mode 0600). It stays the same
/// over restarts, so that bookmarks and Prometheus go on. Errors (one line): the file belongs to somebody else, can be
/// read by others, is a link or holds something else; the folder cannot be written.
[[nodiscard]] Result<std::string> load_or_make_token(const std::string& path);

}  // namespace meshnet::page
