// SPDX-License-Identifier: GPL-3.0-or-later
// Lines for GNU Radio's logger that a stream of bad messages cannot flood: the first at once, then at most one every
// five seconds, with the number of those left out.
#pragma once

#include <gnuradio/logger.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace gr::meshnet {

class limited_log {
public:
    using clock = std::chrono::steady_clock;
    static constexpr std::chrono::seconds kPause{5};

    /// The line to write for `line` at `now`, or nothing.
    [[nodiscard]] std::optional<std::string> pass(const std::string& line, clock::time_point now) {
        if (next_ && now < *next_) {
            ++left_out_;
            return std::nullopt;
        }
        next_ = now + kPause;
        std::string out = line;
        if (left_out_ > 0) {
            out += " (and " + std::to_string(left_out_) + " more since the last line)";
        }
        left_out_ = 0;
        return out;
    }
    /// Warns in `logger`. The only clock in gr-meshnet that does not count samples; nothing but the log depends on it.
    void warn(const gr::logger_ptr& logger, const std::string& line) {
        if (const auto text = pass(line, clock::now())) {
            logger->warn(*text);
        }
    }

private:
    std::optional<clock::time_point> next_;
    std::uint64_t left_out_ = 0;
};

}  // namespace gr::meshnet
