// SPDX-License-Identifier: MIT
// The text form of keys and certificates: one line of a prefix with a version, the bytes in hexadecimal, a checksum.
// Spec: docs/spec/net.md, "Identity".
#pragma once

#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"

namespace meshnet::net {

/// "meshnet-master-v1:" | bytes | ":" | checksum 4.
[[nodiscard]] std::string to_checked_text(std::string_view prefix, ByteView body);
/// The bytes, exactly `size`; blanks around the line do not count. Errors are one line that names the fault and `what`
/// ("key"), and never shows the bytes.
[[nodiscard]] Result<Bytes> from_checked_text(std::string_view prefix, std::size_t size, const char* what,
                                              std::string_view text);
/// Without the blanks around it.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

}  // namespace meshnet::net
