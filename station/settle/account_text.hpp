// SPDX-License-Identifier: GPL-3.0-or-later
// Statements as files: JSON for programs, CSV for tables, both with the signed bytes themselves.
//
// What a person reads stands beside the canonical form in hexadecimal ("signed"), which alone is signed. A file whose
// readable part says anything else than its signed bytes is refused. Spec: docs/spec/payment.md, "Statements".
#pragma once

#include <string>
#include <string_view>

#include "core/result.hpp"
#include "net/payment/account_statement.hpp"

namespace meshnet::station {

inline constexpr std::size_t kMostAccountBytes = std::size_t{256} << 20U;

[[nodiscard]] std::string account_json(const net::AccountStatement& statement);
[[nodiscard]] std::string account_csv(const net::AccountStatement& statement);

/// Reads either (any bytes). Checks no signature: net::check_account() does. Errors are one line without the name of
/// the file: not a statement, truncated, of another version, its readable part differs from what is signed.
[[nodiscard]] Result<net::AccountStatement> account_from_text(std::string_view text);

}  // namespace meshnet::station
