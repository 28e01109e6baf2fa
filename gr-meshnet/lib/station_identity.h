// SPDX-License-Identifier: GPL-3.0-or-later
// Keys, randomness and books of a station: made from a seed for simulation, or kept in a directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/random.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"
#include "station/ledger/ledger_sqlite.hpp"

namespace gr::meshnet {

struct station_identity {
    std::unique_ptr<::meshnet::RandomSource> random;
    ::meshnet::net::Identity identity;
    std::unique_ptr<::meshnet::station::SqliteLedger> ledger;  ///< null: in memory
    ::meshnet::net::LedgerState books;
};

/// `state_dir`: an existing directory with `station.key` and `station.ledger`, both made if they are not there; empty:
/// from `seed`. Throws std::runtime_error, with the reason, if key or ledger cannot be used.
[[nodiscard]] station_identity open_identity(const std::string& block, std::uint64_t seed,
                                             const std::string& state_dir);

}  // namespace gr::meshnet
