// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/sdr_radio.hpp"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include <spdlog/spdlog.h>

#include "host/text.hpp"
#include "host/unique_fd.hpp"
#include "station/radio/sdr_stream.hpp"
#include "station/radio/timed_radio.hpp"
#include "station/radio/untimed_radio.hpp"

namespace meshnet::station {

namespace {

constexpr double kTail = 200e-6;  // zeros behind a burst: the device's interpolation filters

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

namespace {

// A radio whose buffers last too long at its rate would be late with every burst.
Status check_lead(const SdrTraits& t) {
    if (t.timed || !t.transmits) {
        return Ok{};
    }
    const auto ms = [](Duration d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); };
    const Duration lead = untimed_timing(t).lead;
    if (lead <= mac::RadioTiming::kMostLead) {
        return Ok{};
    }
    char line[200];
    std::snprintf(
        line, sizeof line,
        "at %.6g samples/s its buffers need bursts %lld ms ahead, and %lld ms are possible: raise sample_rate_hz",
        t.sample_rate_hz, static_cast<long long>(ms(lead)), static_cast<long long>(ms(mac::RadioTiming::kMostLead)));
    return Error{ErrorCode::kInvalidArgument, t.name + ": " + line};
}

}  // namespace

Result<std::unique_ptr<Radio>> run_device(std::unique_ptr<SdrDevice> device, const phy::Profile& profile,
                                          const RadioSettings& settings) {
    const SdrTraits traits = device->traits();
    if (auto possible = check_lead(traits); !possible) {
        return possible.error();
    }
    auto stream = ReceiveStream::create(traits.sample_rate_hz, profile.sample_rate_hz, traits.rx_shift_hz);
    if (!stream) {
        return stream.error();
    }
    const double front = settings.ramp_us * 1e-6 + settings.ptt_lead_ms * 1e-3;
    auto shaper = BurstShaper::create({traits.sample_rate_hz, profile.sample_rate_hz, traits.tx_shift_hz, front, kTail,
                                       traits.timed ? traits.write_multiple : 1});
    if (!shaper) {
        return shaper.error();
    }
    host::UniqueFd wake{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
    if (!wake) {
        return host::system_error("no eventfd", errno);
    }
    spdlog::info("{}", describe_device(traits, profile));
    if (auto started = device->start(); !started) {
        return started.error();
    }
    SdrParts parts{std::move(device),
                   node::SampleRate::from_hz(profile.sample_rate_hz),
                   settings,
                   std::move(stream).value(),
                   std::move(shaper).value(),
                   std::move(wake)};
    std::unique_ptr<SdrRadio> radio;
    if (traits.timed) {
        radio = std::make_unique<TimedRadio>(std::move(parts));
    } else {
        radio = std::make_unique<UntimedRadio>(std::move(parts));
    }
    radio->run();
    return std::unique_ptr<Radio>(std::move(radio));
}

}  // namespace meshnet::station
