// SPDX-License-Identifier: GPL-3.0-or-later
// What radios over a device share, whether it has time stamps or not: the queues between the device's threads and the
// caller, reports, counters, references.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/unique_fd.hpp"
#include "station/radio/radio.hpp"
#include "station/radio/sdr_device.hpp"
#include "station/radio/sdr_stream.hpp"

namespace meshnet::station {

/// A device and what its samples pass.
struct SdrParts {
    std::unique_ptr<SdrDevice> device;
    node::SampleRate rate;  ///< of the profile
    RadioSettings settings;
    ReceiveStream stream;
    BurstShaper shaper;
    host::UniqueFd wake;  ///< an eventfd
};

class SdrRadio : public Radio {
public:
    explicit SdrRadio(SdrParts parts);

    node::SampleRate sample_rate() const override { return rate_; }
    int fd() const override { return wake_.get(); }
    Result<Reception> receive() override;
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override;
    RadioCounters counters() const override;
    mac::RadioTiming timing() const override;

    /// Starts the threads. Precondition: the device has been started.
    virtual void run() = 0;

protected:
    struct Burst {
        std::uint64_t id = 0;
        std::uint64_t at = 0;  // profile index
        std::vector<phy::Sample> samples;
    };

    void signal() const;
    void fail(Error error);
    void deliver(ReceiveStream::Stretch&& stretch);
    void report_sent(std::uint64_t id, std::uint64_t end_index);
    /// `why`: the counter that grows; null for a radio that failed, which is an error of its own.
    void report_lost(std::uint64_t id, std::uint64_t RadioCounters::*why);
    void count(std::uint64_t RadioCounters::*counter);
    void set_timing(const mac::RadioTiming& timing);
    /// One line when a reference loses its lock, and when it is back.
    void watch_locks();
    void run_ptt(bool transmit) const;
    [[nodiscard]] std::int64_t ticks_in(Duration d) const;
    /// What the shaping of a burst adds before and behind it: no other burst may begin meanwhile.
    [[nodiscard]] Duration spacing();

    std::unique_ptr<SdrDevice> device_;
    RadioSettings settings_;
    node::SampleRate rate_;
    ReceiveStream stream_;
    BurstShaper shaper_;
    host::UniqueFd wake_;

    mutable std::mutex mutex_;  // of all up to counters_
    std::condition_variable changed_;
    std::deque<ReceiveStream::Stretch> received_;
    std::size_t queued_ = 0;
    std::vector<TxReport> reports_;
    std::deque<Burst> bursts_;
    std::optional<Error> error_;
    mac::RadioTiming timing_;
    RadioCounters counters_;
    std::atomic<bool> stopping_{false};

private:
    std::string trouble_;
    std::chrono::steady_clock::time_point next_lock_check_{};
};

}  // namespace meshnet::station
