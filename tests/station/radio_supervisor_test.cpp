// SPDX-License-Identifier: MIT
#include "station/radio/radio_supervisor.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::station {
namespace {

using std::chrono::milliseconds;

struct RadioState {
    bool fails = false;
    int open = 0;
    std::uint64_t next_index = 0;
};

class TestRadio final : public Radio {
public:
    explicit TestRadio(RadioState& state) : state_(state) { ++state_.open; }
    ~TestRadio() override { --state_.open; }
    TestRadio(const TestRadio&) = delete;
    TestRadio& operator=(const TestRadio&) = delete;
    node::SampleRate sample_rate() const override { return {1'000'000, 1}; }
    int fd() const override { return 42; }
    Result<Reception> receive() override {
        if (state_.fails) {
            return Error{ErrorCode::kUnavailable, "unplugged"};
        }
        Reception out;
        if (!delivered_) {
            out.first_index = state_.next_index;
            out.samples.resize(1'000);
            state_.next_index += out.samples.size();
        }
        delivered_ = !delivered_;  // then nothing more until the next poll
        return out;
    }
    Status transmit(std::uint64_t /*id*/, std::uint64_t /*at*/, std::span<const phy::Sample> /*burst*/) override {
        return state_.fails ? Status(Error{ErrorCode::kUnavailable, "unplugged"}) : Ok{};
    }

private:
    RadioState& state_;
    bool delivered_ = false;
};

struct NoEvents final : RadioEvents {
    void on_frame(Instant /*now*/, const mac::RxFrame& /*frame*/) override {}
    void on_carrier(Instant /*now*/, bool /*busy*/) override {}
    void on_transmitted(Instant /*now*/, std::uint64_t /*id*/, mac::TxOutcome outcome) override {
        late += outcome == mac::TxOutcome::kLate ? 1 : 0;
    }
    void on_time(Instant /*now*/) override {}
    int late = 0;
};

class RadioSupervisorTest : public ::testing::Test {
protected:
    RadioSupervisorTest()
        : supervisor_(
              {phy::find_profile("1M")}, std::make_unique<TestRadio>(state_),
              [this]() -> Result<std::unique_ptr<Radio>> {
                  ++opened_;
                  EXPECT_EQ(state_.open, 0) << "a device serves one at a time";
                  if (!present_) {
                      return Error{ErrorCode::kNotFound, "no radio"};
                  }
                  return std::unique_ptr<Radio>(std::make_unique<TestRadio>(state_));
              },
              "test", now_) {}
    void receive() { EXPECT_TRUE(supervisor_.receive(now_, events_)); }
    [[nodiscard]] bool up() const { return supervisor_.fd() == 42; }
    void advance(milliseconds step) {
        now_ += step;
        supervisor_.on_tick(now_, events_);
    }

    RadioState state_;
    NoEvents events_;
    bool present_ = false;
    int opened_ = 0;
    RadioSupervisor::WallTime now_{std::chrono::hours(1)};
    RadioSupervisor supervisor_;
};

TEST_F(RadioSupervisorTest, ASilentRadioIsLostAfterTwoSeconds) {
    receive();
    advance(milliseconds(2'000));
    EXPECT_TRUE(up());
    EXPECT_EQ(supervisor_.fd(), 42);
    advance(milliseconds(1));
    EXPECT_FALSE(up());
    EXPECT_EQ(supervisor_.fd(), -1);
    EXPECT_EQ(opened_, 0);
}

TEST_F(RadioSupervisorTest, ALostRadioIsOpenedEverySecondUntilItIsBack) {
    receive();
    const Instant before = supervisor_.now();
    state_.fails = true;
    receive();
    EXPECT_FALSE(up());
    advance(milliseconds(999));
    EXPECT_EQ(opened_, 0);
    advance(milliseconds(1));
    EXPECT_EQ(opened_, 1);
    advance(milliseconds(500));
    EXPECT_EQ(opened_, 1);
    advance(milliseconds(500));
    EXPECT_EQ(opened_, 2);
    present_ = true;
    state_.fails = false;
    advance(milliseconds(1'000));
    EXPECT_TRUE(up());
    EXPECT_EQ(supervisor_.link().counters().reopened, 1U);
    EXPECT_EQ(supervisor_.now(), before + 3s) << "protocol time includes the pause";
    advance(milliseconds(2'000));
    EXPECT_TRUE(up()) << "the silence counts from the return";
}

TEST_F(RadioSupervisorTest, ARadioThatRefusesABurstIsLostAtTheNextReceive) {
    receive();
    mac::TxRequest request;
    request.id = 1;
    request.payload = {1};
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{1s};
    state_.fails = true;
    supervisor_.transmit(request);
    EXPECT_TRUE(up());
    state_.fails = false;
    receive();
    EXPECT_FALSE(up());
    EXPECT_EQ(events_.late, 1);
}

// Fault: an air (or a device) that had hung and came back refused the station for ever, because the connection that was
// given up was never closed; and a burst of the time without a radio made the new one be lost at once.
TEST_F(RadioSupervisorTest, AHungRadioIsLetGoBeforeItIsOpenedAgain) {
    receive();
    present_ = true;
    advance(milliseconds(2'001));
    EXPECT_FALSE(up());
    EXPECT_EQ(state_.open, 0);
    mac::TxRequest request;
    request.id = 1;
    request.payload = {1};
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{1s};
    supervisor_.transmit(request);
    advance(milliseconds(1'000));
    EXPECT_TRUE(up());
    EXPECT_EQ(state_.open, 1);
    EXPECT_EQ(events_.late, 1);
    receive();
    EXPECT_TRUE(up());
}

}  // namespace
}  // namespace meshnet::station
