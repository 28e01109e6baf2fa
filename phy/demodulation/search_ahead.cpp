// SPDX-License-Identifier: MIT
#include "phy/demodulation/search_ahead.hpp"

#include <algorithm>
#include <cassert>

namespace meshnet::phy {
namespace {

constexpr std::uint64_t kAtATime = 8;  // steps between two looks at the others

}  // namespace

SearchAhead::SearchAhead(std::span<FrameSynchronizer> synchronizers, DecodeWorkers& workers, std::size_t ring_capacity)
    : synchronizers_(synchronizers), workers_(workers), steps_(kMostAhead * kStep), ring_(ring_capacity) {
    found_.reserve(16);
}

SearchAhead::~SearchAhead() {
    workers_.forget(*this);
}

std::span<Sample> SearchAhead::next_step() noexcept {
    assert(ahead() < kMostAhead);
    return std::span(steps_).subspan(added_ % kMostAhead * kStep, kStep);
}

void SearchAhead::search_here() {
    const std::lock_guard lock(mutex_);
    available_ = added_;
}

void SearchAhead::search() {
    {
        const std::lock_guard lock(mutex_);
        available_ = added_;
        if (state_ != State::kIdle || searched_ == available_) {
            return;
        }
        state_ = State::kQueued;
    }
    workers_.submit(*this);
}

std::span<const Sample> SearchAhead::oldest() const noexcept {
    assert(ahead() > 0);
    return std::span(steps_).subspan(taken_ % kMostAhead * kStep, kStep);
}

void SearchAhead::take(std::vector<FrameStart>& found) {
    const std::uint64_t step = taken_++;
    std::unique_lock lock(mutex_);
    while (searched_ <= step) {
        if (state_ != State::kRunning) {
            search_some(lock);  // no worker has begun: no use waiting for one
            if (searched_ < available_) {
                state_ = State::kQueued;
                lock.unlock();
                workers_.submit(*this);
                lock.lock();
            }
            continue;
        }
        lock.unlock();
        const bool helped = workers_.help();
        lock.lock();
        if (!helped && searched_ <= step && state_ == State::kRunning) {
            progress_.wait(lock);
        }
    }
    for (; !detections_.empty() && detections_.front().step == step; detections_.pop_front()) {
        found.push_back(detections_.front().start);
    }
}

void SearchAhead::run() {
    std::unique_lock lock(mutex_);
    while (state_ != State::kRunning && searched_ < available_) {
        search_some(lock);
    }
}

// The next steps. Leaves the state idle.
void SearchAhead::search_some(std::unique_lock<std::mutex>& lock) {
    state_ = State::kRunning;
    const std::uint64_t from = searched_;
    const std::uint64_t to = std::min(available_, from + kAtATime);
    lock.unlock();
    for (std::uint64_t step = from; step < to; ++step) {
        ring_.push(std::span(steps_).subspan(step % kMostAhead * kStep, kStep));
        found_.clear();
        for (FrameSynchronizer& s : synchronizers_) {
            s.advance(ring_, found_);
        }
        if (!found_.empty()) {
            const std::lock_guard again(mutex_);
            for (const FrameStart& start : found_) {
                detections_.push_back({step, start});
            }
        }
    }
    lock.lock();
    searched_ = to;
    state_ = State::kIdle;
    progress_.notify_one();
}

}  // namespace meshnet::phy
