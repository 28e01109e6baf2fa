// SPDX-License-Identifier: GPL-3.0-or-later
// Weeks of a station's figures in one SQLite file of bounded size: the older, the coarser.
//
//     10 s for 6 hours, 2 min for 3 days, 20 min for 42 days; mean, least and most of each
//
// The newest points of each level are kept, by their number and not by their age, so that a clock that jumps destroys
// nothing. At most kMostSeries series: the one that was silent longest makes room. Crash safe: WAL, one transaction a
// sample; a power cut loses the last samples and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace meshnet::page {

struct HistoryLevel {
    std::int64_t step_s;
    std::int64_t points;
};
inline constexpr std::array kHistoryLevels{HistoryLevel{10, 2'160}, HistoryLevel{120, 2'160},
                                           HistoryLevel{1'200, 3'024}};
inline constexpr std::size_t kMostSeries = 160;

/// What is measured ("snr_db") and of whom (an address; "" the station itself).
struct SeriesName {
    std::string kind, subject;
    friend auto operator<=>(const SeriesName&, const SeriesName&) = default;
};

/// Not thread-safe.
class History {
public:
    struct Point {
        std::int64_t at = 0;  ///< Unix seconds, begin of the step
        double mean = 0.0, low = 0.0, high = 0.0;
    };
    struct Series {
        SeriesName name;
        std::vector<Point> points;  ///< in the order of time
    };
    struct Chart {
        std::int64_t step_s = 0;
        std::vector<Series> series;
    };

    /// Opens or makes the file (mode by umask). Errors, one line each: another program's file, damaged, of a newer
    /// format, in use by another page, not writable, disk full.
    [[nodiscard]] static Result<History> open(const std::string& path);
    ~History();
    History(History&&) noexcept;
    History& operator=(History&&) noexcept;

    /// Adds values of the time `unix_s` (>= 0); those that are not finite are left out. All are written or none. Error:
    /// one line; the next call may succeed.
    [[nodiscard]] Status add(std::int64_t unix_s, const std::vector<std::pair<SeriesName, double>>& values);
    /// The series of a kind from `from` to `to` (Unix seconds) at the finest level that reaches back so far.
    [[nodiscard]] Result<Chart> read(const std::string& kind, std::int64_t from, std::int64_t to);
    /// Of the file and its journal.
    [[nodiscard]] std::uint64_t bytes() const;

private:
    struct Impl;
    explicit History(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::page
