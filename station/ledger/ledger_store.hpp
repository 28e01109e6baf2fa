// SPDX-License-Identifier: GPL-3.0-or-later
// The SQLite file under the ledger: opening it with clear errors, its check, its rows. Used by ledger_sqlite (writes)
// and ledger_reader (reads). Columns: ledger_columns.hpp; formats: ledger_format.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"
#include "station/ledger/ledger_seal.hpp"
#include "station/ledger/ledger_statement.hpp"

namespace meshnet::station {

// Rows of the table `meta`.
inline constexpr std::string_view kOwnerKey = "node_id";
inline constexpr std::string_view kSealKey = "seal";
[[nodiscard]] Bytes meta_checksum(std::string_view key, ByteView value);

/// An open ledger file.
class LedgerStore {
public:
    ~LedgerStore();
    LedgerStore(const LedgerStore&) = delete;
    LedgerStore& operator=(const LedgerStore&) = delete;

    /// Opens an existing ledger of this or an older format. Errors are one line that names the file: not a ledger,
    /// damaged, of a newer format, no permission. Nothing is changed in a damaged one.
    [[nodiscard]] static Result<std::unique_ptr<LedgerStore>> open(const std::string& path, bool read_only);
    /// Makes an empty ledger (0600) at `path`, which must not exist; complete or not at all.
    [[nodiscard]] static Status create(const std::string& path);
    /// The error of a damaged ledger, of which nothing was changed.
    [[nodiscard]] static Error damaged(const std::string& path, const std::string& what);

    [[nodiscard]] int format() const noexcept { return format_; }
    /// Structure, checksums, and that the entries of each neighbour add up to its balance. Empty if all is well.
    /// Error: it could not be read (in use by another program, no permission, a failing disk), which says nothing of
    /// it.
    [[nodiscard]] Result<std::vector<std::string>> check();
    /// check(), and its outcome as one line that names the file.
    [[nodiscard]] Status require_sound(const std::string& path);
    /// The same of what the station acts upon, the state, and of the entries that are not sealed: history that was
    /// sealed is not read. `sealed` tells whether there is such; without, all is checked.
    [[nodiscard]] Status require_sound_since_seal(const std::string& path, bool& sealed);
    /// Checks the entries behind the seal and moves it to the newest.
    [[nodiscard]] Status seal();
    /// Entries written or checked behind the seal, about.
    [[nodiscard]] std::size_t unsealed() const noexcept { return unsealed_; }
    /// From another thread: ends what runs, with an error.
    void interrupt() noexcept;
    [[nodiscard]] net::LedgerState state();
    /// The station the ledger is of; nothing if that is not recorded yet (always in format 1).
    [[nodiscard]] std::optional<net::NodeId> owner();
    [[nodiscard]] Status set_owner(const net::NodeId& id);
    /// Writes the rows of one batch inside a transaction of the caller.
    [[nodiscard]] Status write(const net::LedgerBatch& batch, std::int64_t unix_seconds);
    /// Takes back what was written since BEGIN.
    void roll_back();
    /// Moves every commit from the log into the file. Error: a reader is in the way (kInUse).
    [[nodiscard]] Status checkpoint();
    [[nodiscard]] Status execute(const std::string& sql);
    [[nodiscard]] LedgerStatement prepare(const std::string& sql) { return LedgerStatement(db_, sql); }
    [[nodiscard]] std::string error() const;
    /// SQLite's last error, and its kind: kInUse, kPermission, kInvalidData (damaged) or kSystem.
    [[nodiscard]] Error last_error() const;
    /// What `why` means for the ledger at `path`: in use is not damaged, nor is a disk that cannot be read.
    [[nodiscard]] static Error explain(const std::string& path, const Error& why);

private:
    explicit LedgerStore(sqlite3* db) : db_(db) {}
    [[nodiscard]] Status read_format(const std::string& path);
    [[nodiscard]] Status prepare_writes(const std::string& path);
    [[nodiscard]] std::optional<Bytes> meta(std::string_view key);
    [[nodiscard]] Status set_meta(std::string_view key, ByteView value);
    [[nodiscard]] Status follow_seal(const net::LedgerRow& row, bool& changed);
    [[nodiscard]] Status add_entries(const LedgerSeal* stop_at, LedgerSeal& sums, std::vector<std::string>& problems);
    [[nodiscard]] Status check_rows(LedgerSeal sums, std::vector<std::string>& problems);
    [[nodiscard]] Status check_meta(std::vector<std::string>& problems);

    sqlite3* db_;
    int format_ = 0;
    std::optional<LedgerSeal> seal_;  // of a ledger that is written
    std::size_t unsealed_ = 0;
    LedgerStatement put_, erase_, append_, find_;
};

}  // namespace meshnet::station
