// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/timed_radio.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <spdlog/spdlog.h>

namespace meshnet::station {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kReadWait = 100ms;
constexpr Duration kConfirmWait = 100ms;  // of device time, after a burst's end, for the device to speak of it
constexpr Duration kSilentWait = 2ms;     // the same for a device that never spoke

// Leads to try, and how many bursts of zeros each is given.
constexpr Duration kLeads[] = {1ms, 2ms, 3ms, 5ms, 8ms, 12ms, 20ms, 30ms};
constexpr int kTrials = 8;
constexpr int kSilentTrials = 2;  // without a word of the device: it has none
constexpr Duration kTrialBurst = 500us;
constexpr Duration kUnmeasuredLead = 20ms;  // 3 % of bursts late at 1 Msample/s, as users of USRPs report

}  // namespace

TimedRadio::~TimedRadio() {
    stopping_ = true;
    changed_.notify_all();
    for (auto* thread : {&reader_, &writer_}) {
        if (thread->joinable()) {
            thread->join();
        }
    }
}

void TimedRadio::run() {
    mac::RadioTiming known;
    known.spacing = spacing();
    set_timing(known);
    reader_ = std::thread([this] { read(); });
    if (device_->traits().transmits) {
        writer_ = std::thread([this] { write(); });
    }
}

void TimedRadio::read() {
    std::vector<phy::Sample> block(static_cast<std::size_t>(std::max(256.0, device_->traits().sample_rate_hz * 1e-3)));
    std::optional<std::int64_t> next;
    while (!stopping_) {
        auto got = device_->read(block, kReadWait);
        if (!got) {
            return fail(got.error());
        }
        watch_locks();
        if (got->overrun) {
            count(&RadioCounters::overruns);
        }
        if (got->samples == 0) {
            continue;
        }
        if (!got->ticks && !next) {
            return fail(Error{ErrorCode::kUnsupported, device_->traits().name +
                                                           " says that it has device time, but its samples have "
                                                           "none"});
        }
        const std::int64_t ticks = got->ticks ? *got->ticks : *next;
        next = ticks + static_cast<std::int64_t>(got->samples);
        newest_ticks_ = *next;
        newest_at_ns_ = Clock::now().time_since_epoch().count();
        has_samples_ = true;
        deliver(stream_.process(ticks, std::span(block).first(got->samples)));
    }
}

void TimedRadio::write() {
    while (!stopping_) {
        if (calibrate_ && has_samples_) {
            calibrate_ = false;
            measure_lead();
        }
        std::optional<Burst> burst;
        {
            std::unique_lock lock(mutex_);
            // A burst on its way is asked for every millisecond: not every device waits when it is asked.
            changed_.wait_for(lock, pending_.empty() ? 100ms : 1ms, [this] { return stopping_ || !bursts_.empty(); });
            if (!bursts_.empty()) {
                burst = std::move(bursts_.front());
                bursts_.pop_front();
            }
        }
        if (burst) {
            send(std::move(*burst));
        }
        take_events();
    }
}

void TimedRadio::send(Burst burst) {
    const auto shaped = shaper_.shape(burst.samples);
    const std::int64_t first = stream_.ticks_of(static_cast<double>(burst.at)) - std::llround(shaped.lead);
    if (first <= device_now()) {
        return report_lost(burst.id, &RadioCounters::late);
    }
    run_ptt(true);
    if (auto sent = device_->write(shaped.samples, first, true); !sent) {
        report_lost(burst.id, nullptr);
        return fail(sent.error());
    }
    const std::int64_t end = first + std::ssize(shaped.samples);
    pending_.push_back({burst.id, burst.at + burst.samples.size(), first, end});
}

std::int64_t TimedRadio::device_now() {
    if (const auto now = device_->now_ticks()) {
        return *now;
    }
    const double passed = 1e-9 * static_cast<double>(Clock::now().time_since_epoch().count() - newest_at_ns_);
    return newest_ticks_ + std::llround(passed * device_->traits().sample_rate_hz);
}

void TimedRadio::take_events() {
    while (!pending_.empty()) {
        const auto event = device_->poll_event(Duration::zero());
        if (!event) {
            break;
        }
        settle(*event);
    }
    if (pending_.empty()) {
        return;
    }
    const double wait = to_seconds(speaks_ ? kConfirmWait : kSilentWait);
    const std::int64_t now = device_now() - std::llround(wait * device_->traits().sample_rate_hz);
    while (!pending_.empty() && now > pending_.front().end_ticks) {
        finish(pending_.begin(), speaks_ ? &RadioCounters::unconfirmed : nullptr);
    }
}

void TimedRadio::settle(const SdrDevice::Event& event) {
    const double slack = device_->traits().sample_rate_hz * 1e-3;
    const auto at = std::find_if(pending_.begin(), pending_.end(), [&](const Pending& p) {
        return !event.ticks || (*event.ticks >= p.first_ticks - static_cast<std::int64_t>(slack) &&
                                *event.ticks <= p.end_ticks + static_cast<std::int64_t>(slack));
    });
    switch (event.kind) {
        case SdrDevice::Event::Kind::kSent:
            speaks_ = true;
            if (at != pending_.end()) {
                finish(at, nullptr);
            }
            break;
        case SdrDevice::Event::Kind::kLate:
            if (!pending_.empty()) {
                // Some devices name the time at which they noticed, not the burst's: then it is the oldest.
                finish(at == pending_.end() ? pending_.begin() : at, &RadioCounters::late);
            }
            break;
        case SdrDevice::Event::Kind::kUnderrun:
            count(&RadioCounters::underruns);
            break;
    }
}

void TimedRadio::finish(std::deque<Pending>::iterator at, std::uint64_t RadioCounters::*why) {
    if (why == nullptr) {
        report_sent(at->id, at->end_index);
    } else {
        report_lost(at->id, why);
    }
    pending_.erase(at);
    if (pending_.empty()) {
        run_ptt(false);
    }
}

void TimedRadio::measure_lead() {
    Duration lead = kUnmeasuredLead;
    bool measured = false;
    for (const Duration candidate : kLeads) {
        const auto late = late_share(candidate, kTrials);
        if (!late || stopping_) {
            break;
        }
        if (*late == 0.0) {
            // Half as much again: what was seen at the start is not the worst there will be.
            lead = candidate + candidate / 2;
            measured = true;
            break;
        }
    }
    mac::RadioTiming known = timing();
    known.lead = lead;
    set_timing(known);
    spdlog::info("{}: bursts are handed over {} ms before their time ({})", device_->traits().name,
                 std::chrono::duration_cast<std::chrono::microseconds>(lead).count() * 1e-3,
                 measured ? "measured" : "not measurable: the device does not say which bursts were late");
}

std::optional<double> TimedRadio::late_share(Duration lead, int count) {
    const std::size_t multiple = device_->traits().write_multiple;
    const auto wanted = static_cast<std::size_t>(ticks_in(kTrialBurst));
    const std::vector<phy::Sample> zeros((wanted + multiple) / multiple * multiple);
    int late = 0, answered = 0;
    for (int i = 0; i < count && !stopping_; ++i) {
        if (i == kSilentTrials && answered == 0) {
            return std::nullopt;
        }
        while (device_->poll_event(Duration::zero())) {
        }
        const std::int64_t first = device_now() + ticks_in(lead);
        if (!device_->write(zeros, first, true)) {
            return std::nullopt;  // the reader finds the same
        }
        const std::int64_t give_up = first + std::ssize(zeros) + ticks_in(kConfirmWait);
        for (bool known = false; !known && !stopping_ && device_now() < give_up;) {
            const auto event = device_->poll_event(1ms);
            if (!event) {
                std::this_thread::sleep_for(std::chrono::microseconds(200));  // not every device waits
                continue;
            }
            known = event->kind != SdrDevice::Event::Kind::kUnderrun;
            answered += known ? 1 : 0;
            late += event->kind == SdrDevice::Event::Kind::kLate ? 1 : 0;
        }
    }
    return answered == 0 ? std::nullopt : std::optional(static_cast<double>(late + count - answered) / count);
}

}  // namespace meshnet::station
