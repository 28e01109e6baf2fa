// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio_soapy.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <complex>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>
#include <SoapySDR/Device.hpp>
#include <SoapySDR/Errors.hpp>
#include <SoapySDR/Formats.hpp>
#include <SoapySDR/Logger.hpp>
#include <SoapySDR/Time.hpp>

#include "station/radio/front_end.hpp"
#include "station/radio/sdr_device.hpp"

namespace meshnet::station {

namespace {

using Sdr = SoapySDR::Device;

/// SoapySDR's numbers of its drivers' habits that no call tells.
struct Habit {
    const char* driver;
    std::size_t write_multiple;  // samples of a USB buffer that is sent only when it is full
    std::size_t read_multiple;   // the same of received samples
    std::size_t write_ahead;     // samples of zeros that go out after the switch, before the first one written
    Duration shortest_switch;    // between receiving and transmitting
    Duration switch_time;        // the same, at most
    double least_rate_hz;        // so that a buffer does not wait long
};
// SoapyHackRF hands buffers of 262 144 bytes (131 072 samples) on when they are full and ignores END_BURST; its switch
// takes 10 to 33 ms. libhackrf has four buffers in flight, which it fills when the stream begins, before anything can
// be written: with zeros. At 8 Msample/s a buffer is 16 ms.
constexpr Habit kHabits[] = {{"hackrf", 131'072, 131'072, 4 * 131'072, 10ms, 33ms, 8e6}};
constexpr Habit kNoHabit{"", 1, 1, 0, 0ms, 0ms, 0.0};

Error soapy_error(const std::string& what, int code) {
    return Error{ErrorCode::kUnavailable, what + ": " + SoapySDR::errToStr(code)};
}

class SoapyDevice final : public SdrDevice {
public:
    explicit SoapyDevice(Sdr* device) : device_(device) {}
    ~SoapyDevice() override {
        // A device that is gone may throw from each of these.
        const auto quietly = [](auto&& call) {
            try {
                call();
            } catch (const std::exception& e) {
                spdlog::debug("closing the radio: {}", first_line(e.what()));
            }
        };
        for (SoapySDR::Stream* stream : {rx_, tx_}) {
            if (stream != nullptr) {
                quietly([&] { device_->deactivateStream(stream); });
                quietly([&] { device_->closeStream(stream); });
            }
        }
        quietly([&] { Sdr::unmake(device_); });
    }

    /// Throws what SoapySDR throws.
    Status configure(const phy::Profile& profile, const RadioSettings& settings);

    const SdrTraits& traits() const override { return traits_; }

    Status start() override {
        return guarded("receiving does not begin", [&]() -> Status {
            const int code = device_->activateStream(rx_);
            if (code == 0 && tx_ != nullptr && traits_.full_duplex) {
                const int tx = device_->activateStream(tx_);
                return tx == 0 ? Status(Ok{}) : soapy_error("transmitting does not begin", tx);
            }
            return code == 0 ? Status(Ok{}) : soapy_error("receiving does not begin", code);
        });
    }

    Result<Block> read(std::span<phy::Sample> into, Duration timeout) override {
        try {
            void* buffers[] = {into.data()};
            int flags = 0;
            long long ns = 0;
            const int got = device_->readStream(rx_, buffers, into.size(), flags, ns, micros(timeout));
            Block out;
            if (got == SOAPY_SDR_TIMEOUT) {
                return out;
            }
            if (got == SOAPY_SDR_OVERFLOW) {
                out.overrun = true;
                return out;
            }
            if (got < 0) {
                return soapy_error("the radio stopped receiving", got);
            }
            out.samples = static_cast<std::size_t>(got);
            if ((flags & SOAPY_SDR_HAS_TIME) != 0) {
                out.ticks = SoapySDR::timeNsToTicks(ns, traits_.sample_rate_hz);
            }
            return out;
        } catch (const std::exception& e) {
            return Error{ErrorCode::kUnavailable, "the radio stopped receiving: " + first_line(e.what())};
        }
    }

    Status begin_burst() override {
        return guarded("the switch to transmitting failed", [&]() -> Status {
            written_ = 0;
            device_->deactivateStream(rx_);
            const int code = device_->activateStream(tx_);
            burst_begin_ = std::chrono::steady_clock::now() + traits_.switch_time;
            return code == 0 ? Status(Ok{}) : soapy_error("transmitting does not begin", code);
        });
    }

    Status write(std::span<const phy::Sample> samples, std::optional<std::int64_t> ticks, bool last) override {
        return guarded("the radio stopped transmitting", [&]() -> Status {
            bool first = true;
            while (!samples.empty()) {
                const void* buffers[] = {samples.data()};
                int flags = last ? SOAPY_SDR_END_BURST : 0;
                long long ns = 0;
                if (first && ticks) {
                    flags |= SOAPY_SDR_HAS_TIME;
                    ns = SoapySDR::ticksToTimeNs(*ticks, traits_.sample_rate_hz);
                }
                const std::size_t n = std::min(samples.size(), mtu_);
                if (n < samples.size()) {
                    flags &= ~SOAPY_SDR_END_BURST;
                }
                const int took = device_->writeStream(tx_, buffers, n, flags, ns, 1'000'000);
                if (took < 0) {
                    return soapy_error("the radio stopped transmitting", took);
                }
                samples = samples.subspan(static_cast<std::size_t>(took));
                first = first && took == 0;
                written_ += static_cast<std::size_t>(took);
            }
            return Ok{};
        });
    }

    // Nothing says when the last buffer has left: the samples' own duration does. Those in flight would be lost.
    Status end_burst() override {
        return guarded("the switch to receiving failed", [&]() -> Status {
            const auto on_air =
                std::chrono::duration<double>(static_cast<double>(std::exchange(written_, 0)) / traits_.sample_rate_hz);
            const auto until = burst_begin_ + std::chrono::duration_cast<std::chrono::steady_clock::duration>(on_air);
            std::this_thread::sleep_until(until);
            device_->deactivateStream(tx_);
            const int code = device_->activateStream(rx_);
            return code == 0 ? Status(Ok{}) : soapy_error("receiving does not begin", code);
        });
    }

    std::optional<Event> poll_event(Duration timeout) override {
        if (tx_ == nullptr || !events_) {
            return std::nullopt;
        }
        try {
            std::size_t channels = 0;
            int flags = 0;
            long long ns = 0;
            const int code = device_->readStreamStatus(tx_, channels, flags, ns, micros(timeout));
            const auto ticks = (flags & SOAPY_SDR_HAS_TIME) != 0
                                   ? std::optional<std::int64_t>(SoapySDR::timeNsToTicks(ns, traits_.sample_rate_hz))
                                   : std::nullopt;
            if (code == 0 && (flags & SOAPY_SDR_END_BURST) != 0) {
                return Event{Event::Kind::kSent, ticks};
            }
            if (code == SOAPY_SDR_TIME_ERROR) {
                return Event{Event::Kind::kLate, ticks};
            }
            if (code == SOAPY_SDR_UNDERFLOW) {
                return Event{Event::Kind::kUnderrun, ticks};
            }
            events_ = code != SOAPY_SDR_NOT_SUPPORTED;
        } catch (const std::exception&) {
            events_ = false;
        }
        return std::nullopt;
    }

    std::optional<std::int64_t> now_ticks() override {
        try {
            return SoapySDR::timeNsToTicks(device_->getHardwareTime(), traits_.sample_rate_hz);
        } catch (const std::exception&) {
            return std::nullopt;
        }
    }

    std::string trouble() override {
        return lock_trouble(lock_sensors_,
                            [this](const std::string& sensor) { return device_->readSensor(sensor) == "true"; });
    }

private:
    template <class F>
    Status guarded(const char* what, F&& call) {
        try {
            return call();
        } catch (const std::exception& e) {
            return Error{ErrorCode::kUnavailable, std::string(what) + ": " + first_line(e.what())};
        }
    }
    static long micros(Duration d) {
        return static_cast<long>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
    }
    Status set_rate(const phy::Profile& profile, const RadioSettings& settings, double least_hz);
    Status tune(int direction, double frequency_hz);
    Status set_gain(int direction, const std::optional<double>& wanted);
    Status set_antenna(int direction, const std::string& wanted);
    Status set_sources(const RadioSettings& settings);
    void set_bandwidth(int direction, double hz);
    std::size_t write_ahead(const Habit& habit) const;

    Sdr* device_;
    SoapySDR::Stream* rx_ = nullptr;
    SoapySDR::Stream* tx_ = nullptr;
    SdrTraits traits_;
    std::size_t mtu_ = 1;
    std::size_t written_ = 0;
    std::chrono::steady_clock::time_point burst_begin_;
    bool events_ = true;
    std::vector<std::string> lock_sensors_;
};

std::vector<RateRange> ranges_of(const SoapySDR::RangeList& list) {
    std::vector<RateRange> out;
    for (const auto& r : list) {
        out.push_back({r.minimum(), r.maximum(), r.step()});
    }
    return out;
}

// `names`: of driver and hardware; a HackRF behind another driver has its habits too.
const Habit& habit_of(const std::string& names) {
    std::string low = names;
    std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const Habit& h : kHabits) {
        if (low.find(h.driver) != std::string::npos) {
            return h;
        }
    }
    return kNoHabit;
}

Status SoapyDevice::set_rate(const phy::Profile& profile, const RadioSettings& settings, double least_hz) {
    const auto ranges = ranges_of(device_->getSampleRateRange(SOAPY_SDR_RX, 0));
    const auto rate = front_end_rate(ranges, profile, settings, least_hz);
    if (!rate) {
        return rate.error();
    }
    device_->setSampleRate(SOAPY_SDR_RX, 0, *rate);
    traits_.sample_rate_hz = device_->getSampleRate(SOAPY_SDR_RX, 0);
    if (traits_.transmits) {
        device_->setSampleRate(SOAPY_SDR_TX, 0, traits_.sample_rate_hz);
        const double tx = device_->getSampleRate(SOAPY_SDR_TX, 0);
        if (std::abs(tx - traits_.sample_rate_hz) > 1e-6 * tx) {
            return Error{ErrorCode::kUnsupported, "the radio cannot transmit at the rate it receives with (" +
                                                      std::to_string(tx) + " and " +
                                                      std::to_string(traits_.sample_rate_hz) + " Hz)"};
        }
    }
    return Ok{};
}

Status SoapyDevice::tune(int direction, double frequency_hz) {
    device_->setFrequency(direction, 0, frequency_hz);
    const double got = device_->getFrequency(direction, 0);
    if (std::abs(got - frequency_hz) > std::max(100.0, 1e-6 * frequency_hz)) {
        return Error{ErrorCode::kUnsupported,
                     "the radio tuned to " + std::to_string(got) + " Hz instead of " + std::to_string(frequency_hz)};
    }
    return Ok{};
}

Status SoapyDevice::set_gain(int direction, const std::optional<double>& wanted) {
    const auto range = device_->getGainRange(direction, 0);
    const bool rx = direction == SOAPY_SDR_RX;
    const auto gain =
        front_end_gain(range.minimum(), range.maximum(), wanted, rx ? 0.6 : 0.0, rx ? "rx_gain_db" : "tx_gain_db");
    if (!gain) {
        return gain.error();
    }
    if (device_->hasGainMode(direction, 0)) {
        device_->setGainMode(direction, 0, false);  // a gain that follows the signal breaks bursts
    }
    device_->setGain(direction, 0, *gain);
    return Ok{};
}

Status SoapyDevice::set_antenna(int direction, const std::string& wanted) {
    const bool rx = direction == SOAPY_SDR_RX;
    const auto port = front_end_choice(device_->listAntennas(direction, 0), wanted, rx ? "rx_antenna" : "tx_antenna");
    if (!port) {
        return port.error();
    }
    if (!port->empty()) {
        device_->setAntenna(direction, 0, *port);
    }
    return Ok{};
}

Status SoapyDevice::set_sources(const RadioSettings& settings) {
    const auto clock = front_end_choice(device_->listClockSources(), settings.clock_source, "clock_source");
    if (!clock) {
        return clock.error();
    }
    if (!clock->empty()) {
        device_->setClockSource(*clock);
    }
    const auto time = front_end_choice(device_->listTimeSources(), settings.time_source, "time_source");
    if (!time) {
        return time.error();
    }
    if (!time->empty()) {
        device_->setTimeSource(*time);
    }
    lock_sensors_ = lock_sensors(device_->listSensors(), *clock, *time);
    return Ok{};
}

void SoapyDevice::set_bandwidth(int direction, double hz) {
    const auto ranges = ranges_of(device_->getBandwidthRange(direction, 0));
    double best = 0.0;
    for (const RateRange& r : ranges) {
        const double here = std::clamp(hz, r.min_hz, r.max_hz);
        best = here >= hz && (best == 0.0 || here < best) ? here : best;
    }
    if (best > 0.0) {
        device_->setBandwidth(direction, 0, best);
    }
}

// The virtual radio says what it was made with.
std::size_t SoapyDevice::write_ahead(const Habit& habit) const {
    for (const SoapySDR::ArgInfo& setting : device_->getSettingInfo()) {
        if (setting.key == "in_flight") {
            return habit.write_multiple * std::stoul(device_->readSetting(setting.key));
        }
    }
    return habit.write_ahead;
}

Status SoapyDevice::configure(const phy::Profile& profile, const RadioSettings& settings) {
    const Habit& habit = habit_of(device_->getDriverKey() + " " + device_->getHardwareKey());
    traits_.name = device_->getDriverKey();
    traits_.transmits = device_->getNumChannels(SOAPY_SDR_TX) > 0;
    traits_.full_duplex = traits_.transmits && device_->getFullDuplex(SOAPY_SDR_RX, 0);
    traits_.timed = device_->hasHardwareTime() && (traits_.full_duplex || !traits_.transmits);
    traits_.write_multiple = habit.write_multiple;
    traits_.read_multiple = habit.read_multiple;
    const auto frequency = front_end_frequency(ranges_of(device_->getFrequencyRange(SOAPY_SDR_RX, 0)), settings);
    if (!frequency) {
        return frequency.error();
    }
    const auto both = [&](auto&& call) -> Status {
        auto rx = call(SOAPY_SDR_RX);
        return rx && traits_.transmits ? call(SOAPY_SDR_TX) : rx;
    };
    if (auto done = set_sources(settings); !done) {
        return done;
    }
    if (auto done = set_rate(profile, settings, habit.least_rate_hz); !done) {
        return done;
    }
    traits_.write_ahead = write_ahead(habit);
    const Duration ahead{std::llround(1e9 * static_cast<double>(traits_.write_ahead) / traits_.sample_rate_hz)};
    traits_.shortest_switch = habit.shortest_switch + ahead;
    traits_.switch_time = habit.switch_time + ahead;
    traits_.return_time = habit.switch_time;
    const double offset = front_end_offset(profile, settings, traits_.sample_rate_hz);
    traits_.rx_shift_hz = offset;
    // Sending, the oscillator's line is best inside our own empty carrier; a radio with one oscillator has no choice.
    traits_.tx_shift_hz = traits_.full_duplex ? 0.0 : offset;
    auto done = both(
        [&](int d) { return tune(d, *frequency - (d == SOAPY_SDR_RX ? traits_.rx_shift_hz : traits_.tx_shift_hz)); });
    if (done) {
        done = both([&](int d) { return set_gain(d, d == SOAPY_SDR_RX ? settings.rx_gain_db : settings.tx_gain_db); });
    }
    if (done) {
        done =
            both([&](int d) { return set_antenna(d, d == SOAPY_SDR_RX ? settings.rx_antenna : settings.tx_antenna); });
    }
    if (!done) {
        return done;
    }
    const double needed = 2.0 * offset + profile.occupied_bandwidth_hz();
    (void)both([&](int d) -> Status {
        set_bandwidth(d, settings.bandwidth_hz > 0.0 ? settings.bandwidth_hz : needed);
        return Ok{};
    });
    rx_ = device_->setupStream(SOAPY_SDR_RX, SOAPY_SDR_CF32, {0});
    if (traits_.transmits) {
        tx_ = device_->setupStream(SOAPY_SDR_TX, SOAPY_SDR_CF32, {0});
        mtu_ = std::max<std::size_t>(1, device_->getStreamMTU(tx_));
    }
    if (traits_.timed) {
        device_->setHardwareTime(0);
    }
    return Ok{};
}

// SoapySDR and its drivers write to the console; their lines belong into our log.
void log_like_ours() {
    SoapySDR::registerLogHandler([](const SoapySDRLogLevel level, const char* message) {
        if (level <= SOAPY_SDR_ERROR) {
            spdlog::debug("SoapySDR: {}", first_line(message));  // what failed is our own error too
        } else if (level <= SOAPY_SDR_WARNING) {
            spdlog::warn("SoapySDR: {}", first_line(message));
        }
    });
}

}  // namespace

Status check_soapy_radio(const std::string& rest) {
    if (rest.find("driver=") == std::string::npos) {
        return Error{ErrorCode::kInvalidArgument, "names no driver (SoapySDRUtil --find lists the radios there are)"};
    }
    return Ok{};
}

Result<std::unique_ptr<Radio>> open_soapy_radio(const std::string& rest, const phy::Profile& profile,
                                                const RadioSettings& settings) {
    log_like_ours();
    return open_front_end<SoapyDevice>(
        "soapy:" + rest, "SoapySDRUtil --find", [&rest] { return std::make_unique<SoapyDevice>(Sdr::make(rest)); },
        profile, settings);
}

}  // namespace meshnet::station
