// SPDX-License-Identifier: MIT
#include "phy/demodulation/receiver_chain.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::phy {
namespace {

// Samples behind a frame's first one after which its detection has been reported.
std::uint64_t search_delay(const FrameSynchronizer& s) noexcept {
    return s.latency() + ReceiverChain::kStep;
}

}  // namespace

ReceiverChain::ReceiverChain(DemodulatorShared& shared, const Config& config)
    : profile_(shared.grid.profile()), max_iterations_(config.max_iterations), ring_(config.ring_capacity) {
    const Profile& p = profile_;
    if (config.search_short) synchronizers_.emplace_back(p, PreambleClass::kShort);
    if (config.search_medium) synchronizers_.emplace_back(p, PreambleClass::kMedium);
    if (config.search_long) synchronizers_.emplace_back(p, PreambleClass::kLong);
    for (std::size_t i = 0; i < config.demodulators; ++i) {
        demodulators_.emplace_back(shared);
    }
    found_.reserve(16);
}

std::size_t ReceiverChain::longest_latency(const Profile& profile) noexcept {
    // A long preamble is reported at most FrameSynchronizer::latency() after it began, less than 16 of its chirps, and
    // a demodulator needs some symbols more.
    return 16 * class_params(profile, PreambleClass::kLong).chirp_samples + 8 * profile.symbol_samples();
}

std::size_t ReceiverChain::shortest_ring(const Profile& profile) noexcept {
    const std::size_t needed = longest_latency(profile) + 2 * kStep;
    std::size_t capacity = 1;
    while (capacity < needed) {
        capacity *= 2;
    }
    return capacity;
}

void ReceiverChain::restart() noexcept {
    ring_.clear();
    for (auto& s : synchronizers_) {
        s.reset();
    }
    for (auto& d : demodulators_) {
        d.release();
    }
    trainings_ = {};
    receiving_ = false;
}

void ReceiverChain::look(std::uint64_t before, std::vector<EndedReception>& ended, ReceiverCounters* counters) {
    found_.clear();
    for (auto& s : synchronizers_) {
        if (ring_.end() % kStep == 0 && (before == kForever || ring_.end() <= before + search_delay(s))) {
            s.advance(ring_, found_);
        }
    }
    for (const auto& start : found_) {
        if (start.sample_index < before) {
            begin(start, counters);
        }
    }
    demodulate(ended, counters);
}

void ReceiverChain::look(std::span<const FrameStart> found, std::vector<EndedReception>& ended,
                         ReceiverCounters* counters) {
    for (const auto& start : found) {
        begin(start, counters);
    }
    demodulate(ended, counters);
}

void ReceiverChain::demodulate(std::vector<EndedReception>& ended, ReceiverCounters* counters) {
    if (!receiving_) {
        return;
    }
    receiving_ = false;
    for (auto& d : demodulators_) {
        advance(d, ended, counters);
        receiving_ = receiving_ || d.state() != FrameDemodulator::State::kIdle;
    }
}

// Training symbols are all alike: a longer chirp finds lines in them that noise does not have. Next to those of frames
// with a shorter preamble twice the metric is asked for.
bool ReceiverChain::looks_like_training(const FrameStart& start) const noexcept {
    constexpr float kAboveLines = 2.0F;
    const std::uint64_t end = start.sample_index + 2 * class_params(profile_, start.preamble).chirp_samples;
    return start.margin < kAboveLines && std::any_of(trainings_.begin(), trainings_.end(), [&](const Training& t) {
               return t.end > start.sample_index && t.first < end && t.preamble < start.preamble;
           });
}

void ReceiverChain::begin(const FrameStart& start, ReceiverCounters* counters) {
    if (looks_like_training(start)) {
        return;
    }
    const auto params = class_params(profile_, start.preamble);
    trainings_[next_training_] = {
        start.sample_index,
        start.sample_index + 2 * params.chirp_samples + params.training_symbols * profile_.symbol_samples(),
        start.preamble};
    next_training_ = (next_training_ + 1) % trainings_.size();
    if (counters != nullptr) {
        ++counters->preambles;
    }
    for (auto& d : demodulators_) {
        // The same arrival found again (another class, another path): the stronger one is already at work.
        if (d.state() != FrameDemodulator::State::kIdle) {
            const auto other = d.frame_start().sample_index;
            const auto distance = other > start.sample_index ? other - start.sample_index : start.sample_index - other;
            if (distance < kSameArrival) {
                return;
            }
        }
    }
    for (auto& d : demodulators_) {
        if (d.state() == FrameDemodulator::State::kIdle) {
            d.start(start);
            receiving_ = true;
            return;
        }
    }
    if (counters != nullptr) {
        ++counters->detections_dropped;
    }
}

void ReceiverChain::advance(FrameDemodulator& d, std::vector<EndedReception>& ended, ReceiverCounters* counters) {
    using State = FrameDemodulator::State;
    if (d.state() == State::kIdle) {
        return;
    }
    const bool had_header = d.header_ok();
    d.advance(ring_, max_iterations_);
    if (d.header_ok() && !had_header && counters != nullptr) {
        ++counters->headers_ok;
    }
    if (!d.finished()) {
        return;
    }
    EndedReception e;
    e.start = d.frame_start();
    e.end = d.end_index().value_or(std::min(d.oldest_needed(), ring_.end()));
    e.timing_shift = d.timing_shift();
    e.cfo = d.acquired_cfo();
    e.signal_power = d.signal_power();
    e.residual_interference = d.residual_interference();
    if (d.state() == State::kDone) {
        e.frame = d.take();
    } else {
        d.release();
    }
    ended.push_back(std::move(e));
}

bool ReceiverChain::idle() const noexcept {
    return std::all_of(demodulators_.begin(), demodulators_.end(),
                       [](const auto& d) { return d.state() == FrameDemodulator::State::kIdle; });
}

bool ReceiverChain::searched(std::uint64_t index) const noexcept {
    return std::all_of(synchronizers_.begin(), synchronizers_.end(),
                       [&](const auto& s) { return ring_.end() > index + search_delay(s); });
}

bool ReceiverChain::receiving_since_before(std::uint64_t index) const noexcept {
    return std::any_of(demodulators_.begin(), demodulators_.end(), [&](const auto& d) {
        return d.state() == FrameDemodulator::State::kData && d.frame_start().sample_index < index;
    });
}

std::optional<std::uint64_t> ReceiverChain::reception_ends() const noexcept {
    std::optional<std::uint64_t> latest;
    for (const auto& d : demodulators_) {
        if (d.state() == FrameDemodulator::State::kData) {
            const auto end = d.end_index();
            if (end && (!latest || *end > *latest)) {
                latest = end;
            }
        }
    }
    return latest;
}

std::optional<std::uint64_t> ReceiverChain::next_reception_end() const noexcept {
    if (!receiving_) {
        return std::nullopt;
    }
    std::optional<std::uint64_t> next;
    for (const auto& d : demodulators_) {
        if (d.state() == FrameDemodulator::State::kData) {
            const auto end = d.end_index();
            if (end && *end > ring_.end() && (!next || *end < *next)) {
                next = end;
            }
        }
    }
    return next;
}

}  // namespace meshnet::phy
