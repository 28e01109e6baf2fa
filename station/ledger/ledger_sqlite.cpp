// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/ledger/ledger_sqlite.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "host/text.hpp"
#include "station/ledger/ledger_format.hpp"

namespace meshnet::station {

namespace {

constexpr std::chrono::milliseconds kRetry{100};  // beside the time SQLite itself waits for a lock
constexpr int kTriesAtClose = 3;
constexpr std::size_t kSealEvery = 16'384;  // entries: a start reads about so many, a tenth of a second

/// Records the owner in a ledger that has none; refuses one of another station.
Status claim(LedgerStore& store, const std::string& path, const net::NodeId& owner) {
    const auto recorded = store.owner();
    if (!recorded) {
        if (auto set = store.set_owner(owner); !set) {
            return Error{set.error().code, "ledger " + path + " cannot be written: " + set.error().message};
        }
        return Ok{};
    }
    if (*recorded != owner) {
        return Error{ErrorCode::kInvalidArgument,
                     "ledger " + path + " belongs to station " + net::to_string(net::address_of(*recorded)) +
                         ", not to this one, " + net::to_string(net::address_of(owner)) +
                         ": set another station.ledger_file, or restore the key file of that station"};
    }
    return Ok{};
}

}  // namespace

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::string& path, Options options) {
    // The lock is a file of its own: closing any descriptor of the database itself would drop SQLite's locks on it.
    const std::string cannot_lock = "ledger " + path + " cannot be locked";
    host::UniqueFd lock(::open((path + ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    if (!lock) {
        return host::system_error(cannot_lock, errno);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK ? Error{ErrorCode::kInUse, "ledger " + path + " is in use by another meshnetd"}
                                    : host::system_error(cannot_lock, errno);
    }
    if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT) {
        if (::access((path + "-wal").c_str(), F_OK) == 0) {
            return Error{ErrorCode::kInvalidData, "ledger " + path + " is missing, but its log " + path +
                                                      "-wal is there: put the file back beside it, or move the log "
                                                      "away to start anew"};
        }
        if (auto made = LedgerStore::create(path); !made) {
            return made.error();
        }
    }
    if (auto upgraded = upgrade_ledger(path); !upgraded) {
        return upgraded.error();
    }
    auto store = LedgerStore::open(path, false);
    if (!store) {
        return store.error();
    }
    bool sealed = false;
    if (auto sound = (*store)->require_sound_since_seal(path, sealed); !sound) {
        return sound.error();
    }
    std::unique_ptr<LedgerStore> history;  // a connection of its own, to check all of it while the station works
    if (sealed) {
        auto reader = LedgerStore::open(path, true);
        if (!reader) {
            return reader.error();
        }
        history = std::move(reader).value();
    }
    if (options.owner) {
        if (auto claimed = claim(**store, path, *options.owner); !claimed) {
            return claimed.error();
        }
    }
    host::UniqueFd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!event) {
        return host::system_error("no eventfd", errno);
    }
    return std::unique_ptr<SqliteLedger>(
        new SqliteLedger(std::move(store).value(), std::move(history), std::move(lock), std::move(event), options));
}

SqliteLedger::SqliteLedger(std::unique_ptr<LedgerStore> store, std::unique_ptr<LedgerStore> history,
                           host::UniqueFd lock, host::UniqueFd event, Options options)
    : store_(std::move(store)),
      history_(std::move(history)),
      lock_(std::move(lock)),
      event_(std::move(event)),
      options_(options) {
    state_ = store_->state();
    thread_ = std::thread([this] { run(); });
    if (history_) {
        history_thread_ = std::thread([this] { check_history(); });
    }
}

/// What no start waits for. Damage found here ends the station as damage found at the start does.
void SqliteLedger::check_history() {
    if (!history_->execute("BEGIN")) {  // a view of one moment, whatever is written meanwhile
        return;
    }
    const auto problems = history_->check();
    const std::lock_guard guard(mutex_);
    if (problems && !problems->empty() && !closing_ && !failure_) {
        failure_ = "its history is damaged: " + problems->front();
        signal();
    }
}

SqliteLedger::~SqliteLedger() {
    close();
}

void SqliteLedger::submit(net::LedgerBatch batch) {
    {
        const std::lock_guard guard(mutex_);
        if (failure_ || closing_) {
            return;
        }
        queue_.push_back(std::move(batch));
    }
    wake_.notify_one();
}

std::uint64_t SqliteLedger::take_persisted() {
    std::uint64_t ignored = 0;
    (void)!::read(event_.get(), &ignored, sizeof ignored);  // not readable: nothing new
    const std::lock_guard guard(mutex_);
    if (persisted_ == taken_) {
        return 0;
    }
    taken_ = persisted_;
    return taken_;
}

bool SqliteLedger::locked() const {
    const std::lock_guard guard(mutex_);
    return locked_;
}

std::optional<std::string> SqliteLedger::failure() const {
    const std::lock_guard guard(mutex_);
    return failure_;
}

void SqliteLedger::close() {
    {
        const std::lock_guard guard(mutex_);
        closing_ = true;
    }
    wake_.notify_one();
    if (history_thread_.joinable()) {
        history_->interrupt();
        history_thread_.join();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
    history_.reset();
    store_.reset();
    lock_.reset();
}

void SqliteLedger::signal() const {
    const std::uint64_t one = 1;
    (void)!::write(event_.get(), &one, sizeof one);  // full only if it is readable anyway
}

Status SqliteLedger::commit(const std::deque<net::LedgerBatch>& batches) {
    if (auto s = store_->execute("BEGIN IMMEDIATE"); !s) {
        return s;
    }
    const auto wall = static_cast<std::int64_t>(std::time(nullptr));  // for displays only
    for (const net::LedgerBatch& batch : batches) {
        if (auto s = store_->write(batch, wall); !s) {
            store_->roll_back();
            return s;
        }
    }
    auto done = store_->execute("COMMIT");
    if (!done) {
        store_->roll_back();
    }
    return done;
}

/// commit() again and again while another program holds the lock: nothing was written then, so nothing is lost and
/// nothing in doubt. When the ledger is closed there is an end to waiting: what was not written was not revealed
/// either.
Status SqliteLedger::commit_when_free(const std::deque<net::LedgerBatch>& batches) {
    for (int left = kTriesAtClose;;) {
        auto done = commit(batches);
        const bool locked = !done && done.error().code == ErrorCode::kInUse;
        std::unique_lock lock(mutex_);
        if (locked != locked_) {
            locked_ = locked;
            signal();
        }
        if (!locked || (closing_ && --left == 0)) {
            return done;
        }
        wake_.wait_for(lock, kRetry, [&] { return closing_; });
    }
}

void SqliteLedger::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return closing_ || !queue_.empty(); });
        if (queue_.empty()) {
            return;
        }
        wake_.wait_for(lock, options_.group, [&] { return closing_; });  // gather
        const auto batches = std::exchange(queue_, {});
        lock.unlock();
        Status done = commit_when_free(batches);
        if (done && store_->unsealed() >= kSealEvery) {
            // What is locked by another program now is sealed after a later batch.
            if (auto sealed = store_->seal(); !sealed && sealed.error().code == ErrorCode::kInvalidData) {
                done = sealed;
            }
        }
        lock.lock();
        if (!done) {
            failure_ = done.error().message;
            queue_.clear();
            signal();
            return;
        }
        persisted_ = batches.back().number;
        signal();
    }
}

}  // namespace meshnet::station
