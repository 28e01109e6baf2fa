// SPDX-License-Identifier: MIT
// An air in a thread of its own whose time moves only when the test says so.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sim/air_socket.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::test {

inline constexpr int kHangMs = 180'000;  // ends a hang; no measure of the machine

/// Waits until `done` says so; fails the test if it never does.
template <class Done>
void wait_until(Done done) {
    const auto hang = std::chrono::steady_clock::now() + std::chrono::milliseconds(kHangMs);
    while (std::chrono::steady_clock::now() < hang) {
        if (done()) {
            return;
        }
        std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    ADD_FAILURE() << "nothing happened";
}

class SteppedAir {
public:
    explicit SteppedAir(sim::Air::Config config) : indexes_(config.stations.size()) {
        auto server = sim::AirServer::listen({path_, 10s}, std::move(config));
        EXPECT_TRUE(server.ok()) << (server.ok() ? "" : server.error().message);
        thread_ = std::thread([this, s = std::make_unique<sim::AirServer>(std::move(*server))] { run(*s); });
    }
    ~SteppedAir() {
        stop_ = true;
        thread_.join();
    }
    SteppedAir(const SteppedAir&) = delete;
    SteppedAir& operator=(const SteppedAir&) = delete;

    /// Lets so many milliseconds of the air's time pass, and waits until they have.
    void advance(int ms) {
        granted_ += ms;
        wait_until([this] { return done_ >= granted_; });
    }
    [[nodiscard]] const std::string& path() const { return path_; }
    /// Samples that station has counted.
    [[nodiscard]] std::uint64_t index(std::size_t station) const { return indexes_[station]; }
    /// Bursts that the air has taken from that station, those included whose time has not come.
    [[nodiscard]] std::uint64_t bursts(std::size_t station) const { return bursts_[station]; }

private:
    void count_bursts(const sim::Air& air) {
        for (std::size_t s = 0; s < bursts_.size(); ++s) {
            bursts_[s] = air.stats(s).bursts;
        }
    }
    void run(sim::AirServer& server) {
        while (!stop_) {
            server.exchange();
            count_bursts(server.air());
            if (done_ < granted_) {
                server.advance(1ms);
                count_bursts(server.air());
                for (std::size_t s = 0; s < indexes_.size(); ++s) {
                    indexes_[s] = server.air().local_index(s);
                }
                ++done_;
            } else {
                pollfd wait{server.fd(), POLLIN, 0};
                ::poll(&wait, 1, 1);
            }
        }
    }

    TemporaryFolder folder_;
    std::string path_ = folder_.path("air.sock");
    std::vector<std::atomic<std::uint64_t>> indexes_;
    std::vector<std::atomic<std::uint64_t>> bursts_ = std::vector<std::atomic<std::uint64_t>>(indexes_.size());
    std::atomic<bool> stop_ = false;
    std::atomic<int> granted_ = 0;
    std::atomic<int> done_ = 0;
    std::thread thread_;
};

}  // namespace meshnet::test
