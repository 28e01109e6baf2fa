// SPDX-License-Identifier: MIT
// The transmit guard before a radio in memory.
#include "station/radio/guarded_radio.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "tests/station/guard_signals.hpp"

namespace meshnet::station {
namespace {

using namespace test;

struct Air {
    std::deque<Radio::Reception> receptions;
    struct Sent {
        std::uint64_t id, at;
        Burst samples;
    };
    std::vector<Sent> sent;
};

class FakeRadio final : public Radio {
public:
    explicit FakeRadio(Air& air) : air_(air) {}
    node::SampleRate sample_rate() const override { return {500'000, 1}; }
    int fd() const override { return -1; }
    Result<Reception> receive() override {
        Reception out;
        if (!air_.receptions.empty()) {
            out = std::move(air_.receptions.front());
            air_.receptions.pop_front();
        }
        return out;
    }
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        air_.sent.push_back({id, at, {burst.begin(), burst.end()}});
        return Ok{};
    }

private:
    Air& air_;
};

class GuardedRadioTest : public ::testing::Test {
protected:
    void open(const GuardConfig& config) {
        guard_ = make_guard(config, 500e3);
        reopen();
    }
    void reopen() {
        radio_ = std::make_unique<GuardedRadio>(
            std::make_unique<FakeRadio>(air_), guard_,
            GuardedRadio::Hooks{[this] { return wall_; }, [this](const std::string& line) { lines_.push_back(line); }});
    }
    std::vector<TxReport> receive(std::uint64_t first, std::size_t count, float level = 0.001F) {
        air_.receptions.push_back({first, Burst(count, {level, 0.0F}), {}, false});
        auto got = radio_->receive();
        EXPECT_TRUE(got.ok());
        return got->reports;
    }

    Air air_;
    Instant wall_ = kStart;
    std::shared_ptr<TransmitGuard> guard_;
    std::unique_ptr<GuardedRadio> radio_;
    std::vector<std::string> lines_;
    const Burst burst_ = frame("500k", "qpsk-1/2", 100);
};

TEST_F(GuardedRadioTest, PassesABurstAsItIsAndReportsARefusedOneAsNotSent) {
    open(config_868());
    EXPECT_TRUE(radio_->transmit(1, 100, burst_).ok());
    receive(1'000, 500);
    EXPECT_TRUE(radio_->transmit(2, 10'000, burst_).ok());
    EXPECT_TRUE(radio_->transmit(3, 10'100, burst_).ok()) << "a refusal is no loss of the radio";
    EXPECT_TRUE(radio_->transmit(4, 100'000, scaled(burst_, 2.0F)).ok());
    ASSERT_EQ(air_.sent.size(), 1U);
    EXPECT_EQ(air_.sent[0].id, 2U);
    EXPECT_EQ(air_.sent[0].at, 10'000U);
    EXPECT_EQ(air_.sent[0].samples, burst_);
    const auto reports = receive(1'500, 100);
    ASSERT_EQ(reports.size(), 2U);
    EXPECT_TRUE(reports[0].id == 3 && !reports[0].sent && reports[1].id == 4 && !reports[1].sent);
    EXPECT_TRUE(receive(1'600, 100).empty());
    EXPECT_EQ(lines_.size(), 2U) << "one line a kind";
}

TEST_F(GuardedRadioTest, SendsNothingWithoutABand) {
    guard_ = open_guard({}, 500e3, kStart).value();
    reopen();
    receive(0, 500);
    EXPECT_TRUE(radio_->transmit(1, 10'000, burst_).ok());
    EXPECT_TRUE(air_.sent.empty());
    EXPECT_EQ(guard_->counters().refused_silent, 1U);
}

TEST_F(GuardedRadioTest, AReopenedRadioAndAClockSetBackStartNoNewHour) {
    open(config_868());
    std::uint64_t index = 0;
    int passed = 0;
    for (int i = 0; i < 20'000; ++i) {
        receive(index, 500);
        ASSERT_TRUE(radio_->transmit(static_cast<std::uint64_t>(i), index + 1'000, burst_).ok());
        index += burst_.size() + 2'000;
        if (i % 50 == 0) {
            wall_ -= 1h;
            reopen();
            index = static_cast<std::uint64_t>(i);
        }
        passed = static_cast<int>(air_.sent.size());
    }
    EXPECT_LE(static_cast<double>(passed) * static_cast<double>(burst_.size()), 36.0 * 500e3);
    EXPECT_GT(static_cast<double>(passed) * static_cast<double>(burst_.size()), 35.0 * 500e3);
}

TEST_F(GuardedRadioTest, ListensWithItsOwnReceiver) {
    GuardConfig c = config_868();
    c.bands = {"JP 920.5-928.1"};
    c.frequency_hz = 924.2e6;
    c.full_scale_dbm = 20.0;
    c.receive_full_scale_dbm = -30.0;
    open(c);
    receive(0, 500, 0.0F);
    ASSERT_TRUE(radio_->transmit(1, 1'000, burst_).ok());
    EXPECT_TRUE(air_.sent.empty()) << "a receiver that gives zeros has not listened";
    receive(500, 500, 0.01F);  // -70 dBm
    ASSERT_TRUE(radio_->transmit(2, 2'000, burst_).ok());
    EXPECT_TRUE(air_.sent.empty());
    EXPECT_EQ(guard_->counters().refused_busy, 1U);
    receive(1'000, 500, 0.001F);  // -90 dBm
    ASSERT_TRUE(radio_->transmit(3, 2'000, burst_).ok());
    EXPECT_EQ(air_.sent.size(), 1U);
    ASSERT_TRUE(radio_->transmit(4, 200'000, burst_).ok());
    EXPECT_EQ(air_.sent.size(), 1U) << "heard too long before";
}

TEST_F(GuardedRadioTest, SendsTheCallSignAtTheEnd) {
    GuardConfig c = config_868();
    c.bands = {"EU amateur 430-440"};
    c.frequency_hz = 433.5e6;
    c.callsign = "DL0ABC";
    c.sealed_traffic_permit = "experiment";
    open(c);
    receive(0, 5'000);
    ASSERT_TRUE(radio_->transmit(1, 20'000, burst_).ok());
    std::uint64_t index = 5'000;
    for (int i = 0; i < 100; ++i, index += 5'000) {
        receive(index, 5'000);
    }
    EXPECT_EQ(air_.sent.size(), 1U);
    radio_->sign_off();
    do {
        EXPECT_TRUE(receive(index, 5'000).empty());
        index += 5'000;
    } while (radio_->signing_off());
    EXPECT_EQ(air_.sent.size(), 1U + morse_marks("DL0ABC").size());
    EXPECT_EQ(guard_->counters().identifications, 1U);
    EXPECT_EQ(guard_->counters().refused_out_of_order, 0U);
    for (std::size_t i = 1; i < air_.sent.size(); ++i) {
        EXPECT_GT(air_.sent[i].at, air_.sent[i - 1].at + air_.sent[i - 1].samples.size());
    }
}

}  // namespace
}  // namespace meshnet::station
