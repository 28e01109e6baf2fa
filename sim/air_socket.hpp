// SPDX-License-Identifier: MIT
// The simulated air over a Unix socket, so that several processes meet in it.
//
//     process A: AirClient  <->  AirServer{Air}  <->  AirClient: process B
//
// The server paces the air to real time and never waits for a client: one that does not read loses samples, and sees it
// as a jump of the sample index. Every index is counted on the client's own (simulated, imperfect) sample clock.
// Messages: sim/air_protocol.hpp. Pacing: sim/pacer.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "core/time.hpp"
#include "phy/sample.hpp"
#include "sim/air.hpp"
#include "sim/air_listing.hpp"

namespace meshnet::sim {

/// One station's connection to an air. Not thread-safe.
class AirClient {
public:
    /// Connects to the server listening at `path` as the station called `station`; waits up to 3 s for its answer. The
    /// error says what is wrong and what to do.
    [[nodiscard]] static Result<AirClient> connect(const std::string& path, const std::string& station);
    /// The stations of the air whose server listens at `path`; waits up to 3 s for its answer. Takes no station.
    [[nodiscard]] static Result<AirListing> list(const std::string& path);
    ~AirClient();
    AirClient(AirClient&&) noexcept;
    AirClient& operator=(AirClient&&) noexcept;

    [[nodiscard]] double sample_rate_hz() const noexcept;
    /// The air's nominal carrier: the middle of its band.
    [[nodiscard]] double carrier_hz() const noexcept;
    /// Mean |noise|^2 of a sample of this station.
    [[nodiscard]] double noise_power() const noexcept;
    /// Air::shortest_lead() of this station.
    [[nodiscard]] std::uint64_t shortest_lead() const noexcept;
    /// Local index of the station when the connection was made; the first sample received has at least this index.
    [[nodiscard]] std::uint64_t first_index() const noexcept;
    /// Readable when receive() will return something.
    [[nodiscard]] int fd() const noexcept;

    /// What arrived since the last call, without waiting; `samples` may be empty.
    struct Reception {
        std::uint64_t first_index = 0;  ///< local index of samples[0]
        std::vector<phy::Sample> samples;
        std::vector<AirTxReport> reports;
        bool more = false;  ///< another call may return something at once; else wait for fd()
    };
    /// Samples without a gap: where some were lost, this call ends before the gap and the next one begins after it.
    /// Error: the server is gone or broke the protocol.
    [[nodiscard]] Result<Reception> receive();

    /// Queues a burst whose first sample leaves the antenna at local index `at`: at least Air::shortest_lead() after
    /// what the air has come to, i.e. some milliseconds after the newest sample received. 1..Air::kMaxBurstSamples
    /// samples.
    [[nodiscard]] Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst);

private:
    struct Impl;
    explicit AirClient(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

/// An air and its clients. Nothing here waits or reads a clock: the caller says when time moves. Not thread-safe.
///
///     while (running) { poll(fd(), until the pacer's next block); exchange(); if a block is due: advance(block); }
class AirServer {
public:
    struct Options {
        std::string path;          ///< of the socket, at most 100 bytes; a dead server's socket is replaced
        Duration backlog = 200ms;  ///< samples kept for a client that does not read, [1 ms, 10 s]; then they are lost
    };
    /// What a station's client saw and did.
    struct StationStats {
        bool connected = false;
        std::uint64_t connections = 0;
        std::uint64_t samples_lost =
            0;  ///< not delivered: the client did not read. Without a client nothing counts as lost.
    };

    /// Error: the path is in use or cannot be made, or the air's configuration is impossible.
    [[nodiscard]] static Result<AirServer> listen(const Options& options, Air::Config air);
    ~AirServer();
    AirServer(AirServer&&) noexcept;
    AirServer& operator=(AirServer&&) noexcept;

    /// Readable when exchange() has something to do (an epoll descriptor).
    [[nodiscard]] int fd() const noexcept;
    /// Takes what clients sent, sends what they have room for. Never waits; bounded work per call.
    void exchange();
    /// Moves the air on by `step` (0..1 s) and hands every client its samples.
    void advance(Duration step);

    /// One line for the operator: who came, went, was refused and why, whose burst was late.
    [[nodiscard]] std::optional<std::string> poll_event();

    [[nodiscard]] const Air& air() const noexcept;
    [[nodiscard]] const StationStats& stats(std::size_t station) const noexcept;

private:
    struct Impl;
    explicit AirServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::sim
