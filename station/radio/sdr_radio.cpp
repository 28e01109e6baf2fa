// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sdr_radio.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <limits>
#include <mutex>
#include <thread>
#include <utility>

#include <spdlog/spdlog.h>

#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "station/radio/sdr_stream.hpp"

namespace meshnet::station {

namespace {

using Clock = std::chrono::steady_clock;

constexpr Duration kReadWait = 100ms;
constexpr double kQueueSeconds = 0.5;     // received and not taken: more is lost, and counted
constexpr double kTail = 200e-6;          // zeros behind a burst: the device's interpolation filters
constexpr Duration kConfirmWait = 100ms;  // of device time, after a burst's end, for the device to speak of it
constexpr Duration kSilentWait = 2ms;     // the same for a device that never spoke
constexpr auto kLockInterval = std::chrono::seconds(1);
constexpr auto kClassBLate =
    std::chrono::milliseconds(60);  // a burst of class B begins no later than this after its time

struct Burst {
    std::uint64_t id = 0;
    std::uint64_t at = 0;  // profile index
    std::vector<phy::Sample> samples;
};

/// A burst that is at the device.
struct Pending {
    std::uint64_t id = 0;
    std::uint64_t end_index = 0;
    std::int64_t first_ticks = 0, end_ticks = 0;
};

}  // namespace

/// What both classes share: the queues between the device's threads and the caller.
class SdrRadio : public Radio {
public:
    SdrRadio(std::unique_ptr<SdrDevice> device, const phy::Profile& profile, const RadioSettings& settings,
             ReceiveStream stream, BurstShaper shaper, host::UniqueFd wake)
        : device_(std::move(device)),
          settings_(settings),
          rate_(node::SampleRate::from_hz(profile.sample_rate_hz)),
          stream_(std::move(stream)),
          shaper_(std::move(shaper)),
          wake_(std::move(wake)) {}

    node::SampleRate sample_rate() const override { return rate_; }
    int fd() const override { return wake_.get(); }

    Result<Reception> receive() override {
        std::uint64_t count = 0;
        (void)!::read(wake_.get(), &count, sizeof count);
        const std::lock_guard lock(mutex_);
        Reception out;
        out.reports = std::exchange(reports_, {});
        if (!received_.empty()) {
            out.first_index = received_.front().first_index;
            out.samples = std::move(received_.front().samples);
            received_.pop_front();
            queued_ -= out.samples.size();
        } else if (error_ && out.reports.empty()) {
            return *error_;
        }
        if (!received_.empty() || error_) {
            signal();
        }
        return out;
    }

    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        const std::lock_guard lock(mutex_);
        if (error_) {
            return *error_;
        }
        if (!device_->traits().transmits) {
            return Error{ErrorCode::kUnsupported, device_->traits().name + " cannot transmit"};
        }
        const auto place = std::upper_bound(bursts_.begin(), bursts_.end(), at,
                                            [](std::uint64_t a, const Burst& b) { return a < b.at; });
        bursts_.insert(place, Burst{id, at, {burst.begin(), burst.end()}});
        changed_.notify_all();
        return Ok{};
    }

    RadioCounters counters() const override {
        const std::lock_guard lock(mutex_);
        return counters_;
    }

protected:
    void signal() const {
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
    }
    void fail(Error error) {
        const std::lock_guard lock(mutex_);
        error_ = error_ ? error_ : std::optional<Error>(std::move(error));
        stopping_ = true;
        changed_.notify_all();
        signal();
    }
    void deliver(ReceiveStream::Stretch&& stretch) {
        if (stretch.samples.empty()) {
            return;
        }
        const std::lock_guard lock(mutex_);
        if (static_cast<double>(queued_) > kQueueSeconds * rate_.hz()) {
            ++counters_.overruns;
            return;  // the next samples begin at a later index, which the caller sees
        }
        queued_ += stretch.samples.size();
        received_.push_back(std::move(stretch));
        signal();
    }
    void report_sent(std::uint64_t id, std::uint64_t end_index) {
        const std::lock_guard lock(mutex_);
        reports_.push_back({id, true, end_index});
        signal();
    }
    /// `why`: the counter that grows; null for a radio that failed, which is an error of its own.
    void report_lost(std::uint64_t id, std::uint64_t RadioCounters::*why) {
        const std::lock_guard lock(mutex_);
        reports_.push_back({id, false, 0});
        if (why != nullptr) {
            ++(counters_.*why);
        }
        signal();
    }
    void count(std::uint64_t RadioCounters::*counter) {
        const std::lock_guard lock(mutex_);
        ++(counters_.*counter);
    }
    /// One line when a reference loses its lock, and when it is back.
    void watch_locks() {
        const auto now = Clock::now();
        if (now < next_lock_check_) {
            return;
        }
        next_lock_check_ = now + kLockInterval;
        const std::string trouble = device_->trouble();
        if (trouble == trouble_) {
            return;
        }
        if (trouble.empty()) {
            spdlog::info("{}: references locked again", device_->traits().name);
        } else {
            spdlog::warn("{}: {}", device_->traits().name, trouble);
            count(&RadioCounters::lock_losses);
        }
        trouble_ = trouble;
    }
    void run_ptt(const char* state) const {
        if (!settings_.ptt_command.empty() && std::system((settings_.ptt_command + " " + state).c_str()) != 0) {
            spdlog::error("ptt_command \"{} {}\" failed", settings_.ptt_command, state);
        }
    }

    std::unique_ptr<SdrDevice> device_;
    RadioSettings settings_;
    node::SampleRate rate_;
    ReceiveStream stream_;
    BurstShaper shaper_;
    host::UniqueFd wake_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<ReceiveStream::Stretch> received_;
    std::size_t queued_ = 0;
    std::vector<TxReport> reports_;
    std::deque<Burst> bursts_;
    std::optional<Error> error_;
    RadioCounters counters_;
    std::atomic<bool> stopping_{false};

private:
    std::string trouble_;
    Clock::time_point next_lock_check_{};
};

namespace {

/// Class A.
class TimedRadio final : public SdrRadio {
public:
    using SdrRadio::SdrRadio;
    ~TimedRadio() override {
        stopping_ = true;
        changed_.notify_all();
        for (auto* thread : {&reader_, &writer_}) {
            if (thread->joinable()) {
                thread->join();
            }
        }
    }
    void run() {
        reader_ = std::thread([this] { read(); });
        if (device_->traits().transmits) {
            writer_ = std::thread([this] { write(); });
        }
    }

private:
    void read() {
        std::vector<phy::Sample> block(
            static_cast<std::size_t>(std::max(256.0, device_->traits().sample_rate_hz * 1e-3)));
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
            deliver(stream_.process(ticks, std::span(block).first(got->samples)));
        }
    }

    void write() {
        while (!stopping_) {
            std::optional<Burst> burst;
            {
                std::unique_lock lock(mutex_);
                // A burst on its way is asked for every millisecond: not every device waits when it is asked.
                changed_.wait_for(lock, pending_.empty() ? 100ms : 1ms,
                                  [this] { return stopping_ || !bursts_.empty(); });
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

    void send(Burst burst) {
        const auto shaped = shaper_.shape(burst.samples);
        const std::int64_t first = stream_.ticks_of(static_cast<double>(burst.at)) - std::llround(shaped.lead);
        if (first <= device_now()) {
            return report_lost(burst.id, &RadioCounters::late);
        }
        run_ptt("tx");
        if (auto sent = device_->write(shaped.samples, first, true); !sent) {
            report_lost(burst.id, nullptr);
            return fail(sent.error());
        }
        const std::int64_t end = first + std::ssize(shaped.samples);
        pending_.push_back({burst.id, burst.at + burst.samples.size(), first, end});
    }

    std::int64_t device_now() {
        if (const auto now = device_->now_ticks()) {
            return *now;
        }
        const double passed = 1e-9 * static_cast<double>(Clock::now().time_since_epoch().count() - newest_at_ns_);
        return newest_ticks_ + std::llround(passed * device_->traits().sample_rate_hz);
    }

    void take_events() {
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

    void settle(const SdrDevice::Event& event) {
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

    /// `why`: the counter of a burst that did not go out; null: it did.
    void finish(std::deque<Pending>::iterator at, std::uint64_t RadioCounters::*why) {
        if (why == nullptr) {
            report_sent(at->id, at->end_index);
        } else {
            report_lost(at->id, why);
        }
        pending_.erase(at);
        if (pending_.empty()) {
            run_ptt("rx");
        }
    }

    std::thread reader_, writer_;
    std::atomic<std::int64_t> newest_ticks_{0}, newest_at_ns_{0};
    std::deque<Pending> pending_;  // of the write thread
    bool speaks_ = false;          // the device confirms bursts
};

/// Class B.
class UntimedRadio final : public SdrRadio {
public:
    using SdrRadio::SdrRadio;
    ~UntimedRadio() override {
        stopping_ = true;
        changed_.notify_all();
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    void run() {
        thread_ = std::thread([this] { loop(); });
    }

private:
    void loop() {
        const double rate = device_->traits().sample_rate_hz;
        std::vector<phy::Sample> block(static_cast<std::size_t>(std::max(256.0, rate * 2e-3)));
        start_ = Clock::now();
        while (!stopping_) {
            if (auto burst = due()) {
                if (auto sent = send(std::move(*burst)); !sent) {
                    return fail(sent.error());
                }
                fresh_ = true;
            }
            auto got = device_->read(block, kReadWait);
            if (!got) {
                return fail(got.error());
            }
            watch_locks();
            if (got->samples == 0) {
                continue;
            }
            take(std::span(block).first(got->samples), got->overrun);
        }
    }

    // Samples have no time: within a stretch the device's own count goes on, which is exact; after a pause the host's
    // clock says where the count is. Samples arrive late by what buffers hold, never early.
    void take(std::span<phy::Sample> samples, bool overrun) {
        const std::int64_t by_host = host_ticks(Clock::now()) - std::ssize(samples);
        if (overrun) {
            count(&RadioCounters::overruns);
        }
        if (fresh_ || overrun) {
            next_ticks_ = std::max(next_ticks_, by_host);
            fresh_ = false;
        }
        deliver(stream_.process(next_ticks_, samples));
        next_ticks_ += std::ssize(samples);
    }

    [[nodiscard]] std::int64_t host_ticks(Clock::time_point at) const {
        const std::chrono::duration<double> passed = at - start_;
        return std::llround(passed.count() * device_->traits().sample_rate_hz);
    }

    /// The burst whose time to switch has come.
    std::optional<Burst> due() {
        const SdrTraits& traits = device_->traits();
        std::unique_lock lock(mutex_);
        while (!bursts_.empty()) {
            const std::int64_t now = host_ticks(Clock::now());
            const std::int64_t first = stream_.ticks_of(static_cast<double>(bursts_.front().at));
            const auto ticks = [&](Duration d) { return std::llround(to_seconds(d) * traits.sample_rate_hz); };
            if (now + ticks(traits.switch_time) > first + ticks(kClassBLate)) {
                reports_.push_back({bursts_.front().id, false, 0});
                ++counters_.late;
                signal();
                bursts_.pop_front();
                continue;
            }
            if (now + ticks(traits.switch_time) < first) {
                return std::nullopt;
            }
            Burst out = std::move(bursts_.front());
            bursts_.pop_front();
            return out;
        }
        return std::nullopt;
    }

    Status send(Burst burst) {
        run_ptt("tx");
        if (auto begun = device_->begin_burst(); !begun) {
            return begun;
        }
        const auto shaped = shaper_.shape(burst.samples);
        if (auto sent = device_->write(shaped.samples, std::nullopt, true); !sent) {
            report_lost(burst.id, nullptr);
            return sent;
        }
        auto ended = device_->end_burst();
        run_ptt("rx");
        while (const auto event = device_->poll_event(Duration::zero())) {
            // A device of this kind reports an underrun after every burst: it ran out of what it was given.
            underruns_seen_ += event->kind == SdrDevice::Event::Kind::kUnderrun ? 1 : 0;
        }
        if (underruns_seen_ > 1) {
            count(&RadioCounters::underruns);
        }
        underruns_seen_ = 0;
        const double end = stream_.index_of(host_ticks(Clock::now()));
        report_sent(burst.id, static_cast<std::uint64_t>(std::max(0.0, end)));
        return ended;
    }

    std::thread thread_;
    Clock::time_point start_;
    std::int64_t next_ticks_ = 0;
    bool fresh_ = true;
    int underruns_seen_ = 0;
};

template <class Kind>
Result<std::unique_ptr<Radio>> start(std::unique_ptr<SdrDevice> device, const phy::Profile& profile,
                                     const RadioSettings& settings, ReceiveStream stream, BurstShaper shaper,
                                     host::UniqueFd wake) {
    if (auto started = device->start(); !started) {
        return started.error();
    }
    auto radio = std::make_unique<Kind>(std::move(device), profile, settings, std::move(stream), std::move(shaper),
                                        std::move(wake));
    radio->run();
    return std::unique_ptr<Radio>(std::move(radio));
}

}  // namespace

std::string describe_device(const SdrTraits& t, const phy::Profile& profile) {
    char line[256];
    std::snprintf(line, sizeof line,
                  "%s: class %s (%s), %.6g samples/s for profile %.*s, received %.6g Hz beside the oscillator%s",
                  t.name.c_str(), t.timed ? "A" : "B", t.timed ? "device time" : "no time stamps", t.sample_rate_hz,
                  static_cast<int>(profile.name.size()), profile.name.data(), t.rx_shift_hz,
                  t.transmits ? "" : ", receives only");
    return line;
}

Result<std::unique_ptr<Radio>> run_device(std::unique_ptr<SdrDevice> device, const phy::Profile& profile,
                                          const RadioSettings& settings) {
    const SdrTraits traits = device->traits();
    auto stream = ReceiveStream::create(traits.sample_rate_hz, profile.sample_rate_hz, traits.rx_shift_hz);
    if (!stream) {
        return stream.error();
    }
    const double front = settings.ramp_us * 1e-6 + settings.ptt_lead_ms * 1e-3;
    auto shaper = BurstShaper::create(
        {traits.sample_rate_hz, profile.sample_rate_hz, traits.tx_shift_hz, front, kTail, traits.write_multiple});
    if (!shaper) {
        return shaper.error();
    }
    host::UniqueFd wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!wake) {
        return host::system_error("no eventfd", errno);
    }
    spdlog::info("{}", describe_device(traits, profile));
    return traits.timed ? start<TimedRadio>(std::move(device), profile, settings, std::move(stream).value(),
                                            std::move(shaper).value(), std::move(wake))
                        : start<UntimedRadio>(std::move(device), profile, settings, std::move(stream).value(),
                                              std::move(shaper).value(), std::move(wake));
}

}  // namespace meshnet::station
