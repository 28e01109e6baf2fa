// SPDX-License-Identifier: GPL-3.0-or-later
// A radio of some model at a station of an air. Everything a driver's interface needs, without that interface.
//
//     AirClient <-> [one thread, which waits in poll()] -> ReceivePath -> read()
//                                                       <- TransmitPath <- write()
//
// Time is the air's: the server paces it on absolute deadlines, and the device's clock is the station's sample count.
// Thread-safe; a call that waits lets others in.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "core/random.hpp"
#include "core/result.hpp"
#include "host/unique_fd.hpp"
#include "phy/sample.hpp"
#include "sim/air_socket.hpp"
#include "station/meshair/device_arguments.hpp"
#include "station/meshair/receive_path.hpp"
#include "station/meshair/transmit_path.hpp"

namespace meshnet::meshair {

class VirtualRadio {
public:
    using Timeout = std::chrono::microseconds;

    /// Error: one line that names the fault of the arguments or why there is no such station to be had.
    [[nodiscard]] static Result<std::unique_ptr<VirtualRadio>> open(const DeviceArguments& arguments);
    ~VirtualRadio();
    VirtualRadio(const VirtualRadio&) = delete;
    VirtualRadio& operator=(const VirtualRadio&) = delete;

    [[nodiscard]] const DeviceModel& model() const noexcept { return *arguments_.model; }
    [[nodiscard]] const DeviceArguments& arguments() const noexcept { return arguments_; }
    [[nodiscard]] const AirFacts& air() const noexcept { return air_; }

    [[nodiscard]] ChannelSettings settings(Direction direction) const;
    void set(Direction direction, const ChannelSettings& settings);
    [[nodiscard]] double rate_hz(Direction direction) const { return settings(direction).ratio.rate_hz(air_.rate_hz); }

    /// One past the newest sample of the air that the device knows.
    [[nodiscard]] std::uint64_t newest_index() const;
    [[nodiscard]] std::int64_t time_ns() const;
    void set_time_ns(std::int64_t now);
    /// The device's time becomes `then` at the next whole second of the station's sample count (its PPS).
    void set_time_at_pps_ns(std::int64_t then);
    [[nodiscard]] std::int64_t time_of_last_pps_ns() const;

    void start_receiving(std::optional<std::int64_t> at_ns, std::uint64_t count);
    void stop_receiving();
    struct Received {
        ReceivePath::Read read;  ///< kNothing: the time is over
        std::int64_t time_ns = 0;
    };
    /// Waits until something is there. Error: the device is gone.
    [[nodiscard]] Result<Received> read(std::span<phy::Sample> out, Timeout timeout);

    void start_transmitting();
    void stop_transmitting();
    /// Waits until there is room for one sample at least; 0: the time is over. Error: the device is gone.
    [[nodiscard]] Result<std::size_t> write(std::span<const phy::Sample> samples, std::optional<std::int64_t> at_ns,
                                            bool end, Timeout timeout);
    struct Reported {
        TransmitPath::Event event{};
        std::optional<std::int64_t> time_ns;
    };
    /// Nothing: the time is over. Error: the device is gone.
    [[nodiscard]] Result<std::optional<Reported>> status(Timeout timeout);

    /// The device is pulled out of its socket: every call fails from now on.
    void unplug();
    /// Nothing goes over the bus for so long (of the air's time).
    void stall(Duration duration);
    /// Empty: it works. Else why it does not.
    [[nodiscard]] std::string gone() const;

private:
    VirtualRadio(const DeviceArguments& arguments, sim::AirClient client);
    void run();
    void take(sim::AirClient::Reception&& got);
    void hand_over();  // bursts to the air
    enum class Mode : std::uint8_t { kOff, kReceiving, kTransmitting };
    void switch_to(Mode mode);  // of a radio that does one thing at a time
    void wake();
    [[nodiscard]] Error failure() const;
    [[nodiscard]] std::int64_t ns_of_index(std::uint64_t index) const;
    [[nodiscard]] std::int64_t ns_of_tick(Direction direction, std::uint64_t tick) const;
    [[nodiscard]] std::uint64_t tick_of_ns(Direction direction, std::int64_t ns) const;
    [[nodiscard]] bool stalled() const noexcept { return newest_ < stalled_until_; }

    DeviceArguments arguments_;
    AirFacts air_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::optional<sim::AirClient> client_;  // none: the device is gone
    ChannelSettings settings_[2];
    ReceivePath receive_;
    std::unique_ptr<TransmitPath> transmit_;
    std::uint64_t newest_ = 0;  // one past the air's newest sample
    std::uint64_t stalled_until_ = 0;
    Mode mode_ = Mode::kOff, last_mode_ = Mode::kOff;  // now; before it was off
    Rng rng_;
    std::int64_t offset_ns_ = 0;                                         // device time - time of the sample count
    std::optional<std::pair<std::uint64_t, std::int64_t>> next_offset_;  // from an index on
    std::string gone_;
    bool stop_ = false;
    host::UniqueFd wake_;
    std::thread thread_;
};

}  // namespace meshnet::meshair
