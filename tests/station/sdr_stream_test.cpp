// SPDX-License-Identifier: MIT
#include "station/radio/sdr_stream.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <numbers>
#include <string>
#include <vector>

#include "phy/profile.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/front_end.hpp"

namespace meshnet::station {
namespace {

struct Rates {
    double device_hz, profile_hz, shift_hz;
};

class DeviceRates : public ::testing::TestWithParam<Rates> {};

/// A pulse whose spectrum lies within 0.3 of the rate, its middle at sample `middle`.
std::vector<phy::Sample> pulse(std::size_t n, double middle) {
    std::vector<phy::Sample> out(n);
    for (std::size_t i = 0; i < n; ++i) {
        const double t = static_cast<double>(i) - middle;
        out[i] = static_cast<float>(0.5 * std::exp(-t * t / 18.0));
    }
    return out;
}

/// Middle of a real positive pulse and what it amounts to.
struct Found {
    double middle = 0.0, peak = 0.0, imaginary = 0.0;
};
Found find(const std::vector<phy::Sample>& samples) {
    double sum = 0.0, moment = 0.0;
    Found out;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const double a = std::norm(samples[i]);
        sum += a;
        moment += a * static_cast<double>(i);
        out.peak = std::max(out.peak, static_cast<double>(std::abs(samples[i])));
        out.imaginary = std::max(out.imaginary, static_cast<double>(std::abs(samples[i].imag())));
    }
    out.middle = moment / sum;
    return out;
}

TEST_P(DeviceRates, ABurstLeavesAndArrivesAtItsIndexWithItsAmplitude) {
    const Rates r = GetParam();
    auto shaper = BurstShaper::create({r.device_hz, r.profile_hz, r.shift_hz, 100e-6, 200e-6, 64});
    auto stream = ReceiveStream::create(r.device_hz, r.profile_hz, 0.0);
    ASSERT_TRUE(shaper.ok() && stream.ok());
    constexpr std::uint64_t kAt = 20'000;
    const auto shaped = shaper->shape(pulse(400, 200.0));
    EXPECT_EQ(shaped.samples.size() % 64, 0U);
    const std::int64_t first = stream->ticks_of(static_cast<double>(kAt)) - std::llround(shaped.lead);

    // The air: the device's own rate, zeros but for the burst, turned down by the shift it was sent with.
    std::vector<phy::Sample> air(static_cast<std::size_t>(first) + shaped.samples.size() + 20'000);
    std::copy(shaped.samples.begin(), shaped.samples.end(), air.begin() + first);
    FrequencyShift back(-r.shift_hz / r.device_hz);
    // The shift's phase begins with the burst's first sample, behind the zeros in front.
    const auto front = static_cast<std::size_t>(std::ceil(100e-6 * r.device_hz));
    back.process(std::span(air).subspan(static_cast<std::size_t>(first) + front));

    std::vector<phy::Sample> heard;
    std::uint64_t begin = 0;
    constexpr std::size_t kChunk = 777;
    for (std::size_t at = 0; at < air.size(); at += kChunk) {
        auto got = stream->process(static_cast<std::int64_t>(at),
                                   std::span(air).subspan(at, std::min(kChunk, air.size() - at)));
        if (heard.empty()) {
            begin = got.first_index;
        } else if (!got.samples.empty()) {
            EXPECT_EQ(got.first_index, begin + heard.size());
        }
        heard.insert(heard.end(), got.samples.begin(), got.samples.end());
    }
    const Found found = find(heard);
    EXPECT_NEAR(static_cast<double>(begin) + found.middle, static_cast<double>(kAt) + 200.0, 0.51);
    EXPECT_NEAR(found.peak, 0.5, 0.01);
    EXPECT_LT(found.imaginary, 0.01);
}

/// Power of `samples` in [low, high] cycles per sample, by windows of 256 with a Hann window.
double power_between(std::span<const phy::Sample> samples, double low, double high) {
    constexpr std::size_t kWindow = 256;
    double sum = 0.0;
    for (std::size_t at = 0; at + kWindow <= samples.size(); at += kWindow) {
        for (std::size_t k = 0; k < kWindow; ++k) {
            const double f = static_cast<double>(k) / kWindow - (k >= kWindow / 2 ? 1.0 : 0.0);
            if (f < low || f > high) {
                continue;
            }
            std::complex<double> bin = 0.0;
            for (std::size_t n = 0; n < kWindow; ++n) {
                const double w = 0.5 - 0.5 * std::cos(2.0 * std::numbers::pi * static_cast<double>(n) / kWindow);
                bin += w * std::complex<double>(samples[at + n]) *
                       std::polar(1.0, -2.0 * std::numbers::pi * static_cast<double>(k * n % kWindow) / kWindow);
            }
            sum += std::norm(bin);
        }
    }
    return sum;
}

// The transmit guard judges samples at the profile's rate; what the way to the device adds must not leave the channel.
TEST_P(DeviceRates, ResamplingAddsNothingBesideTheChannel) {
    const Rates r = GetParam();
    if (r.device_hz < 1.5 * r.profile_hz) {
        return;  // no room beside the channel
    }
    const phy::Profile* profile = nullptr;
    for (const phy::Profile& p : phy::profiles()) {
        profile = p.sample_rate_hz == r.profile_hz ? &p : profile;
    }
    ASSERT_NE(profile, nullptr);
    std::vector<phy::Sample> burst;
    phy::Transmitter(*profile).modulate(*phy::find_mode("qpsk-1/2"), Bytes(400, 0x5A), burst);
    auto shaper = BurstShaper::create({r.device_hz, r.profile_hz, 0.0, 0.0, 0.0, 1});
    ASSERT_TRUE(shaper.ok());
    const auto shaped = shaper->shape(burst);
    // The burst's own sharp ends are judged at the profile's rate.
    const std::size_t edge = shaped.samples.size() / 4;
    const auto inside = std::span(shaped.samples).subspan(edge, std::min<std::size_t>(2 * edge, 40'000));
    const double half = 0.5 * r.profile_hz / r.device_hz;
    const double channel = power_between(inside, -half, half);
    const double guard = std::max(0.08 * half, 4.0 / 256.0);  // the filter's own edge, the window's main lobe
    const double beside = power_between(inside, half + guard, 0.5) + power_between(inside, -0.5, -half - guard);
    EXPECT_LT(10.0 * std::log10(beside / channel), -50.0);
}

INSTANTIATE_TEST_SUITE_P(All, DeviceRates,
                         ::testing::Values(Rates{1e6, 1e6, 0.0}, Rates{2e6, 1e6, 0.0}, Rates{4e6, 1e6, 750e3},
                                           Rates{16e6, 1e6, 750e3}, Rates{1.25e6, 1e6, 0.0}, Rates{3.84e6, 1e6, 0.0},
                                           Rates{2e6, 125e3, 93'750.0}, Rates{20e6, 20e6, 0.0}),
                         [](const auto& param) { return std::to_string(param.index); });

TEST(ReceiveStream, AJumpOfTheDevicesTimeIsAJumpOfTheIndex) {
    auto stream = ReceiveStream::create(2e6, 1e6, 0.0);
    ASSERT_TRUE(stream.ok());
    std::vector<phy::Sample> block(4'000, phy::Sample(1.0F));
    const auto before = stream->process(10'000, block);
    const std::uint64_t end = before.first_index + before.samples.size();
    const auto after = stream->process(114'000, block);  // 100 000 device samples later than expected
    EXPECT_GE(after.first_index, 57'000U);
    EXPECT_LT(after.first_index, 57'200U);
    EXPECT_GT(after.first_index, end);
    for (const auto& s : after.samples) {
        EXPECT_NEAR(s.real(), 1.0F, 0.02F) << "no filter full of zeros";
    }
}

TEST(ReceiveStream, HasNoIndexBelowZero) {
    auto stream = ReceiveStream::create(4e6, 1e6, 0.0);
    std::vector<phy::Sample> block(40'000, phy::Sample(1.0F));
    const auto got = stream->process(0, block);
    EXPECT_LT(got.first_index, 200U);
    EXPECT_GT(got.samples.size(), 9'000U);
}

TEST(FrequencyShift, KeepsItsPhaseFromCallToCall) {
    const double f = 0.0371;
    FrequencyShift shift(f);
    std::vector<phy::Sample> samples(10'000, phy::Sample(1.0F));
    shift.process(std::span(samples).first(1'001));
    shift.process(std::span(samples).subspan(1'001, 3));
    shift.process(std::span(samples).subspan(1'004));
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const auto expected = std::polar(1.0, 2.0 * std::numbers::pi * f * static_cast<double>(i));
        ASSERT_NEAR(std::abs(std::complex<double>(samples[i]) - expected), 0.0, 1e-4) << i;
    }
}

TEST(ChooseRate, TakesTheLeastWholeMultiple) {
    const RateRange usrp[] = {{0.2e6, 61.44e6, 0.0}};
    EXPECT_EQ(choose_rate(usrp, 1e6, 0.0), 1e6);
    EXPECT_EQ(choose_rate(usrp, 125e3, 0.0), 250e3);
    const RateRange hackrf[] = {{2e6, 20e6, 0.0}};
    EXPECT_EQ(choose_rate(hackrf, 1e6, 8e6), 8e6);
    EXPECT_EQ(choose_rate(hackrf, 125e3, 0.0), 2e6);
    EXPECT_EQ(choose_rate(hackrf, 20e6, 8e6), 20e6);
    EXPECT_EQ(choose_rate(hackrf, 40e6, 0.0), std::nullopt);
    const RateRange list[] = {{0.9e6, 0.9e6, 0.0}, {1.4e6, 1.4e6, 0.0}, {2.4e6, 2.4e6, 0.0}};
    EXPECT_EQ(choose_rate(list, 1e6, 0.0), 1.4e6) << "no multiple: the least that is enough";
    EXPECT_EQ(choose_rate({}, 1e6, 0.0), std::nullopt);
}

TEST(FrontEnd, SaysWhichSettingTheRadioDoesNotHave) {
    const phy::Profile& profile = *phy::find_profile("1M");
    const RateRange band[] = {{70e6, 6e9, 0.0}};
    RadioSettings s;
    EXPECT_NE(front_end_frequency(band, s).error().message.find("radio.frequency_hz is not set"), std::string::npos);
    s.frequency_hz = 10e6;
    EXPECT_EQ(front_end_frequency(band, s).error().message,
              "radio.frequency_hz = 10000000 is not possible; the radio has 70000000..6000000000 Hz");
    s.frequency_hz = 868.3e6;
    s.ppm = 10.0;
    EXPECT_NEAR(*front_end_frequency(band, s), 868.3e6 - 8'683.0, 0.2);
    EXPECT_EQ(front_end_gain(0.0, 76.0, 80.0, 0.6, "rx_gain_db").error().message,
              "radio.rx_gain_db = 80 is not possible; the radio has 0 to 76 dB");
    EXPECT_NEAR(*front_end_gain(0.0, 76.0, std::nullopt, 0.5, "rx_gain_db"), 38.0, 1e-9);
    EXPECT_EQ(front_end_choice({"TX/RX", "RX2"}, "RX3", "rx_antenna").error().message,
              "radio.rx_antenna = \"RX3\": the radio has TX/RX RX2");
    s.sample_rate_hz = 500e3;
    EXPECT_FALSE(front_end_rate(band, profile, s, 0.0).ok()) << "narrower than the profile";
}

TEST(FrontEnd, TunesBesideTheChannelOnlyWhereThereIsRoom) {
    const phy::Profile& profile = *phy::find_profile("1M");
    RadioSettings s;
    EXPECT_EQ(front_end_offset(profile, s, 1e6), 0.0);
    EXPECT_EQ(front_end_offset(profile, s, 4e6), 750e3);
    s.offset_tuning = false;
    EXPECT_EQ(front_end_offset(profile, s, 4e6), 0.0);
}

TEST(FrontEnd, ExplainsWhyARadioDoesNotOpen) {
    const auto error = [](const char* thrown) { return front_end_open_error("soapy:driver=x", thrown, "FINDER"); };
    EXPECT_EQ(error("SoapySDR::Device::make() no match").code, ErrorCode::kNotFound);
    EXPECT_NE(error("SoapySDR::Device::make() no match").message.find("FINDER lists"), std::string::npos);
    EXPECT_EQ(error("hackrf_open() failed: Access denied (insufficient permissions)").code, ErrorCode::kPermission);
    EXPECT_NE(error("usb_claim: Access denied").message.find("udev"), std::string::npos);
    EXPECT_EQ(error("Resource busy").code, ErrorCode::kInUse);
    EXPECT_EQ(error("two\nlines").message.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace meshnet::station
