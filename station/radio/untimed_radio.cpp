// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/untimed_radio.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace meshnet::station {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kReadWait = 100ms;
// How late the thread may begin a switch: what a scheduler does. Part of the jitter.
constexpr Duration kHostSlack = 5ms;
// Between bursts of one piece.
constexpr Duration kSpacing = 200us;
// From the hand-over of a burst until it is resampled.
constexpr Duration kShaping = 15ms;

}  // namespace

UntimedRadio::UntimedRadio(SdrParts parts) : SdrRadio(std::move(parts)) {
    const SdrTraits& t = device_->traits();
    const auto samples = [&](std::size_t n) {
        return Duration{std::llround(1e9 * static_cast<double>(n) / t.sample_rate_hz)};
    };
    mac::RadioTiming timing;
    timing.turnaround = kHostSlack;
    // Time is that of the samples: between two transfers it waits while the host's clock goes on.
    timing.lead = samples(t.read_multiple) + kHostSlack + kShaping + samples(t.write_multiple) + t.shortest_switch;
    timing.jitter = t.switch_time - t.shortest_switch + kHostSlack;
    timing.recovery = timing.jitter + t.switch_time;
    timing.spacing = kSpacing;
    set_timing(timing);
    overhead_ticks_ = ticks_in(spacing());
}

UntimedRadio::~UntimedRadio() {
    stopping_ = true;
    changed_.notify_all();
    if (thread_.joinable()) {
        thread_.join();
    }
}

void UntimedRadio::run() {
    start_ = Clock::now();
    thread_ = std::thread([this] { loop(); });
}

void UntimedRadio::loop() {
    const double rate = device_->traits().sample_rate_hz;
    std::vector<phy::Sample> block(static_cast<std::size_t>(std::max(256.0, rate * 2e-3)));
    while (!stopping_) {
        prepare();
        if (next_ && missed()) {
            lose(*next_, &RadioCounters::late);
            next_.reset();
        } else if (next_ && until_switch(kReadWait) == Duration::zero()) {
            if (auto sent = send(); !sent) {
                return fail(sent.error());
            }
            fresh_ = true;
        }
        auto got = device_->read(block, next_ ? until_switch(kReadWait) : Duration{5ms});
        if (!got) {
            return fail(got.error());
        }
        watch_locks();
        if (got->samples > 0) {
            take(std::span(block).first(got->samples), got->overrun);
        } else if (got->overrun) {
            count(&RadioCounters::overruns);
            fresh_ = true;
        }
    }
}

// Samples have no time: within a stretch the device's own count goes on, which is exact. After a pause the first of a
// whole transfer is as old as the transfer is long.
void UntimedRadio::take(std::span<phy::Sample> samples, bool overrun) {
    if (overrun) {
        count(&RadioCounters::overruns);
    }
    if (fresh_ || overrun) {
        const auto waited = std::max(std::ssize(samples), static_cast<std::ptrdiff_t>(device_->traits().read_multiple));
        next_ticks_ = std::max(next_ticks_, host_ticks(Clock::now()) - waited);
        fresh_ = false;
    }
    deliver(stream_.process(next_ticks_, samples));
    next_ticks_ += std::ssize(samples);
}

std::int64_t UntimedRadio::host_ticks(Clock::time_point at) const {
    const std::chrono::duration<double> passed = at - start_;
    return std::llround(passed.count() * device_->traits().sample_rate_hz);
}

void UntimedRadio::prepare() {
    for (;;) {
        std::optional<Burst> burst;
        {
            const std::lock_guard lock(mutex_);
            const double within = to_seconds(device_->traits().switch_time) * rate_.hz();
            const bool fits = !bursts_.empty() && (!next_ || static_cast<double>(bursts_.front().at) <
                                                                 static_cast<double>(next_->end()) + within);
            if (fits) {
                burst = std::move(bursts_.front());
                bursts_.pop_front();
            }
        }
        if (!burst) {
            return;
        }
        if (next_ && burst->at < next_->end()) {
            report_lost(burst->id, &RadioCounters::late);  // the one before has not ended
            continue;
        }
        if (!next_) {
            next_.emplace(Turn{});
            next_->first = shaper_.shape(burst->samples);  // after the switch there is no time for it
        }
        next_->bursts.push_back(std::move(*burst));
        measure(*next_);
    }
}

std::int64_t UntimedRadio::first_ticks(const Burst& burst, const BurstShaper::Shaped& shaped) const {
    return stream_.ticks_of(static_cast<double>(burst.at)) - std::llround(shaped.lead);
}

void UntimedRadio::measure(Turn& turn) const {
    const auto multiple = static_cast<std::int64_t>(device_->traits().write_multiple);
    const std::int64_t begin = first_ticks(turn.bursts.front(), turn.first);
    const std::int64_t end = stream_.ticks_of(static_cast<double>(turn.end())) + overhead_ticks_;
    turn.samples = (end - begin + multiple - 1) / multiple * multiple;
    turn.first_ticks = end - turn.samples;
}

void UntimedRadio::lose(const Turn& turn, std::uint64_t RadioCounters::*why) {
    for (const Burst& burst : turn.bursts) {
        report_lost(burst.id, why);
    }
}

std::int64_t UntimedRadio::switch_ticks() const {
    return next_->first_ticks - ticks_in(device_->traits().shortest_switch);
}

Duration UntimedRadio::until_switch(Duration most) const {
    const std::int64_t left = switch_ticks() - host_ticks(Clock::now());
    const double seconds = static_cast<double>(std::max<std::int64_t>(left, 0)) / device_->traits().sample_rate_hz;
    return std::min(most, Duration{std::llround(seconds * 1e9)});
}

bool UntimedRadio::missed() const {
    return host_ticks(Clock::now()) > switch_ticks() + ticks_in(kHostSlack);
}

Status UntimedRadio::write(const Turn& turn) {
    std::int64_t at = turn.first_ticks;  // of the next sample to write
    std::vector<phy::Sample> held;       // from there on: what the next burst may still be added to
    const auto write_until = [&](std::int64_t end, bool last) -> Status {
        held.resize(std::max(held.size(), static_cast<std::size_t>(std::max<std::int64_t>(end - at, 0))));
        const auto count = static_cast<std::size_t>(std::max<std::int64_t>(end - at, 0));
        auto sent = device_->write(std::span(held).first(count), std::nullopt, last);
        held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(count));
        at += static_cast<std::int64_t>(count);
        return sent;
    };
    for (std::size_t i = 0; i < turn.bursts.size(); ++i) {
        const Burst& burst = turn.bursts[i];
        const auto shaped = i == 0 ? turn.first : shaper_.shape(burst.samples);
        const std::int64_t first = first_ticks(burst, shaped);
        if (auto sent = write_until(first, false); !sent) {
            return sent;
        }
        // Shaped bursts overlap by the tails of their filters.
        const auto offset = static_cast<std::size_t>(std::max<std::int64_t>(first - at, 0));
        held.resize(std::max(held.size(), offset + shaped.samples.size()));
        for (std::size_t n = 0; n < shaped.samples.size(); ++n) {
            held[offset + n] += shaped.samples[n];
        }
    }
    return write_until(turn.first_ticks + turn.samples, true);
}

Status UntimedRadio::send() {
    const Turn turn = std::move(*next_);
    next_.reset();
    run_ptt(true);
    const std::int64_t begun_at = host_ticks(Clock::now());
    if (auto begun = device_->begin_burst(); !begun) {
        lose(turn, nullptr);
        return begun;
    }
    if (auto sent = write(turn); !sent) {
        lose(turn, nullptr);
        return sent;
    }
    auto ended = device_->end_burst();
    run_ptt(false);
    // A device of this kind reports an underrun after every burst: it ran out of what it was given.
    int underruns = 0;
    while (const auto event = device_->poll_event(Duration::zero())) {
        underruns += event->kind == SdrDevice::Event::Kind::kUnderrun ? 1 : 0;
    }
    if (underruns > 1) {
        count(&RadioCounters::underruns);
    }
    const std::int64_t latest = begun_at + ticks_in(device_->traits().switch_time) - turn.first_ticks;
    for (const Burst& burst : turn.bursts) {
        const std::int64_t end = stream_.ticks_of(static_cast<double>(burst.at + burst.samples.size()));
        report_sent(burst.id, static_cast<std::uint64_t>(std::max(0.0, stream_.index_of(end + latest))));
    }
    return ended;
}

}  // namespace meshnet::station
