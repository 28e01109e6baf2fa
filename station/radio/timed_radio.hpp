// SPDX-License-Identifier: GPL-3.0-or-later
// A device with time stamps (timing class A) as a Radio.
//
//     read thread -> ReceiveStream -> queue -> receive()
//     transmit() -> queue -> write thread -> BurstShaper -> device, events -> reports
//
// A burst that the host hands over too late is reported late at once; one the device calls late, by the device. A
// device that says nothing of a burst sent it, unless it ever confirmed one: then silence is a loss.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>

#include "station/radio/sdr_radio_base.hpp"

namespace meshnet::station {

class TimedRadio final : public SdrRadio {
public:
    using SdrRadio::SdrRadio;
    ~TimedRadio() override;
    void run() override;
    /// Measures how long before its time a burst must be handed over, with bursts of zeros, on the write thread.
    void calibrate() override { calibrate_ = true; }

private:
    /// A burst that is at the device.
    struct Pending {
        std::uint64_t id = 0;
        std::uint64_t end_index = 0;
        std::int64_t first_ticks = 0, end_ticks = 0;
    };
    void read();
    void write();
    void send(Burst burst);
    void measure_lead();
    /// Share of `count` bursts of zeros that were late with this lead; unset: the device says nothing of bursts.
    [[nodiscard]] std::optional<double> late_share(Duration lead, int count);
    [[nodiscard]] std::int64_t device_now();
    void take_events();
    void settle(const SdrDevice::Event& event);
    /// `why`: the counter of a burst that did not go out; null: it did.
    void finish(std::deque<Pending>::iterator at, std::uint64_t RadioCounters::*why);

    std::thread reader_, writer_;
    std::atomic<bool> calibrate_{false}, has_samples_{false};
    std::atomic<std::int64_t> newest_ticks_{0}, newest_at_ns_{0};
    std::deque<Pending> pending_;  // of the write thread
    bool speaks_ = false;          // the device confirms bursts
};

}  // namespace meshnet::station
