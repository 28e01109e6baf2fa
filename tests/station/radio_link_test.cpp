// SPDX-License-Identifier: MIT
// The radio link over a radio in memory: bursts are received again, with noise, gaps and restarts from a script.
#include "station/radio/radio_link.hpp"

#include <gtest/gtest.h>

#include <deque>

#include "core/random.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::station {
namespace {

/// Receptions the test has prepared, and bursts of the link.
struct Script {
    std::deque<Radio::Reception> receptions;
    struct Burst {
        std::uint64_t id, at;
        std::vector<phy::Sample> samples;
    };
    std::vector<Burst> bursts;
    bool lost = false;
};

class ScriptedRadio final : public Radio {
public:
    explicit ScriptedRadio(Script& script) : script_(script) {}
    node::SampleRate sample_rate() const override { return {1'000'000, 1}; }
    int fd() const override { return -1; }
    Result<Reception> receive() override {
        if (script_.lost) {
            return Error{ErrorCode::kInvalidArgument, "unplugged"};
        }
        if (script_.receptions.empty()) {
            return Reception{};
        }
        Reception next = std::move(script_.receptions.front());
        script_.receptions.pop_front();
        return next;
    }
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        if (script_.lost) {
            return Error{ErrorCode::kInvalidArgument, "unplugged"};
        }
        script_.bursts.push_back({id, at, {burst.begin(), burst.end()}});
        return Ok{};
    }

private:
    Script& script_;
};

struct Events final : RadioEvents {
    void on_frame(Instant now, const mac::RxFrame& frame) override {
        advance(now);
        frames.push_back(frame);
    }
    void on_carrier(Instant now, bool busy) override {
        advance(now);
        carrier.emplace_back(now, busy);
    }
    void on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome) override {
        advance(now);
        outcomes.push_back({now, id, outcome});
    }
    void on_time(Instant now) override { advance(now); }
    void advance(Instant now) {
        EXPECT_GE(now, latest) << "time decreased";
        latest = now;
    }
    struct Outcome {
        Instant now;
        std::uint64_t id;
        mac::TxOutcome outcome;
    };
    std::vector<mac::RxFrame> frames;
    std::vector<std::pair<Instant, bool>> carrier;
    std::vector<Outcome> outcomes;
    Instant latest{};
};

class RadioLinkTest : public ::testing::Test {
protected:
    RadioLinkTest() : link_({phy::find_profile("1M")}, std::make_unique<ScriptedRadio>(script_)) {}

    std::vector<phy::Sample> noise(std::size_t n) {
        std::vector<phy::Sample> out(n);
        for (auto& s : out) {
            s = {static_cast<float>(0.01 * rng_.normal()), static_cast<float>(0.01 * rng_.normal())};
        }
        return out;
    }
    void receive(std::uint64_t first_index, std::vector<phy::Sample> samples, std::vector<TxReport> reports = {}) {
        script_.receptions.push_back({first_index, std::move(samples), std::move(reports), false});
        ASSERT_TRUE(link_.receive(events_).ok());
    }

    Rng rng_{11};
    Script script_;
    RadioLink link_;
    Events events_;
};

TEST_F(RadioLinkTest, AFrameComesBackAtTheSampleItWasSentFor) {
    constexpr std::uint64_t kFirst = 777'000;  // the radio's counter began before the link
    receive(kFirst, noise(50'000));
    EXPECT_EQ(link_.now(), Instant{50ms});

    mac::TxRequest request;
    request.id = 9;
    request.payload.assign(300, 0x5a);
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{60ms};
    ASSERT_TRUE(link_.transmit(request).ok());
    ASSERT_EQ(script_.bursts.size(), 1U);
    EXPECT_EQ(script_.bursts[0].at, kFirst + 60'000);

    // The burst at its own time, in noise, received in uneven pieces.
    auto samples = noise(100'000);
    for (std::size_t i = 0; i < script_.bursts[0].samples.size(); ++i) {
        samples[10'000 + i] += script_.bursts[0].samples[i];
    }
    for (std::size_t at = 0, n = 1; at < samples.size(); at += n, n = n * 3 % 7'001) {
        const std::size_t take = std::min(n, samples.size() - at);
        receive(kFirst + 50'000 + at, {samples.begin() + static_cast<std::ptrdiff_t>(at),
                                       samples.begin() + static_cast<std::ptrdiff_t>(at + take)});
    }
    ASSERT_EQ(events_.frames.size(), 1U);
    const auto& frame = events_.frames[0];
    EXPECT_EQ(frame.payload, request.payload);
    EXPECT_EQ(frame.mode, request.mode);
    EXPECT_NEAR(static_cast<double>((frame.start - request.at).count()), 0.0, 500.0) << "within half a sample";
    EXPECT_EQ(frame.end - frame.start, link_.clock().duration_of(script_.bursts[0].samples.size()));
    ASSERT_FALSE(frame.segments.empty());
    EXPECT_TRUE(frame.segments.front().ok);
    ASSERT_GE(events_.carrier.size(), 2U);
    EXPECT_TRUE(events_.carrier.front().second);
    EXPECT_FALSE(events_.carrier.back().second);
}

TEST_F(RadioLinkTest, ABurstIsReportedWhenItsLastSampleHasLeft) {
    receive(0, noise(1'000));
    mac::TxRequest request;
    request.id = 4;
    request.payload = {1};
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{2ms};
    ASSERT_TRUE(link_.transmit(request).ok());
    receive(1'000, noise(1'000), {{4, true, 6'000}});
    EXPECT_TRUE(events_.outcomes.empty()) << "still on the air";
    receive(2'000, noise(4'500));
    ASSERT_EQ(events_.outcomes.size(), 1U);
    EXPECT_EQ(events_.outcomes[0].outcome, mac::TxOutcome::kSent);
    EXPECT_EQ(events_.outcomes[0].now, Instant{6ms});
    EXPECT_EQ(link_.counters().bursts_sent, 1U);
}

TEST_F(RadioLinkTest, LateLostAndUnreportedBurstsAreAllLate) {
    receive(0, noise(1'000));
    mac::TxRequest request;
    request.payload = {1};
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{2ms};
    for (std::uint64_t id : {1, 2}) {
        request.id = id;
        ASSERT_TRUE(link_.transmit(request).ok());
    }
    receive(1'000, noise(1'000), {{1, false, 0}});
    ASSERT_EQ(events_.outcomes.size(), 1U);
    EXPECT_EQ(events_.outcomes[0].id, 1U);
    EXPECT_EQ(events_.outcomes[0].outcome, mac::TxOutcome::kLate);
    receive(2'000, std::vector<phy::Sample>(1'300'000));  // more than a second later, 2 has no report
    ASSERT_EQ(events_.outcomes.size(), 2U);
    EXPECT_EQ(events_.outcomes[1].id, 2U);
    script_.lost = true;
    request.id = 3;
    EXPECT_FALSE(link_.transmit(request).ok());
    EXPECT_FALSE(link_.receive(events_).ok());
    script_.lost = false;
    link_.replace(std::make_unique<ScriptedRadio>(script_), 3s, events_);
    ASSERT_EQ(events_.outcomes.size(), 3U);
    EXPECT_EQ(events_.outcomes[2].id, 3U);
    EXPECT_EQ(events_.outcomes[2].outcome, mac::TxOutcome::kLate);
    EXPECT_EQ(link_.counters().bursts_late, 3U);
}

TEST_F(RadioLinkTest, GapsMoveTimeForwardAndAreCounted) {
    receive(0, noise(10'000));
    receive(15'000, noise(1'000));  // 5 ms: filled
    EXPECT_EQ(link_.now(), Instant{16ms});
    receive(1'016'000, noise(1'000));  // 1 s: jumped over
    EXPECT_EQ(link_.now(), Instant{1'017ms});
    EXPECT_EQ(link_.counters().gaps, 2U);
    EXPECT_EQ(link_.counters().samples_lost, 1'005'000U);
    receive(500, noise(1'000));  // the counter was reset: time continues
    EXPECT_EQ(link_.now(), Instant{1'018ms});
    EXPECT_EQ(link_.counters().gaps, 3U);
}

TEST_F(RadioLinkTest, FramesAfterAGapAreStillAtTheirSample) {
    receive(0, noise(20'000));
    mac::TxRequest request;
    request.payload.assign(200, 0x33);
    request.mode = *phy::find_mode("qpsk-1/2");
    request.at = Instant{2'030ms};
    ASSERT_TRUE(link_.transmit(request).ok());
    auto samples = noise(60'000);
    for (std::size_t i = 0; i < script_.bursts[0].samples.size(); ++i) {
        samples[30'000 + i] += script_.bursts[0].samples[i];
    }
    receive(2'000'000, samples);
    ASSERT_EQ(events_.frames.size(), 1U);
    EXPECT_NEAR(static_cast<double>((events_.frames[0].start - request.at).count()), 0.0, 500.0);
}

TEST_F(RadioLinkTest, TimeContinuesWithAnotherRadio) {
    receive(5'000'000, noise(10'000));
    EXPECT_EQ(link_.now(), Instant{10ms});
    link_.replace(std::make_unique<ScriptedRadio>(script_), 2s, events_);
    EXPECT_EQ(link_.now(), Instant{2'010ms});
    receive(3, noise(1'000));
    EXPECT_EQ(link_.now(), Instant{2'011ms});
    EXPECT_EQ(link_.counters().gaps, 0U);
    EXPECT_EQ(link_.counters().reopened, 1U);
}

}  // namespace
}  // namespace meshnet::station
