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

#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {
namespace {

struct Written {
    std::int64_t ticks = -1;
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
    bool events_wait = true;  // poll_event() waits as asked
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
        bench_->changed.wait_for(lock, timeout, [&] { return bench_->gone || !bench_->blocks.empty(); });
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
        bench_->written.push_back({ticks.value_or(-1), {samples.begin(), samples.end()}});
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

TEST_F(RadioOverADevice, ClassBSwitchesSendsAndKeepsTheIndexGrowing) {
    SdrTraits traits = timed();
    traits.timed = traits.full_duplex = false;
    traits.write_multiple = 4'096;
    traits.switch_time = 10ms;
    open(traits);
    bench_->receive(0, 1'000);
    const auto first = collect([](const auto& all) { return !all.samples.empty(); });
    ASSERT_TRUE(radio_->transmit(3, first.first_index + 20'000, kBurst).ok());
    bench_->receive(0, 1'000);  // wakes the thread; the time of class B is the host's
    Radio::Reception got;
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (got.reports.empty() && std::chrono::steady_clock::now() < until) {
        bench_->receive(0, 1'000);
        auto more = collect([](const auto& all) { return !all.samples.empty() || !all.reports.empty(); });
        got.reports.insert(got.reports.end(), more.reports.begin(), more.reports.end());
    }
    ASSERT_EQ(got.reports.size(), 1U);
    EXPECT_TRUE(got.reports[0].sent) << "late " << radio_->counters().late;
    EXPECT_EQ(bench_->switches, 2);
    ASSERT_EQ(bench_->written.size(), 1U);
    EXPECT_EQ(bench_->written[0].samples.size() % 4'096, 0U);
    bench_->receive(0, 1'000);
    (void)collect([](const auto& all) { return !all.samples.empty(); });
    EXPECT_TRUE(std::is_sorted(stretches_.begin(), stretches_.end()));
}

}  // namespace
}  // namespace meshnet::station
