// SPDX-License-Identifier: GPL-3.0-or-later
// The router's ledger on disk: one SQLite file, one writer, a thread of its own.
//
//     Router::poll_persist() -> submit() -> [group commit, fsync] -> fd() readable -> take_persisted() ->
//     on_persisted()
//
// - WAL, synchronous=FULL: a batch is reported only when it would survive power loss.
// - After any failed write or fsync nothing more is written and nothing is retried (what the disk then holds cannot be
//   known: A. Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020); failure() says why.
// - A lock that another program holds (a browser, a backup) is no failure: the batch waits, locked() says so.
// - One daemon per file: FILE.lock is held while it is open. Readers (ledger_reader.hpp) may open it at any time.
// Spec: docs/spec/payment.md, "Ledger".
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"
#include "station/ledger/ledger_store.hpp"

namespace meshnet::station {

class SqliteLedger {
public:
    struct Options {
        std::chrono::milliseconds group{50};  ///< batches that arrive within this share one commit, 0..1000
        /// The station whose ledger it is: recorded in a ledger that has no owner, and a ledger of another is refused.
        /// Nothing: not checked.
        std::optional<net::NodeId> owner{};
    };

    /// Opens the ledger, making an empty one if there is none, upgrades an older format (ledger_format.hpp) and checks
    /// what the station acts upon and all entries behind the last seal; sealed history is checked while the station
    /// works, and damage there is a failure(). Errors are one line naming the file: in use, damaged, not a ledger,
    /// newer format, of another station, no permission. A damaged file is left as it is.
    [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const std::string& path, Options options);
    [[nodiscard]] static Result<std::unique_ptr<SqliteLedger>> open(const std::string& path) {
        return open(path, Options{});
    }
    /// Writes what is queued, then closes.
    ~SqliteLedger();
    SqliteLedger(const SqliteLedger&) = delete;
    SqliteLedger& operator=(const SqliteLedger&) = delete;

    /// Content of the ledger when it was opened: for the Router's constructor.
    [[nodiscard]] const net::LedgerState& state() const noexcept { return state_; }

    /// Queues a batch; returns at once. Dropped if failure() is set: it is then never reported as persisted.
    void submit(net::LedgerBatch batch);
    /// Readable when take_persisted(), locked() or failure() has changed.
    [[nodiscard]] int fd() const noexcept { return event_.get(); }
    /// The highest batch number on disk, if it grew since the last call; otherwise 0.
    [[nodiscard]] std::uint64_t take_persisted();
    /// Another program keeps the ledger from being written; it is tried again until that lets go.
    [[nodiscard]] bool locked() const;
    /// The reason of a failed write; nothing is written after it.
    [[nodiscard]] std::optional<std::string> failure() const;
    /// Writes what is queued and ends the thread. Harmless if repeated.
    void close();

private:
    SqliteLedger(std::unique_ptr<LedgerStore> store, std::unique_ptr<LedgerStore> history, host::UniqueFd lock,
                 host::UniqueFd event, Options options);
    void run();
    void check_history();
    [[nodiscard]] Status commit(const std::deque<net::LedgerBatch>& batches);
    [[nodiscard]] Status commit_when_free(const std::deque<net::LedgerBatch>& batches);
    void signal() const;

    std::unique_ptr<LedgerStore> store_;    // the thread's alone once it runs
    std::unique_ptr<LedgerStore> history_;  // the other thread's; nothing if all was checked at the start
    host::UniqueFd lock_, event_;
    Options options_;
    net::LedgerState state_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<net::LedgerBatch> queue_;
    std::uint64_t persisted_ = 0, taken_ = 0;
    std::optional<std::string> failure_;
    bool locked_ = false;
    bool closing_ = false;
    std::thread thread_, history_thread_;
};

}  // namespace meshnet::station
