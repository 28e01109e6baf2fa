// SPDX-License-Identifier: MIT
// A device that the test moves on sample by sample: no result depends on how fast the threads are.
#include "station/radio/sdr_radio.hpp"

#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <iterator>
#include <mutex>
#include <string>
#include <thread>

#include <spdlog/spdlog.h>

#include "station/radio/radio_supervisor.hpp"
#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

struct Written {
    std::int64_t ticks = -1;
    std::int64_t device_time = 0;  // when it was written
    std::vector<phy::Sample> samples;
};

/// What the test and its device share.
struct Bench {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<SdrDevice::Block> blocks;
    std::deque<SdrDevice::Event> events;
    std::vector<Written> written;
    std::int64_t now = 0;
    std::string trouble;
    bool gone = false;
    int switches = 0;
    Duration longest_wait = 1s;  // of read()
    bool events_wait = true;     // poll_event() waits as asked
    std::atomic<int> polls = 0;

    void receive(std::int64_t ticks, std::size_t n, bool overrun = false) {
        const std::lock_guard lock(mutex);
        blocks.push_back({n, ticks, overrun});
        now = std::max(now, ticks + static_cast<std::int64_t>(n));
        changed.notify_all();
    }
    void report(SdrDevice::Event::Kind kind, std::optional<std::int64_t> ticks) {
        const std::lock_guard lock(mutex);
        events.push_back({kind, ticks});
        changed.notify_all();
    }
    std::vector<phy::Sample> all_written() {
        const std::lock_guard lock(mutex);
        std::vector<phy::Sample> out;
        for (const Written& w : written) {
            out.insert(out.end(), w.samples.begin(), w.samples.end());
        }
        return out;
    }
    /// Waits until `ready()`; a test that fails here hangs for 20 s at most.
    template <class Ready>
    bool wait(Ready ready) {
        std::unique_lock lock(mutex);
        return changed.wait_for(lock, std::chrono::seconds(20), ready);
    }
};

class BenchDevice final : public SdrDevice {
public:
    BenchDevice(std::shared_ptr<Bench> bench, SdrTraits traits) : bench_(std::move(bench)), traits_(traits) {}
    const SdrTraits& traits() const override { return traits_; }
    Status start() override { return Ok{}; }
    Result<Block> read(std::span<phy::Sample> into, Duration timeout) override {
        std::unique_lock lock(bench_->mutex);
        bench_->changed.wait_for(lock, std::min<Duration>(timeout, bench_->longest_wait),
                                 [&] { return bench_->gone || !bench_->blocks.empty(); });
        if (bench_->gone) {
            return Error{ErrorCode::kUnavailable, "unplugged"};
        }
        if (bench_->blocks.empty()) {
            return Block{};
        }
        Block out = bench_->blocks.front();
        bench_->blocks.pop_front();
        bench_->changed.notify_all();
        std::fill_n(into.begin(), out.samples, phy::Sample(0.25F));
        if (!traits_.timed) {
            out.ticks.reset();
        }
        return out;
    }
    Status begin_burst() override { return note_switch(); }
    Status end_burst() override { return note_switch(); }
    Status write(std::span<const phy::Sample> samples, std::optional<std::int64_t> ticks, bool) override {
        const std::lock_guard lock(bench_->mutex);
        bench_->written.push_back({ticks.value_or(-1), bench_->now, {samples.begin(), samples.end()}});
        bench_->changed.notify_all();
        return Ok{};
    }
    std::optional<Event> poll_event(Duration timeout) override {
        std::unique_lock lock(bench_->mutex);
        ++bench_->polls;
        bench_->changed.wait_for(lock, bench_->events_wait ? timeout : Duration::zero(),
                                 [&] { return !bench_->events.empty(); });
        if (bench_->events.empty()) {
            return std::nullopt;
        }
        const Event out = bench_->events.front();
        bench_->events.pop_front();
        bench_->changed.notify_all();
        return out;
    }
    std::optional<std::int64_t> now_ticks() override {
        const std::lock_guard lock(bench_->mutex);
        return bench_->now;
    }
    std::string trouble() override {
        const std::lock_guard lock(bench_->mutex);
        return bench_->trouble;
    }

private:
    Status note_switch() {
        const std::lock_guard lock(bench_->mutex);
        ++bench_->switches;
        bench_->changed.notify_all();
        return Ok{};
    }
    std::shared_ptr<Bench> bench_;
    SdrTraits traits_;
};

class RadioOverADevice : public ::testing::Test {
protected:
    static SdrTraits timed() {
        SdrTraits out;
        out.name = "bench";
        out.sample_rate_hz = 1e6;
        return out;
    }
    static SdrTraits untimed();
    std::vector<TxReport> reports_while_receiving(std::size_t count);
    std::vector<TxReport> send_turn(const std::vector<std::uint64_t>& at);
    void open(const SdrTraits& traits, const RadioSettings& settings = {}) {
        auto radio = run_device(std::make_unique<BenchDevice>(bench_, traits), *phy::find_profile("1M"), settings);
        ASSERT_TRUE(radio.ok()) << radio.error().message;
        radio_ = std::move(radio).value();
    }
    /// Everything that arrives until `done(all)`.
    template <class Done>
    Radio::Reception collect(Done done) {
        Radio::Reception all;
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done(all) && std::chrono::steady_clock::now() < until) {
            pollfd p{radio_->fd(), POLLIN, 0};
            ::poll(&p, 1, 50);
            auto got = radio_->receive();
            if (!got) {
                error_ = got.error().message;
                break;
            }
            if (!got->samples.empty()) {
                stretches_.push_back(got->first_index);
                if (all.samples.empty()) {
                    all.first_index = got->first_index;
                }
                all.samples.insert(all.samples.end(), got->samples.begin(), got->samples.end());
            }
            all.reports.insert(all.reports.end(), got->reports.begin(), got->reports.end());
        }
        return all;
    }
    Radio::Reception collect_reports(std::size_t n) {
        return collect([n](const Radio::Reception& all) { return all.reports.size() >= n; });
    }

    std::shared_ptr<Bench> bench_ = std::make_shared<Bench>();
    std::unique_ptr<Radio> radio_;
    std::vector<std::uint64_t> stretches_;
    std::string error_;
};

const std::vector<phy::Sample> kBurst(1'000, phy::Sample(0.5F));

TEST_F(RadioOverADevice, SamplesHaveTheIndexOfTheDevicesTime) {
    open(timed());
    bench_->receive(5'000, 1'000);
    bench_->receive(6'000, 500);
    bench_->receive(9'000, 500, true);
    const auto got = collect([](const auto& all) { return all.samples.size() >= 2'000; });
    EXPECT_EQ(stretches_, (std::vector<std::uint64_t>{5'000, 6'000, 9'000}));
    EXPECT_EQ(radio_->counters().overruns, 1U);
    EXPECT_EQ(got.samples.size(), 2'000U);
}

TEST_F(RadioOverADevice, ABurstIsWholePaddedAndAtItsTime) {
    RadioSettings settings;
    settings.ramp_us = 50.0;
    open(timed(), settings);
    ASSERT_TRUE(radio_->transmit(7, 20'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return !bench_->written.empty(); }));
    const Written& w = bench_->written[0];
    EXPECT_EQ(w.ticks, 20'000 - 50);
    EXPECT_EQ(w.samples[49], phy::Sample(0.0F));
    EXPECT_EQ(w.samples[50], phy::Sample(0.5F));
    EXPECT_GE(w.samples.size(), 50U + 1'000U + 200U) << "zeros behind, for the device's filters";
    bench_->report(SdrDevice::Event::Kind::kSent, 21'050);
    const auto got = collect_reports(1);
    ASSERT_EQ(got.reports.size(), 1U);
    EXPECT_EQ(got.reports[0].id, 7U);
    EXPECT_TRUE(got.reports[0].sent);
    EXPECT_EQ(got.reports[0].end_index, 21'000U);
}

TEST_F(RadioOverADevice, ABurstThatComesTooLateIsNotSent) {
    open(timed());
    bench_->receive(50'000, 500);
    (void)collect([](const auto& all) { return !all.samples.empty(); });
    ASSERT_TRUE(radio_->transmit(1, 20'000, kBurst).ok());
    const auto got = collect_reports(1);
    ASSERT_EQ(got.reports.size(), 1U);
    EXPECT_FALSE(got.reports[0].sent);
    EXPECT_EQ(radio_->counters().late, 1U);
    EXPECT_TRUE(bench_->written.empty());
}

TEST_F(RadioOverADevice, ABurstTheDeviceCallsLateIsReportedAndNoOther) {
    open(timed());
    ASSERT_TRUE(radio_->transmit(1, 20'000, kBurst).ok());
    ASSERT_TRUE(radio_->transmit(2, 40'000'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 2; }));
    bench_->report(SdrDevice::Event::Kind::kLate, 20'000);
    const auto got = collect_reports(1);
    ASSERT_EQ(got.reports.size(), 1U);
    EXPECT_EQ(got.reports[0].id, 1U);
    EXPECT_FALSE(got.reports[0].sent);
}

TEST_F(RadioOverADevice, ADeviceThatConfirmsAndThenSaysNothingLostTheBurst) {
    open(timed());
    ASSERT_TRUE(radio_->transmit(1, 2'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 1; }));
    bench_->report(SdrDevice::Event::Kind::kSent, 3'000);
    EXPECT_TRUE(collect_reports(1).reports.at(0).sent);
    ASSERT_TRUE(radio_->transmit(2, 4'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 2; }));
    bench_->receive(200'000, 500);
    const auto got = collect_reports(1);
    EXPECT_FALSE(got.reports.at(0).sent);
    EXPECT_EQ(radio_->counters().unconfirmed, 1U);
    EXPECT_EQ(radio_->counters().late, 0U) << "one loss, one counter";
}

TEST_F(RadioOverADevice, ADeviceThatDoesNotWaitWhenAskedIsNotAskedAllTheTime) {
    bench_->events_wait = false;
    open(timed());
    ASSERT_TRUE(radio_->transmit(1, 20'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 1; }));
    const auto begin = std::chrono::steady_clock::now();
    const int before = bench_->polls;
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const int polls = bench_->polls - before;
    const std::chrono::duration<double, std::milli> passed = std::chrono::steady_clock::now() - begin;
    EXPECT_LE(polls, 2.0 * passed.count() + 10.0);
    bench_->receive(200'000, 500);
    EXPECT_TRUE(collect_reports(1).reports.at(0).sent);
}

TEST_F(RadioOverADevice, ADeviceWhoseSamplesHaveNoTimeAfterAllIsAnError) {
    open(timed());
    {
        const std::lock_guard lock(bench_->mutex);
        bench_->blocks.push_back({500, std::nullopt, false});
        bench_->changed.notify_all();
    }
    (void)collect([](const auto&) { return false; });
    EXPECT_NE(error_.find("its samples have none"), std::string::npos) << error_;
}

TEST_F(RadioOverADevice, TheExternalSwitchIsThrownBeforeABurstAndBack) {
    const test::TemporaryFolder folder;
    RadioSettings settings;
    settings.ptt_command = "echo >>" + folder.path("ptt");
    settings.ptt_lead_ms = 3.0;
    settings.ramp_us = 0.0;
    open(timed(), settings);
    ASSERT_TRUE(radio_->transmit(1, 20'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 1; }));
    EXPECT_EQ(bench_->written[0].ticks, 17'000) << "zeros while the relay moves";
    const auto switched = [&] {
        std::ifstream in(folder.path("ptt"));
        return std::string(std::istreambuf_iterator<char>(in), {});
    };
    EXPECT_EQ(switched(), "tx\n");
    bench_->report(SdrDevice::Event::Kind::kSent, 21'000);
    (void)collect_reports(1);
    radio_.reset();  // waits for the thread
    EXPECT_EQ(switched(), "tx\nrx\n");
}

TEST_F(RadioOverADevice, ADeviceThatNeverSpeaksSentIt) {
    open(timed());
    ASSERT_TRUE(radio_->transmit(1, 2'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 1; }));
    bench_->receive(20'000, 500);
    EXPECT_TRUE(collect_reports(1).reports.at(0).sent);
    EXPECT_EQ(radio_->counters().unconfirmed, 0U);
}

TEST_F(RadioOverADevice, UnderrunsAreCounted) {
    open(timed());
    ASSERT_TRUE(radio_->transmit(1, 2'000, kBurst).ok());
    ASSERT_TRUE(bench_->wait([&] { return bench_->written.size() == 1; }));
    bench_->report(SdrDevice::Event::Kind::kUnderrun, 2'500);
    ASSERT_TRUE(bench_->wait([&] { return bench_->events.empty(); }));
    bench_->receive(20'000, 500);
    (void)collect_reports(1);
    EXPECT_EQ(radio_->counters().underruns, 1U);
}

TEST_F(RadioOverADevice, ADeviceThatIsGoneIsAnErrorBehindItsLastSamples) {
    open(timed());
    bench_->receive(0, 500);
    (void)collect([](const auto& all) { return !all.samples.empty(); });
    {
        const std::lock_guard lock(bench_->mutex);
        bench_->gone = true;
        bench_->changed.notify_all();
    }
    (void)collect([](const auto&) { return false; });
    EXPECT_EQ(error_, "unplugged");
    EXPECT_FALSE(radio_->transmit(1, 1'000'000, kBurst).ok());
}

TEST_F(RadioOverADevice, AReceiverRefusesBursts) {
    SdrTraits traits = timed();
    traits.transmits = false;
    open(traits);
    const auto sent = radio_->transmit(1, 1'000, kBurst);
    ASSERT_FALSE(sent.ok());
    EXPECT_EQ(sent.error().message, "bench cannot transmit");
}

TEST_F(RadioOverADevice, WhatIsNotTakenForHalfASecondIsLostAndSeen) {
    open(timed());
    for (int i = 0; i < 700; ++i) {
        bench_->receive(1'000 * i, 1'000);
    }
    ASSERT_TRUE(bench_->wait([&] { return bench_->blocks.empty(); }));
    (void)collect([](const auto& all) { return all.samples.size() >= 501'000; });
    bench_->receive(700'000, 1'000);
    (void)collect([](const auto& all) { return !all.samples.empty(); });
    EXPECT_GE(stretches_.back(), 699'000U) << "what was lost is a jump of the index";
    EXPECT_GE(radio_->counters().overruns, 198U);
}

// The time of class B is the host's, and a host that stalls is late: the turn is tried until it was not. Bursts of
// kBurst at these distances from the first.
std::vector<TxReport> RadioOverADevice::send_turn(const std::vector<std::uint64_t>& at) {
    std::vector<TxReport> reports;
    for (std::uint64_t attempt = 0; attempt < 50; ++attempt) {
        {
            const std::lock_guard lock(bench_->mutex);
            bench_->written.clear();
            bench_->switches = 0;
        }
        bench_->receive(0, 1'000);
        (void)collect([](const auto& all) { return !all.samples.empty(); });
        for (std::size_t i = 0; i < at.size(); ++i) {
            EXPECT_TRUE(radio_->transmit(attempt * 10 + i, stretches_.back() + 100'000 + at[i], kBurst).ok());
        }
        reports = reports_while_receiving(at.size());
        if (std::all_of(reports.begin(), reports.end(), [](const TxReport& r) { return r.sent; })) {
            break;
        }
    }
    return reports;
}

// Reports of `count` bursts while samples keep coming.
std::vector<TxReport> RadioOverADevice::reports_while_receiving(std::size_t count) {
    std::vector<TxReport> out;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (out.size() < count && std::chrono::steady_clock::now() < until) {
        bench_->receive(0, 1'000);
        auto more = collect([](const auto& all) { return !all.samples.empty() || !all.reports.empty(); });
        out.insert(out.end(), more.reports.begin(), more.reports.end());
    }
    return out;
}

SdrTraits RadioOverADevice::untimed() {
    SdrTraits traits = timed();
    traits.timed = traits.full_duplex = false;
    traits.read_multiple = 1'000;
    traits.write_multiple = 4'096;
    traits.shortest_switch = 2ms;
    traits.switch_time = 10ms;
    traits.return_time = 7ms;
    return traits;
}

// The frames of a long turn are made one after the other: those that come while the first are sent belong to it.
TEST_F(RadioOverADevice, ClassBTakesFramesThatComeWhileTheTurnIsSent) {
    SdrTraits traits = untimed();
    traits.shortest_switch = 100ms;  // so long is there time to add to the turn
    traits.switch_time = 110ms;
    open(traits);
    std::vector<TxReport> reports;
    for (std::uint64_t attempt = 0; attempt < 50 && reports.size() < 2; ++attempt) {
        {
            const std::lock_guard lock(bench_->mutex);
            bench_->written.clear();
            bench_->switches = 0;
        }
        bench_->receive(0, 1'000);
        (void)collect([](const auto& all) { return !all.samples.empty(); });
        const std::uint64_t at = stretches_.back() + 150'000;
        ASSERT_TRUE(radio_->transmit(1, at, kBurst).ok());
        if (!bench_->wait([&] { return bench_->switches > 0; })) {
            continue;  // a host that stalls: late
        }
        ASSERT_TRUE(radio_->transmit(2, at + kBurst.size() + 200, kBurst).ok());
        reports = reports_while_receiving(2);
        std::erase_if(reports, [](const TxReport& r) { return !r.sent; });
    }
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_EQ(bench_->switches, 2) << "one turn";
    const auto sent = bench_->all_written();
    EXPECT_EQ(sent.size() % 4'096, 0U);
    const auto loud = [](const phy::Sample& x) { return std::abs(x) > 0.1F; };
    const auto begin = std::find_if(sent.begin(), sent.end(), loud);
    const auto end = std::find_if_not(begin, sent.end(), loud);
    EXPECT_EQ(std::find_if(end, sent.end(), loud) - begin, std::ssize(kBurst) + 200);
}

// A radio whose buffers last longer than any lead is refused with what to do.
TEST(RadioClassB, ARateAtWhichEveryBurstWouldBeLateIsRefused) {
    SdrTraits traits;
    traits.name = "hackrf";
    traits.sample_rate_hz = 2e6;
    traits.timed = traits.full_duplex = false;
    traits.read_multiple = traits.write_multiple = 131'072;
    traits.write_ahead = 4 * 131'072;
    traits.shortest_switch = 272ms;
    traits.switch_time = 295ms;
    const auto radio = run_device(std::make_unique<BenchDevice>(std::make_shared<Bench>(), traits),
                                  *phy::find_profile("1M"), RadioSettings{});
    ASSERT_FALSE(radio.ok());
    EXPECT_EQ(radio.error().message,
              "hackrf: at 2e+06 samples/s its buffers need bursts 372 ms ahead, and 300 ms are possible: raise "
              "sample_rate_hz");
}

TEST_F(RadioOverADevice, ClassBSwitchesSendsAndKeepsTheIndexGrowing) {
    open(untimed());
    const auto reports = send_turn({0});
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_TRUE(reports[0].sent) << "late " << radio_->counters().late;
    EXPECT_EQ(bench_->switches, 2);
    const auto sent = bench_->all_written();
    EXPECT_EQ(sent.size() % 4'096, 0U);
    // What fills the transfer stands behind: in front it would have to be handed over earlier.
    const auto first = std::find_if(sent.begin(), sent.end(), [](const phy::Sample& x) { return std::abs(x) > 0.1F; });
    EXPECT_LT(first - sent.begin(), 1'000);
    bench_->receive(0, 1'000);
    (void)collect([](const auto& all) { return !all.samples.empty(); });
    EXPECT_TRUE(std::is_sorted(stretches_.begin(), stretches_.end()));
}

TEST_F(RadioOverADevice, ClassBSendsTheFramesOfATurnWithoutASwitchBetweenThem) {
    open(untimed());
    const auto timing = radio_->timing();
    EXPECT_EQ(timing.jitter, 8ms + 5ms) << "the switch's own and the host's";
    EXPECT_EQ(timing.recovery, timing.jitter + 4'096us + 7ms) << "a transfer of zeros, and the way back";
    EXPECT_GE(timing.lead, 2ms + 1ms);
    const std::uint64_t spacing = 200;
    const auto reports = send_turn({0, kBurst.size() + spacing});
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_TRUE(reports[0].sent && reports[1].sent);
    EXPECT_EQ(reports[1].end_index - reports[0].end_index, kBurst.size() + spacing);
    EXPECT_EQ(bench_->switches, 2);
    const auto sent = bench_->all_written();
    const auto loud = [](const phy::Sample& x) { return std::abs(x) > 0.1F; };
    const auto begin = std::find_if(sent.begin(), sent.end(), loud);
    const auto end = std::find_if_not(begin, sent.end(), loud);
    const auto second = std::find_if(end, sent.end(), loud);
    EXPECT_EQ(end - begin, std::ssize(kBurst));
    EXPECT_EQ(second - end, static_cast<std::ptrdiff_t>(spacing));
}

TEST_F(RadioOverADevice, ClassBReportsATurnThatComesTooLateAsLate) {
    open(untimed());
    bench_->receive(0, 1'000);
    const auto first = collect([](const auto& all) { return !all.samples.empty(); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // so much has passed at least
    ASSERT_TRUE(radio_->transmit(1, first.first_index, kBurst).ok());
    const auto reports = reports_while_receiving(1);
    ASSERT_EQ(reports.size(), 1U);
    EXPECT_FALSE(reports[0].sent);
    EXPECT_EQ(radio_->counters().late, 1U);
    EXPECT_EQ(bench_->switches, 0);
}

// The device takes bursts at least 6 ms ahead: 8 ms is the least lead tried that holds, and half as much again is used.
TEST_F(RadioOverADevice, TheLeadIsMeasuredWithBurstsOfZeros) {
    open(timed());
    EXPECT_EQ(radio_->timing().lead, 0ms);
    std::atomic<bool> over = false;
    std::thread device([&] {
        std::size_t seen = 0;
        for (std::int64_t ticks = 0; !over; ticks += 500) {
            bench_->receive(ticks, 500);
            std::unique_lock lock(bench_->mutex);
            for (; seen < bench_->written.size(); ++seen) {
                const Written& w = bench_->written[seen];
                for (const phy::Sample& x : w.samples) {
                    ASSERT_EQ(x, phy::Sample{}) << "nothing is sent to measure";
                }
                const bool late = w.ticks < w.device_time + 6'000;
                bench_->events.push_back(
                    {late ? SdrDevice::Event::Kind::kLate : SdrDevice::Event::Kind::kSent, w.ticks});
            }
            bench_->changed.notify_all();
            bench_->changed.wait_for(lock, std::chrono::milliseconds(1), [&] { return bench_->written.size() > seen; });
        }
    });
    radio_->calibrate();
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (radio_->timing().lead == 0ms && std::chrono::steady_clock::now() < until) {
        (void)radio_->receive();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    over = true;
    device.join();
    EXPECT_EQ(radio_->timing().lead, 12ms);
    EXPECT_EQ(radio_->counters().late, 0U) << "trials are no bursts of the station";
}

// Nobody sees a device's faults but as a read that fails or does not come; a thousand of them in a row are survived.
TEST(RadioFaults, AThousandStallsAndUnpluggingsAreSurvived) {
    std::shared_ptr<Bench> bench;
    SdrTraits traits;
    traits.name = "bench";
    traits.sample_rate_hz = 1e6;
    const phy::Profile& profile = *phy::find_profile("1M");
    const auto open = [&]() -> Result<std::unique_ptr<Radio>> {
        bench = std::make_shared<Bench>();
        bench->longest_wait = 1ms;
        return run_device(std::make_unique<BenchDevice>(bench, traits), profile, RadioSettings{});
    };
    class Events final : public RadioEvents {
    public:
        void on_frame(Instant, const mac::RxFrame&) override {}
        void on_carrier(Instant, bool) override {}
        void on_transmitted(Instant, std::uint64_t id, mac::TxOutcome outcome) override {
            settled.push_back(id);
            late += outcome == mac::TxOutcome::kLate ? 1U : 0U;
        }
        void on_time(Instant now) override {
            EXPECT_GE(now, last);
            last = now;
        }
        std::vector<std::uint64_t> settled;
        std::size_t late = 0;
        Instant last{};
    } events;
    RadioLink::Config config;
    config.profile = &profile;
    RadioSupervisor::WallTime wall{};
    RadioSupervisor supervisor(config, std::move(open()).value(), open, "bench:", wall);
    const auto receive_until = [&](auto done) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!done() && std::chrono::steady_clock::now() < until) {
            ASSERT_TRUE(supervisor.receive(wall, events));
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        }
        ASSERT_TRUE(done());
    };
    const auto level = spdlog::get_level();
    spdlog::set_level(spdlog::level::off);
    constexpr std::uint64_t kFaults = 1'000;
    for (std::uint64_t i = 0; i < kFaults; ++i) {
        bench->receive(0, 500);
        const Instant before = supervisor.link().now();
        receive_until([&] { return supervisor.link().now() > before; });
        mac::TxRequest request;
        request.id = i;
        request.payload = Bytes(30, 1);
        request.at = supervisor.link().now() + 1s;
        supervisor.transmit(request);  // outstanding when the radio goes
        if (i % 2 == 0) {
            {
                const std::lock_guard lock(bench->mutex);
                bench->gone = true;
                bench->changed.notify_all();
            }
            receive_until([&] { return supervisor.link().fd() < 0; });
        } else {
            wall += std::chrono::seconds(3);  // no samples for so long
            supervisor.on_tick(wall, events);
            ASSERT_LT(supervisor.link().fd(), 0);
        }
        wall += std::chrono::milliseconds(1'100);
        supervisor.on_tick(wall, events);
        ASSERT_GE(supervisor.link().fd(), 0) << "open again within 5 s of the fault";
    }
    spdlog::set_level(level);
    EXPECT_EQ(supervisor.link().counters().reopened, kFaults);
    EXPECT_EQ(events.settled.size(), kFaults) << "every burst has a report";
    EXPECT_EQ(events.late, kFaults);
}

}  // namespace
}  // namespace meshnet::station
