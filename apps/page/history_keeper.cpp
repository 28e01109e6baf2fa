// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/history_keeper.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string_view>

#include <spdlog/spdlog.h>

#include "apps/page/money.hpp"
#include "phy/modes.hpp"

namespace meshnet::page {

namespace {

constexpr auto kSampleEvery = std::chrono::seconds(10);
constexpr int kMoneyEvery = 3;  // samples
constexpr std::size_t kMostNeighbours = 32;

std::optional<double> number(const Json& object, const char* key) {
    const auto at = object.is_object() ? object.find(key) : object.end();
    if (!object.is_object() || at == object.end() || !(at->is_number() || at->is_boolean())) {
        return std::nullopt;
    }
    return at->is_boolean() ? (at->get<bool>() ? 1.0 : 0.0) : at->get<double>();
}

const Json& group(const Json& status, const char* name) {
    static const Json none;
    const auto at = status.is_object() ? status.find(name) : status.end();
    return status.is_object() && at != status.end() ? *at : none;
}

/// How much a counter has grown per second; nothing over a restart of the daemon.
std::optional<double> rate(const StationState& before, const StationState& now, const char* name, const char* key) {
    if (!before.answered || !now.answered) {
        return std::nullopt;
    }
    const auto then = number(group(before.status, name), key), value = number(group(now.status, name), key);
    const double seconds = std::chrono::duration<double>(*now.answered - *before.answered).count();
    if (!then || !value || *value < *then || seconds < 1.0) {
        return std::nullopt;
    }
    return (*value - *then) / seconds;
}

std::optional<double> mode_number(const Json& neighbour) {
    const auto at = neighbour.find("mode");
    if (at == neighbour.end() || !at->is_string()) {
        return std::nullopt;
    }
    const auto mode = phy::find_mode(at->get_ref<const std::string&>());
    return mode ? std::optional(static_cast<double>(*mode)) : std::nullopt;
}

std::optional<PageFacts::Disk> disk_of(const std::string& name, const std::string& file) {
    struct statvfs info {};
    const auto folder = std::filesystem::path(file).parent_path();
    if (file.empty() || ::statvfs(folder.empty() ? "." : folder.c_str(), &info) != 0) {
        return std::nullopt;
    }
    return PageFacts::Disk{name, std::uint64_t{info.f_bavail} * info.f_frsize,
                           std::uint64_t{info.f_blocks} * info.f_frsize};
}

}  // namespace

std::vector<std::pair<SeriesName, double>> history_values(const StationState& before, const StationState& now) {
    std::vector<std::pair<SeriesName, double>> out;
    const auto add = [&out](const char* kind, const std::string& subject, std::optional<double> value) {
        if (value) {
            out.emplace_back(SeriesName{kind, subject}, *value);
        }
    };
    const bool answers = now.link == StationState::Link::kAnswers;
    const Json& radio = group(now.status, "radio");
    const bool radio_up = radio.is_object() && radio.value("state", "") == "up";
    add("up", "", answers && radio_up ? 1.0 : 0.0);
    if (!answers) {
        return out;
    }
    add("noise_floor_dbfs", "", number(group(now.status, "phy"), "noise_floor_dbfs"));
    add("transmit_share", "", rate(before, now, "mac", "airtime_used_s"));
    add("frames_ok_per_s", "", rate(before, now, "phy", "frames_ok"));
    add("frames_bad_per_s", "", rate(before, now, "phy", "frames_partial"));
    add("data_bytes_per_s", "", rate(before, now, "net", "data_bytes_sent"));
    std::size_t neighbours = 0;
    for (const Json& n : now.neighbours.is_array() ? now.neighbours : Json::array()) {
        // By its address: the number on the channel is another at each start.
        if (!n.is_object() || !n.contains("address") || !n["address"].is_string() || ++neighbours > kMostNeighbours) {
            continue;
        }
        const auto address = n["address"].get<std::string>();
        add("exposure_msat", address, number(n, "exposure_msat"));
        if (n.value("up", false)) {
            add("snr_db", address, number(n, "snr_db"));
            add("loss", address, number(n, "loss"));
            add("mode", address, mode_number(n));
        }
    }
    return out;
}

HistoryKeeper::HistoryKeeper(const StationWatch& watch, std::optional<History> history, std::string history_file,
                             std::string ledger_file)
    : watch_(watch),
      history_file_(std::move(history_file)),
      ledger_file_(std::move(ledger_file)),
      history_(std::move(history)),
      thread_([this] { run(); }) {}

HistoryKeeper::~HistoryKeeper() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void HistoryKeeper::run() {
    (void)watch_.next(0, std::chrono::seconds(10));  // the first answers
    for (int i = 0;; ++i) {
        const auto state = watch_.state();
        if (history_) {
            sample(*state);
        }
        if (i % kMoneyEvery == 0) {
            read_money(*state);
        }
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, kSampleEvery, [&] { return stop_; })) {
            return;
        }
    }
}

void HistoryKeeper::sample(const StationState& state) {
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto values = history_values(before_, state);
    before_ = state;
    Status done = Ok{};
    {
        const std::lock_guard lock(history_mutex_);
        done = history_->add(now.count(), values);
    }
    const std::string trouble = done ? std::string() : done.error().message;
    const std::lock_guard lock(mutex_);
    if (trouble != trouble_) {
        if (trouble.empty()) {
            spdlog::info("the history is written again");
        } else {
            spdlog::error("{}; the page goes on without new points", trouble);
        }
        trouble_ = trouble;
    }
}

void HistoryKeeper::read_money(const StationState& state) {
    std::string file = ledger_file_;
    if (file.empty() && state.status.is_object()) {
        file = state.status.value("ledger_file", "");
    }
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto price = number(state.status, "price_msat_per_mib").value_or(0.0);
    auto money = file.empty() ? Result<Json>(Error{ErrorCode::kNotFound, "no ledger is known yet"})
                              : money_json(file, now.count(), static_cast<std::uint64_t>(price));
    const std::lock_guard lock(mutex_);
    ledger_in_use_ = file;
    money_ = money ? std::move(money).value() : Json{{"error", money.error().message}};
}

Result<std::string> HistoryKeeper::chart(const std::string& kind, std::int64_t span_s) {
    if (!history_) {
        return Error{ErrorCode::kNotFound, "no history is kept (--no-history)"};
    }
    const auto now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    Result<History::Chart> chart = [&] {
        const std::lock_guard lock(history_mutex_);
        return history_->read(kind, now.count() - span_s, now.count());
    }();
    if (!chart) {
        return chart.error();
    }
    std::map<std::int64_t, std::vector<Json>> rows;
    Json subjects = Json::array();
    for (std::size_t i = 0; i < chart->series.size(); ++i) {
        subjects.push_back(chart->series[i].name.subject);
        for (const auto& point : chart->series[i].points) {
            auto& row = rows[point.at];
            row.resize(chart->series.size());
            row[i] = std::round(point.mean * 1e4) / 1e4;
        }
    }
    Json lines = Json::array();
    for (auto& [at, row] : rows) {
        Json line = Json::array({at});
        for (Json& value : row) {
            line.push_back(std::move(value));
        }
        lines.push_back(std::move(line));
    }
    return Json{{"kind", kind},      {"step_s", chart->step_s},         {"from", now.count() - span_s},
                {"to", now.count()}, {"subjects", std::move(subjects)}, {"rows", std::move(lines)}}
        .dump();
}

Json HistoryKeeper::money() const {
    const std::lock_guard lock(mutex_);
    return money_;
}

std::string HistoryKeeper::trouble() const {
    const std::lock_guard lock(mutex_);
    return trouble_;
}

PageFacts HistoryKeeper::facts() const {
    PageFacts out;
    std::string ledger;
    {
        const std::lock_guard lock(mutex_);
        out.money = money_;
        out.history_ok = trouble_.empty();
        ledger = ledger_in_use_;
    }
    if (history_) {
        const std::lock_guard lock(history_mutex_);
        out.history_bytes = history_->bytes();
    }
    for (const auto& [name, file] : {std::pair{"history", history_file_}, std::pair{"ledger", ledger}}) {
        if (auto disk = disk_of(name, file)) {
            out.disks.push_back(std::move(*disk));
        }
    }
    return out;
}

}  // namespace meshnet::page
