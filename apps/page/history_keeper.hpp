// SPDX-License-Identifier: GPL-3.0-or-later
// Writes the history every ten seconds and reads the ledger every half minute, on a thread that may wait for the disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "apps/page/history.hpp"
#include "apps/page/metrics.hpp"
#include "apps/page/station_watch.hpp"

namespace meshnet::page {

/// What of a state goes into the history. `before`: the state of the last sample, for what is counted.
[[nodiscard]] std::vector<std::pair<SeriesName, double>> history_values(const StationState& before,
                                                                        const StationState& now);

/// Thread-safe.
class HistoryKeeper {
public:
    /// `history`: empty: none is kept. `ledger_file`: empty: as the daemon's status says.
    HistoryKeeper(const StationWatch& watch, std::optional<History> history, std::string history_file,
                  std::string ledger_file);
    ~HistoryKeeper();
    HistoryKeeper(const HistoryKeeper&) = delete;
    HistoryKeeper& operator=(const HistoryKeeper&) = delete;

    /// The series of a kind over the last `span_s` seconds, as JSON: step_s, subjects, rows ([time, mean of each
    /// subject or null]). Error: there is no history, or it cannot be read.
    [[nodiscard]] Result<std::string> chart(const std::string& kind, std::int64_t span_s);
    /// money_json(), or {"error": "..."}.
    [[nodiscard]] Json money() const;
    [[nodiscard]] PageFacts facts() const;
    /// Why no history is written at the moment; empty: it is.
    [[nodiscard]] std::string trouble() const;

private:
    void run();
    void sample(const StationState& state);
    void read_money(const StationState& state);

    const StationWatch& watch_;
    std::string history_file_, ledger_file_;
    mutable std::mutex mutex_;
    mutable std::mutex history_mutex_;
    std::condition_variable wake_;
    bool stop_ = false;
    std::optional<History> history_;
    std::string trouble_, ledger_in_use_;
    Json money_;
    StationState before_;  // of the thread
    std::thread thread_;
};

}  // namespace meshnet::page
