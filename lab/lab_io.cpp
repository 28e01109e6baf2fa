// SPDX-License-Identifier: MIT
#include "lab/lab_io.hpp"

#include <unistd.h>

#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

namespace meshnet::lab {
namespace {

std::optional<double> number(std::string_view text) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto at = text.find(separator);
        out.push_back(text.substr(0, at));
        if (at == std::string_view::npos) {
            return out;
        }
        text.remove_prefix(at + 1);
    }
}

}  // namespace

Result<std::vector<double>> parse_snr_range(std::string_view text) {
    const Error wrong{ErrorCode::kInvalidArgument,
                      "SNR '" + std::string(text) +
                          "' is not understood: write A:STEP:B as in -3:0.5:1, one value, or " +
                          "values joined by commas, in dB within -60..100"};
    std::vector<double> out;
    const auto in_range = [](double v) { return v >= -60.0 && v <= 100.0; };
    if (text.find(':') == std::string_view::npos) {
        for (const auto part : split(text, ',')) {
            const auto value = number(part);
            if (!value || !in_range(*value) || out.size() >= 1000) {
                return wrong;
            }
            out.push_back(*value);
        }
        return out;
    }
    const auto parts = split(text, ':');
    if (parts.size() != 3) {
        return wrong;
    }
    const auto a = number(parts[0]);
    const auto step = number(parts[1]);
    const auto b = number(parts[2]);
    if (!a || !step || !b || !in_range(*a) || !in_range(*b)) {
        return wrong;
    }
    if (!(*step > 0.0) || *b < *a) {
        return Error{ErrorCode::kInvalidArgument,
                     "SNR '" + std::string(text) + "': STEP must be above 0 and B not below A"};
    }
    const double count = std::floor((*b - *a) / *step + 1e-6) + 1.0;
    if (count > 1000.0) {
        return Error{ErrorCode::kLimit, "SNR '" + std::string(text) + "' has more than 1000 points"};
    }
    for (int i = 0; i < static_cast<int>(count); ++i) {
        out.push_back(std::round((*a + i * *step) * 1e6) / 1e6);
    }
    return out;
}

Result<Scenario> scenario_of(const ScenarioOptions& o) {
    const auto profile = phy::parse_profile(o.profile);
    if (!profile) {
        return profile.error();
    }
    const auto mode = phy::parse_mode(o.mode);
    if (!mode) {
        return mode.error();
    }
    if (o.frames < 1 || o.frames > 1'000'000'000) {
        return Error{ErrorCode::kInvalidArgument, "frames must be 1..1000000000"};
    }
    Scenario s;
    s.profile = *profile;
    s.mode = *mode;
    s.payload_bytes = o.payload;
    s.channel = o.channel;
    s.seed = o.seed;
    if (o.has_cfo) s.cfo_hz = o.cfo_hz;
    if (o.has_sfo) s.sfo_ppm = o.sfo_ppm;
    if (!o.genie.empty()) {
        const auto genie = parse_genie_aid(o.genie);
        if (!genie) {
            return genie.error();
        }
        s.genie = *genie;
    }
    if (const auto status = check(s); !status) {
        return status.error();
    }
    return s;
}

unsigned threads_of(const ScenarioOptions& o) noexcept {
    return o.threads > 0 ? o.threads : std::max(1U, std::thread::hardware_concurrency());
}

double round_to(double value, double step) noexcept {
    return std::round(value / step) * step;
}

int complain(std::string_view command, const std::string& line, int code) {
    std::fprintf(stderr, "meshnet %.*s: %s\n", static_cast<int>(command.size()), command.data(), line.c_str());
    return code;
}

Progress::Progress(std::string what, double total, bool quiet)
    : what_(std::move(what)),
      total_(total),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

Progress::~Progress() {
    if (shown_ && terminal_) {
        std::fputs("\r\033[K", stderr);
    }
}

void Progress::at(double done, const std::string& detail) {
    if (quiet_) {
        return;
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ < (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000))) {
        return;
    }
    last_ = now;
    shown_ = true;
    const double spent = std::chrono::duration<double>(now - start_).count();
    char left[32] = "";
    if (done > 0.0 && done < total_) {
        std::snprintf(left, sizeof left, ", at most %.0f s left", spent * (total_ - done) / done);
    }
    std::fprintf(stderr, "%s%s: %3.0f %% %s%s%s", terminal_ ? "\r\033[K" : "", what_.c_str(), 100.0 * done / total_,
                 detail.c_str(), left, terminal_ ? "" : "\n");
    std::fflush(stderr);
}

nlohmann::ordered_json point_json(const Scenario& s, const Tally& t) {
    const Interval i = wilson(t.errors, t.frames);
    const double throughput = std::round(t.throughput_bps(s) * 10.0) / 10.0;
    return {{"snr_db", s.snr_db},
            {"frames", t.frames},
            {"errors", t.errors},
            {"per", t.per()},
            {"per_low", i.low},
            {"per_high", i.high},
            {"header_miss", t.header_miss},
            {"detect_miss", t.detect_miss},
            {"undetected", t.undetected},
            {"false_alarms", t.false_alarms},
            {"false_headers", t.false_headers},
            {"throughput_bps", throughput},
            {"throughput", throughput},
            {"mean_iterations", std::round(t.mean_iterations() * 1000.0) / 1000.0}};
}

std::string header_line() {
    return "  SNR dB    frames  errors       PER   95 % interval          no preamble  no header  false  payload bit/s "
           " "
           "iterations";
}

std::string point_line(const Scenario& s, const Tally& t) {
    const Interval i = wilson(t.errors, t.frames);
    char line[160];
    std::snprintf(line, sizeof line, "%8.2f %9llu %7llu  %8.2e  [%8.2e, %8.2e]  %11llu %10llu %6llu %14.0f %11.2f",
                  s.snr_db, static_cast<unsigned long long>(t.frames), static_cast<unsigned long long>(t.errors),
                  t.per(), i.low, i.high, static_cast<unsigned long long>(t.detect_miss),
                  static_cast<unsigned long long>(t.header_miss), static_cast<unsigned long long>(t.false_alarms),
                  t.throughput_bps(s), t.mean_iterations());
    return line;
}

}  // namespace meshnet::lab
