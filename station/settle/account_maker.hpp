// SPDX-License-Identifier: GPL-3.0-or-later
// The statement of a station from its ledger file, with or without a daemon that writes it.
#pragma once

#include <cstdint>
#include <string>

#include "core/result.hpp"
#include "net/node_id.hpp"
#include "net/payment/account_statement.hpp"

namespace meshnet::station {

/// Reads the ledger as it is on disk at one moment and signs what it says with the station's device key. `unix_s`: wall
/// clock. Errors are one line: the file's, or the ledger is of another station than the key.
[[nodiscard]] Result<net::AccountStatement> make_account(const std::string& ledger_file, const net::Identity& identity,
                                                         std::uint64_t unix_s);

}  // namespace meshnet::station
