// SPDX-License-Identifier: MIT
// The simulated air over a Unix socket, so that several processes meet in it.
//
//     process A: AirClient  <->  AirServer{Air}  <->  AirClient: process B
//
// The server paces the air to real time and never waits for a client: one that does not read loses samples, and sees it
// as a jump of the sample index. Every index is counted on the client's own (simulated, imperfect) sample clock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "phy/sample.hpp"

namespace meshnet::sim {

/// Fate of a transmission.
struct AirTxReport {
    std::uint64_t id = 0;
    bool late = false;            ///< it reached the air after its time: nothing was sent
    std::uint64_t end_index = 0;  ///< one past its last sample, local index
};

/// One station's connection to an air. Not thread-safe.
class AirClient {
public:
    /// Connects to the server listening at `path` as the station called `station`. The error says what is wrong and
    /// what to do.
    [[nodiscard]] static Result<AirClient> connect(const std::string& path, const std::string& station);
    ~AirClient();
    AirClient(AirClient&&) noexcept;
    AirClient& operator=(AirClient&&) noexcept;

    [[nodiscard]] double sample_rate_hz() const noexcept;
    /// Readable when receive() will return something.
    [[nodiscard]] int fd() const noexcept;

    /// What arrived since the last call, without waiting; `samples` may be empty.
    struct Reception {
        std::uint64_t first_index = 0;  ///< local index of samples[0]
        std::vector<phy::Sample> samples;
        std::vector<AirTxReport> reports;
    };
    /// Error: the server is gone or broke the protocol.
    [[nodiscard]] Result<Reception> receive();

    /// Queues a burst whose first sample leaves the antenna at local index `at`.
    [[nodiscard]] Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst);

private:
    struct Impl;
    explicit AirClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::sim
