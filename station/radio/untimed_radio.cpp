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
// From the end of a transfer until the answer to what was in it is here, resampled.
constexpr Duration kHandling = 30ms;
// More of that on a busy host: so much for each turn that was too late, and back for each that was not.
constexpr Duration kLeadUp = 10ms, kLeadDown = 500us, kMostExtraLead = 60ms;

// The switch leaves no time to shape the first burst in.
bool shapes_first(const SdrTraits& t) {
    return t.shortest_switch < kHandling + kHostSlack;
}

}  // namespace

mac::RadioTiming untimed_timing(const SdrTraits& t) {
    const auto samples = [&](std::size_t n) {
        return Duration{std::llround(1e9 * static_cast<double>(n) / t.sample_rate_hz)};
    };
    mac::RadioTiming timing;
    timing.turnaround = kHostSlack;
    // Time is that of the samples: between two transfers it waits while the host's clock goes on.
    timing.lead = samples(t.read_multiple) + kHostSlack + kHandling + t.shortest_switch;
    timing.jitter = t.switch_time - t.shortest_switch + kHostSlack;
    timing.recovery = timing.jitter + samples(t.write_multiple) + t.return_time;
    timing.spacing = kSpacing;
    return timing;
}

UntimedRadio::UntimedRadio(SdrParts parts) : SdrRadio(std::move(parts)) {
    set_timing(untimed_timing(device_->traits()));
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
            adapt_lead(true);
        } else if (next_ && until_switch(kReadWait) == Duration::zero()) {
            if (auto sent = send(); !sent) {
                return fail(sent.error());
            }
            fresh_ = true;
            adapt_lead(false);
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

std::optional<SdrRadio::Burst> UntimedRadio::next_burst(const Turn* turn) {
    const double within = to_seconds(device_->traits().switch_time) * rate_.hz();
    if (bursts_.empty() ||
        (turn != nullptr && static_cast<double>(bursts_.front().at) >= static_cast<double>(turn->end()) + within)) {
        return std::nullopt;
    }
    Burst burst = std::move(bursts_.front());
    bursts_.pop_front();
    return burst;
}

void UntimedRadio::prepare() {
    for (;;) {
        std::optional<Burst> burst;
        {
            const std::lock_guard lock(mutex_);
            burst = next_burst(next_ ? &*next_ : nullptr);
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
            if (shapes_first(device_->traits())) {
                next_->first = shaper_.shape(burst->samples);
            }
        }
        next_->bursts.push_back(std::move(*burst));
        measure(*next_);
    }
}

// The frames of a long turn come one after the other, while the first of them are already on their way.
bool UntimedRadio::extend(Turn& turn, std::int64_t until) {
    for (;;) {
        std::optional<Burst> burst;
        {
            std::unique_lock lock(mutex_);
            const std::chrono::duration<double> left(static_cast<double>(until - host_ticks(Clock::now())) /
                                                     device_->traits().sample_rate_hz);
            changed_.wait_for(lock, left, [&] { return stopping_ || (burst = next_burst(&turn)).has_value(); });
        }
        if (!burst) {
            return false;
        }
        if (burst->at >= turn.end()) {
            turn.bursts.push_back(std::move(*burst));
            return true;
        }
        report_lost(burst->id, &RadioCounters::late);
    }
}

std::int64_t UntimedRadio::first_ticks(const Burst& burst) const {
    return stream_.ticks_of(static_cast<double>(burst.at)) - std::llround(shaper_.lead());
}

void UntimedRadio::measure(Turn& turn) const {
    const auto multiple = static_cast<std::int64_t>(device_->traits().write_multiple);
    turn.first_ticks = first_ticks(turn.bursts.front());
    const std::int64_t end = stream_.ticks_of(static_cast<double>(turn.end())) + overhead_ticks_;
    turn.samples = (end - turn.first_ticks + multiple - 1) / multiple * multiple;
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

void UntimedRadio::adapt_lead(bool late) {
    extra_lead_ = std::clamp<Duration>(extra_lead_ + (late ? kLeadUp : -kLeadDown), 0ms, kMostExtraLead);
    mac::RadioTiming timing = untimed_timing(device_->traits());
    timing.lead += extra_lead_;
    set_timing(timing);
}

bool UntimedRadio::missed() const {
    return host_ticks(Clock::now()) > switch_ticks() + ticks_in(kHostSlack);
}

Status UntimedRadio::write(Turn& turn, std::int64_t begun_at) {
    const SdrTraits& traits = device_->traits();
    std::int64_t at = turn.first_ticks;  // of the next sample to write
    std::vector<phy::Sample> held;       // from there on: what the next burst may still be added to
    const auto write_until = [&](std::int64_t end, bool last) -> Status {
        const auto count = static_cast<std::size_t>(std::max<std::int64_t>(end - at, 0));
        held.resize(std::max(held.size(), count));
        auto sent = device_->write(std::span(held).first(count), std::nullopt, last);
        held.erase(held.begin(), held.begin() + static_cast<std::ptrdiff_t>(count));
        at += static_cast<std::int64_t>(count);
        return sent;
    };
    const auto follows_until = [&] {  // the device will not ask for what comes next before
        const auto multiple = static_cast<std::int64_t>(traits.write_multiple);
        return begun_at + ticks_in(traits.shortest_switch) - static_cast<std::int64_t>(traits.write_ahead) +
               (at - turn.first_ticks) / multiple * multiple - ticks_in(kHostSlack);
    };
    for (std::size_t i = 0; i < turn.bursts.size() || extend(turn, follows_until()); ++i) {
        const Burst& burst = turn.bursts[i];
        const auto shaped = i == 0 && turn.first ? *turn.first : shaper_.shape(burst.samples);
        const std::int64_t first = first_ticks(burst);
        if (auto sent = write_until(first, false); !sent) {
            return sent;
        }
        // Shaped bursts overlap by the tails of their filters.
        const auto offset = static_cast<std::size_t>(std::max<std::int64_t>(first - at, 0));
        held.resize(std::max(held.size(), offset + shaped.samples.size()));
        for (std::size_t n = 0; n < shaped.samples.size(); ++n) {
            held[offset + n] += shaped.samples[n];
        }
        const std::int64_t end = stream_.ticks_of(static_cast<double>(burst.at + burst.samples.size()));
        if (auto sent = write_until(end - std::llround(shaper_.lead()), false); !sent) {
            return sent;
        }
    }
    measure(turn);
    return write_until(turn.first_ticks + turn.samples, true);
}

Status UntimedRadio::send() {
    Turn turn = std::move(*next_);
    next_.reset();
    run_ptt(true);
    const std::int64_t begun_at = host_ticks(Clock::now());
    if (auto begun = device_->begin_burst(); !begun) {
        lose(turn, nullptr);
        return begun;
    }
    if (auto sent = write(turn, begun_at); !sent) {
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
