// SPDX-License-Identifier: GPL-3.0-or-later
// What the daemon says of itself, asked once a second on a thread of its own, and that it says nothing.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <nlohmann/json.hpp>

#include "apps/control/control_client.hpp"

namespace meshnet::page {

using Json = nlohmann::ordered_json;

/// The newest answers. Those of a daemon that does not answer any more stay, with their age.
struct StationState {
    enum class Link : std::uint8_t {
        kStarting,  ///< not asked yet
        kAnswers,
        kAbsent,  ///< nobody listens at the socket
        kSilent,  ///< somebody does, and does not answer: the daemon hangs, or the machine is overloaded
    };
    std::uint64_t number = 0;  ///< grows with each state
    Link link = Link::kStarting;
    std::string trouble;                                            ///< one line, unless kAnswers
    std::chrono::system_clock::time_point asked{};                  ///< of this state
    std::optional<std::chrono::system_clock::time_point> answered;  ///< last whole set of answers
    Json status, neighbours, routes, flows;                         ///< null before the first answer
};
[[nodiscard]] const char* to_string(StationState::Link link) noexcept;

/// Asks a daemon. Thread-safe.
class StationWatch {
public:
    struct Config {
        apps::ControlTarget target;
        std::chrono::milliseconds interval{1'000};
        std::chrono::milliseconds patience{3'000};  ///< for one answer
    };
    explicit StationWatch(Config config);
    ~StationWatch();
    StationWatch(const StationWatch&) = delete;
    StationWatch& operator=(const StationWatch&) = delete;

    /// Never null.
    [[nodiscard]] std::shared_ptr<const StationState> state() const;
    /// A state with another number than `known`, or the same one after `wait`.
    [[nodiscard]] std::shared_ptr<const StationState> next(std::uint64_t known, std::chrono::milliseconds wait) const;
    /// The daemon's `signal` view with at most `limit` bursts, on a connection of its own; at most 0.4 s old. Error:
    /// the daemon does not answer, or does not know the view.
    [[nodiscard]] Result<std::string> signal();

private:
    void run();
    /// Everything, or why not.
    [[nodiscard]] StationState ask(const StationState& before);
    void publish(StationState next);

    Config config_;
    mutable std::mutex mutex_;
    mutable std::condition_variable changed_;
    std::shared_ptr<const StationState> state_ = std::make_shared<StationState>();
    bool stop_ = false;
    std::optional<apps::ControlClient> client_;  // of the thread

    std::mutex signal_mutex_;
    std::optional<apps::ControlClient> signal_client_;
    std::chrono::steady_clock::time_point signal_at_{};
    std::optional<Result<std::string>> signal_;
    std::thread thread_;
};

}  // namespace meshnet::page
