// SPDX-License-Identifier: MIT
// What the commands of meshnet-lab share: names from a command line, complaints, progress, JSON of a point.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

/// "A:STEP:B" (both ends included), "A", or "A,B,C" in dB: 1..1000 values.
[[nodiscard]] Result<std::vector<double>> parse_snr_range(std::string_view text);

/// Options every Monte Carlo command has, as they were typed.
struct ScenarioOptions {
    std::string mode = "qpsk-1/2";
    std::string profile = "1M";
    std::size_t payload = 1000;
    std::string channel = "awgn";
    std::uint64_t seed = 1;
    double cfo_hz = 0.0;
    bool has_cfo = false;
    double sfo_ppm = 0.0;
    bool has_sfo = false;
    std::string genie;  ///< as parse_genie_aid() reads it; empty: the whole receiver, without aid
    std::uint64_t frames = 1000;
    std::uint64_t min_errors = 0;
    unsigned threads = 0;  ///< 0: one per core
    bool json = false;
    bool quiet = false;
};

/// The scenario they describe, at 0 dB.
[[nodiscard]] Result<Scenario> scenario_of(const ScenarioOptions& o);
[[nodiscard]] unsigned threads_of(const ScenarioOptions& o) noexcept;

/// `value` as a whole number of `step`, for figures that are printed.
[[nodiscard]] double round_to(double value, double step) noexcept;

/// One line on stderr, one exit code.
int complain(std::string_view command, const std::string& line, int code = 2);

/// A line on stderr with the progress of the work and how long the rest will take: rewritten on a terminal, else a new
/// line every ten seconds.
class Progress {
public:
    Progress(std::string what, double total, bool quiet);
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    void at(double done, const std::string& detail);

private:
    std::string what_;
    double total_;
    bool quiet_;
    bool terminal_;
    bool shown_ = false;
    std::chrono::steady_clock::time_point start_;
    std::chrono::steady_clock::time_point last_;
};

/// snr_db, frames, errors, per, per_low, per_high (95 %), header_miss, detect_miss, undetected, false_alarms,
/// false_headers (counts), throughput_bps (also as throughput), mean_iterations.
[[nodiscard]] nlohmann::ordered_json point_json(const Scenario& s, const Tally& t);

/// One point as a line for people; header_line() is its heading.
[[nodiscard]] std::string header_line();
[[nodiscard]] std::string point_line(const Scenario& s, const Tally& t);

}  // namespace meshnet::lab
