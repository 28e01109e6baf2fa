// SPDX-License-Identifier: GPL-3.0-or-later
// Transmission of a radio that knows time (model=usrp): bursts at their time or as soon as possible, in several writes;
// late ones dropped whole; an underflow where samples do not come in time.
//
// A burst's samples go to the air in segments: all of them at its end, or as soon as their time is near. So a burst
// that was written whole before its time is one segment, which the air takes or refuses as one.
#pragma once

#include <deque>
#include <vector>

#include "station/meshair/transmit_chain.hpp"
#include "station/meshair/transmit_path.hpp"

namespace meshnet::meshair {

class TimedTransmit final : public TransmitPath {
public:
    static constexpr std::size_t kBufferSamples = 262'144;  ///< device samples written that have not left

    TimedTransmit(const DeviceModel& model, const AirFacts& air);

    void set(const ChannelSettings& settings) override { chain_.set(settings); }
    void start(std::uint64_t) override {}
    [[nodiscard]] bool idle() const override { return state_ == State::kIdle && segments_.empty(); }
    [[nodiscard]] std::size_t room() const override;
    std::size_t write(std::span<const phy::Sample> samples, std::optional<std::uint64_t> tick, bool end) override;
    void stop() override;
    void on_air(std::uint64_t newest_index) override;
    void on_report(const sim::AirTxReport& report) override;

private:
    enum class State : std::uint8_t { kIdle, kOpen, kStarved, kDropping };
    struct Segment {
        std::uint64_t id = 0, end_index = 0;
        std::uint64_t begin_tick = 0, end_tick = 0;
        bool first = false, last = false, timed = false;
    };
    void begin(std::optional<std::uint64_t> tick);
    void release(bool last);
    void finish();
    void check_time();
    [[nodiscard]] std::uint64_t soonest() const noexcept { return newest_ + air_.shortest_lead; }

    AirFacts air_;
    TransmitChain chain_;
    State state_ = State::kIdle;
    std::uint64_t newest_ = 0;
    std::uint64_t margin_;                   // samples ahead of soonest() that untimed samples and segments leave
    std::uint64_t free_index_ = 0;           // first index of the air that no segment occupies
    std::uint64_t segment_tick_ = 0;         // first of what is pending
    std::uint64_t written_tick_ = 0;         // one past the last written
    bool timed_ = false, released_ = false;  // the burst has a time; a segment of it has left
    std::uint64_t pending_at_ = 0;
    std::vector<phy::Sample> pending_;  // the air's samples from pending_at_ on
    std::deque<Segment> segments_;      // with the air
    std::uint64_t next_id_ = 1;
};

}  // namespace meshnet::meshair
