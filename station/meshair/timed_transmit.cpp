// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/timed_transmit.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::meshair {

namespace {

constexpr double kMarginSeconds = 0.01;
constexpr double kLongestMarginSeconds = 0.2;
constexpr std::size_t kLongestSegment = 1'048'576;  // the air's samples in one message

}  // namespace

TimedTransmit::TimedTransmit(const DeviceModel& model, const AirFacts& air)
    : air_(air), chain_(model, air), margin_(static_cast<std::uint64_t>(kMarginSeconds * air.rate_hz)) {}

std::size_t TimedTransmit::room() const {
    if (state_ == State::kDropping) {
        return kBufferSamples;
    }
    const std::uint64_t now = chain_.settings().ratio.tick_at(newest_);
    std::uint64_t waiting = 0;
    for (const Segment& s : segments_) {
        waiting += s.end_tick - std::clamp(now, s.begin_tick, s.end_tick);
    }
    if (state_ == State::kOpen) {
        waiting += written_tick_ - std::clamp(now, segment_tick_, written_tick_);
    }
    return waiting >= kBufferSamples ? 0 : static_cast<std::size_t>(kBufferSamples - waiting);
}

std::size_t TimedTransmit::write(std::span<const phy::Sample> samples, std::optional<std::uint64_t> tick, bool end) {
    // Without a flag for a burst's begin, a time that does not continue the dropped burst tells of a new one.
    const bool another = state_ == State::kDropping && tick && *tick != written_tick_;
    if ((state_ == State::kIdle || another) && !samples.empty()) {
        begin(tick);
    } else if (state_ == State::kStarved && !samples.empty()) {
        // The burst goes on as soon as it can.
        segment_tick_ = chain_.first_tick_from(std::max(soonest() + margin_, free_index_));
        written_tick_ = segment_tick_;
        chain_.begin(segment_tick_);
        state_ = State::kOpen;
    }
    const std::size_t taken = std::min(samples.size(), room());
    const bool ends = end && taken == samples.size();
    if (state_ == State::kOpen) {
        if (pending_.empty()) {
            pending_at_ = chain_.next_index();
        }
        chain_.process(samples.first(taken), pending_);
    }
    written_tick_ += taken;
    if (ends) {
        finish();
    } else {
        check_time();
    }
    return taken;
}

void TimedTransmit::begin(std::optional<std::uint64_t> tick) {
    timed_ = tick.has_value();
    released_ = false;
    written_tick_ = tick.value_or(0);
    if (timed_ && chain_.first_index_of(*tick) < soonest()) {
        report(Event::kLate, *tick);
        state_ = State::kDropping;
        return;
    }
    written_tick_ = timed_ ? *tick : chain_.first_tick_from(std::max(soonest() + margin_, free_index_));
    segment_tick_ = written_tick_;
    chain_.begin(written_tick_);
    state_ = State::kOpen;
}

void TimedTransmit::finish() {
    if (state_ == State::kOpen) {
        if (pending_.empty()) {
            pending_at_ = chain_.next_index();
        }
        chain_.end(pending_);
        if (!pending_.empty()) {
            release(true);
            state_ = State::kIdle;
            return;
        }
    }
    if (state_ == State::kOpen || state_ == State::kStarved) {  // all of it has been sent already
        if (segments_.empty()) {
            report(Event::kBurstEnd, written_tick_);
        } else {
            segments_.back().last = true;
        }
    }
    state_ = State::kIdle;
}

void TimedTransmit::release(bool last) {
    // Filters ring before and after a burst: what falls on the burst before it is cut off.
    if (pending_at_ < free_index_) {
        const auto cut = static_cast<std::size_t>(std::min<std::uint64_t>(free_index_ - pending_at_, pending_.size()));
        if (cut < pending_.size()) {
            pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(cut));
            pending_at_ = free_index_;
        }
    }
    const Segment segment{next_id_++, pending_at_ + pending_.size(), segment_tick_, written_tick_, !released_, last,
                          timed_};
    segments_.push_back(segment);
    segment_tick_ = written_tick_;
    free_index_ = std::max(free_index_, segment.end_index);
    released_ = true;
    send({segment.id, pending_at_, std::exchange(pending_, {})});
    pending_at_ = segment.end_index;
}

void TimedTransmit::check_time() {
    if (state_ != State::kOpen) {
        return;
    }
    if (pending_.empty()) {
        // All that was written has left. What comes too late for the next sample leaves a gap.
        if (released_ && chain_.next_index() < soonest()) {
            report(Event::kUnderflow, written_tick_);
            state_ = State::kStarved;
        }
        return;
    }
    const bool near = pending_at_ < soonest() + 2 * margin_;
    if (near || pending_.size() >= kLongestSegment) {
        release(false);
    }
}

void TimedTransmit::stop() {
    finish();
}

void TimedTransmit::on_air(std::uint64_t newest_index) {
    newest_ = newest_index;
    check_time();
}

void TimedTransmit::on_report(const sim::AirTxReport& about) {
    const auto found =
        std::find_if(segments_.begin(), segments_.end(), [&](const Segment& s) { return s.id == about.id; });
    if (found == segments_.end()) {
        return;
    }
    const Segment segment = *found;
    segments_.erase(found);
    if (!about.late) {
        if (segment.last) {
            report(Event::kBurstEnd, segment.end_tick);
        }
        return;
    }
    if (segment.first && segment.timed) {
        report(Event::kLate, segment.begin_tick);
        if (!segment.last) {
            pending_.clear();
            state_ = State::kDropping;
        }
        return;
    }
    report(Event::kUnderflow, segment.begin_tick);
    margin_ = std::min(2 * margin_, static_cast<std::uint64_t>(kLongestMarginSeconds * air_.rate_hz));
    if (segment.last) {
        report(Event::kBurstEnd, segment.end_tick);
    }
}

}  // namespace meshnet::meshair
