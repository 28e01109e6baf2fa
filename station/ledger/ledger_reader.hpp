// SPDX-License-Identifier: GPL-3.0-or-later
// Reads a ledger of this or an older format without changing it, also while a daemon writes it (WAL readers see the
// last commit).
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "station/ledger/ledger_store.hpp"

namespace meshnet::station {

class LedgerReader {
public:
    struct Balance {
        std::array<std::uint8_t, 32> peer{};  ///< node id
        std::int64_t net_nsat = 0;            ///< > 0: the neighbour owes us
        std::int64_t earned_nsat = 0;         ///< all credits ever
        std::int64_t spent_nsat = 0;          ///< all debits ever, >= 0
        std::uint64_t bytes = 0;              ///< payload delivered in the flows these are for
    };
    struct Entry {
        std::uint64_t id = 0;           ///< 1, 2, 3, ... in the order of commits
        std::int64_t unix_seconds = 0;  ///< wall clock when written, for display
        std::array<std::uint8_t, 32> peer{};
        std::array<std::uint8_t, 16> flow{};
        std::uint64_t from_byte = 0, to_byte = 0;  ///< of the flow's payload
        std::int64_t amount_nsat = 0;
        std::string kind;  ///< "relay": we earned, "pay": to the next hop, "own": for our own flow
    };
    struct Totals {
        std::int64_t earned_nsat = 0;    ///< sum of kind "relay"
        std::int64_t paid_nsat = 0;      ///< sum of kind "pay", >= 0: paid on to other relays
        std::int64_t own_nsat = 0;       ///< sum of kind "own", >= 0: for flows of our own
        std::int64_t settled_nsat = 0;   ///< sum of kind "payment", >= 0: paid outside the mesh
        std::int64_t received_nsat = 0;  ///< sum of kind "received", >= 0: paid to us outside the mesh
        std::uint64_t entries = 0;
    };
    /// What a statement of the station is made from, all of one moment.
    struct Account {
        std::optional<net::NodeId> owner;
        net::LedgerState state;
        std::map<net::NodeId, std::map<std::string, std::int64_t>> sums_nsat;  ///< of entries: neighbour, kind
        std::uint64_t entries = 0;
    };
    /// Entries of one neighbour and kind, last written within one stretch of time, added up.
    struct Sum {
        std::int64_t stretch = 0;  ///< 0, 1, 2, ... from the begin that sums() was given
        std::array<std::uint8_t, 32> peer{};
        std::string kind;
        std::int64_t amount_nsat = 0;
        std::uint64_t bytes = 0;
    };
    /// Result of fsck(); `problems` empty: every checksum and every sum is right.
    struct Report {
        std::uint64_t entries = 0, rows = 0;
        std::vector<std::string> problems;
    };

    /// Errors are one line that names the file.
    [[nodiscard]] static Result<LedgerReader> open(const std::string& path);

    [[nodiscard]] Result<std::vector<Balance>> balances();
    /// The newest `limit` entries, newest first.
    [[nodiscard]] Result<std::vector<Entry>> entries(std::size_t limit);
    [[nodiscard]] Result<Totals> totals();
    [[nodiscard]] Result<Account> account();
    /// Sums since `from` (Unix seconds) by stretches of `seconds` (>= 1), in the order of time. Reads every entry.
    [[nodiscard]] Result<std::vector<Sum>> sums(std::int64_t from, std::int64_t seconds);
    [[nodiscard]] Result<Report> fsck();

private:
    explicit LedgerReader(std::unique_ptr<LedgerStore> store, std::string path)
        : store_(std::move(store)), path_(std::move(path)) {}
    [[nodiscard]] Error failed() const;
    std::unique_ptr<LedgerStore> store_;
    std::string path_;
};

}  // namespace meshnet::station
