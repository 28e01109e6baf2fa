// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/station_watch.hpp"

#include <utility>

namespace meshnet::page {

namespace {

constexpr auto kSignalAge = std::chrono::milliseconds(400);

/// Connects if need be and asks; a connection that failed is closed. Error kInUse: somebody is there and does not
/// answer.
Result<Json> ask_with(std::optional<apps::ControlClient>& client, const apps::ControlTarget& target,
                      const std::string& request, std::chrono::milliseconds patience) {
    if (!client) {
        auto connected = apps::ControlClient::connect(target);
        if (!connected) {
            return connected.error();
        }
        client.emplace(std::move(connected).value());
    }
    if (auto sent = client->send(request); !sent) {
        client.reset();
        return sent.error();
    }
    const auto line = client->next_line(patience);
    if (!line || !*line) {
        client.reset();
        return line ? Error{ErrorCode::kInUse, "the daemon has not answered for " +
                                                   std::to_string(patience.count() / 1'000) + " s: it hangs"}
                    : line.error();
    }
    return apps::ControlClient::read_answer(**line);
}

}  // namespace

const char* to_string(StationState::Link link) noexcept {
    switch (link) {
        case StationState::Link::kStarting:
            return "starting";
        case StationState::Link::kAnswers:
            return "answers";
        case StationState::Link::kAbsent:
            return "absent";
        case StationState::Link::kSilent:
            return "silent";
    }
    return "starting";
}

StationWatch::StationWatch(Config config) : config_(std::move(config)), thread_([this] { run(); }) {}

StationWatch::~StationWatch() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

std::shared_ptr<const StationState> StationWatch::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

std::shared_ptr<const StationState> StationWatch::next(std::uint64_t known, std::chrono::milliseconds wait) const {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [&] { return stop_ || state_->number != known; });
    return state_;
}

void StationWatch::run() {
    auto due = std::chrono::steady_clock::now();
    while (true) {
        publish(ask(*state()));
        due = std::max(due + config_.interval, std::chrono::steady_clock::now());
        std::unique_lock lock(mutex_);
        if (changed_.wait_until(lock, due, [&] { return stop_; })) {
            return;
        }
    }
}

StationState StationWatch::ask(const StationState& before) {
    StationState out = before;
    const auto fail = [&](const Error& error) {
        out.asked = std::chrono::system_clock::now();
        const bool there = error.code == ErrorCode::kInUse || error.code == ErrorCode::kInvalidArgument;
        out.link = there ? StationState::Link::kSilent : StationState::Link::kAbsent;
        out.trouble = error.message;
        return out;
    };
    StationState fresh = before;
    for (const auto& [view, to] : {std::pair{"status", &fresh.status}, std::pair{"neighbours", &fresh.neighbours},
                                   std::pair{"routes", &fresh.routes}, std::pair{"flows", &fresh.flows}}) {
        auto answer = ask_with(client_, config_.target, std::string("{\"cmd\":\"") + view + "\"}", config_.patience);
        if (!answer) {
            return fail(answer.error());
        }
        *to = std::move(answer).value();
    }
    fresh.asked = std::chrono::system_clock::now();
    fresh.answered = fresh.asked;
    fresh.link = StationState::Link::kAnswers;
    fresh.trouble.clear();
    return fresh;
}

void StationWatch::publish(StationState next) {
    {
        const std::lock_guard lock(mutex_);
        ++next.number;
        state_ = std::make_shared<const StationState>(std::move(next));
    }
    changed_.notify_all();
}

Result<std::string> StationWatch::signal() {
    const std::lock_guard lock(signal_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (signal_ && now - signal_at_ < kSignalAge) {
        return *signal_;
    }
    const auto answer = ask_with(signal_client_, config_.target, R"({"cmd":"signal","limit":200})", config_.patience);
    signal_ = answer ? Result<std::string>(answer->dump()) : Result<std::string>(answer.error());
    signal_at_ = std::chrono::steady_clock::now();
    return *signal_;
}

}  // namespace meshnet::page
