// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio.hpp"

#include <array>
#include <chrono>
#include <cmath>
#include <complex>
#include <utility>

#include <spdlog/spdlog.h>

#include "core/names.hpp"
#include "station/radio/guarded_radio.hpp"
#include "station/radio/radio_air.hpp"
#include "station/radio/radio_decorator.hpp"
#include "station/radio/radio_file.hpp"
#ifdef MESHNET_HAVE_SOAPY
#include "station/radio/radio_soapy.hpp"
#endif
#ifdef MESHNET_HAVE_UHD
#include "station/radio/radio_uhd.hpp"
#endif

namespace meshnet::station {

namespace {

constexpr std::array kDrivers{
    kAirDriver,
    kFileDriver,
#ifdef MESHNET_HAVE_UHD
    kUhdDriver,
#endif
#ifdef MESHNET_HAVE_SOAPY
    kSoapyDriver,
#endif
};

std::string devices() {
    std::string out = "; the devices are ";
    for (const RadioDriver& driver : kDrivers) {
        const bool last = &driver == &kDrivers.back();
        out += (&driver == kDrivers.data() ? "" : last ? " and " : ", ") + std::string(driver.form);
    }
    return out;
}

struct Device {
    const RadioDriver* driver = nullptr;
    std::string rest;
};

Result<Device> parse_device(const std::string& text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos) {
        return Error{ErrorCode::kInvalidArgument, quoted(text) + " names no kind of device" + devices()};
    }
    for (const RadioDriver& driver : kDrivers) {
        if (text.substr(0, colon) != driver.scheme) {
            continue;
        }
        Device device{&driver, text.substr(colon + 1)};
        if (auto right = driver.check(device.rest); !right) {
            return Error{right.error().code, quoted(text) + " " + right.error().message + devices()};
        }
        return device;
    }
    return Error{ErrorCode::kUnsupported,
                 "this build has no kind of device " + quoted(text.substr(0, colon + 1)) + devices()};
}

/// A radio behind an inverting converter, or with I and Q swapped: the conjugate both ways.
class InvertedRadio final : public RadioDecorator {
public:
    using RadioDecorator::RadioDecorator;

    Result<Reception> receive() override {
        auto got = radio_->receive();
        if (got) {
            conjugate(got->samples);
        }
        return got;
    }
    Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override {
        std::vector<phy::Sample> inverted(burst.begin(), burst.end());
        conjugate(inverted);
        return radio_->transmit(id, at, inverted);
    }

private:
    static void conjugate(std::vector<phy::Sample>& samples) {
        for (auto& s : samples) {
            s = std::conj(s);
        }
    }
};

}  // namespace

std::span<const RadioDriver> radio_drivers() {
    return kDrivers;
}

std::string radio_help() {
    std::string out;
    for (const RadioDriver& driver : kDrivers) {
        out += (out.empty() ? "" : "\n") + std::string(driver.form) + "  " + std::string(driver.help);
    }
    return out;
}

Status check_device(const std::string& device) {
    auto parsed = parse_device(device);
    if (!parsed) {
        return parsed.error();
    }
    return Ok{};
}

bool reaches_antenna(const std::string& device) {
    const auto parsed = parse_device(device);
    return parsed && parsed->driver->on_air;
}

namespace {

std::unique_ptr<Radio> guard_radio(std::unique_ptr<Radio> radio, std::shared_ptr<TransmitGuard> guard) {
    GuardedRadio::Hooks hooks;
    hooks.clock = [] {
        return Instant{std::chrono::duration_cast<Duration>(std::chrono::system_clock::now().time_since_epoch())};
    };
    hooks.say = [](const std::string& line) { spdlog::warn("transmit guard: {}", line); };
    return std::make_unique<GuardedRadio>(std::move(radio), std::move(guard), std::move(hooks));
}

}  // namespace

Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile,
                                          const RadioSettings& settings, std::shared_ptr<TransmitGuard> guard) {
    auto parsed = parse_device(device);
    if (!parsed) {
        return parsed.error();
    }
    auto radio = parsed->driver->open(parsed->rest, profile, settings);
    if (!radio) {
        return radio.error();
    }
    const double rate = (*radio)->sample_rate().hz();
    if (std::abs(rate - profile.sample_rate_hz) > 1e-3 * profile.sample_rate_hz) {
        return Error{ErrorCode::kInvalidArgument, device + " runs at " + std::to_string(rate) +
                                                      " samples/s, but profile " + std::string(profile.name) +
                                                      " needs " + std::to_string(profile.sample_rate_hz)};
    }
    if (parsed->driver->on_air) {
        if (!guard) {
            guard = std::make_shared<TransmitGuard>("nothing was said of where and on what right this radio may send");
        }
        radio = guard_radio(std::move(radio).value(), std::move(guard));
    }
    if (settings.invert) {
        return std::unique_ptr<Radio>(std::make_unique<InvertedRadio>(std::move(radio).value()));
    }
    return radio;
}

}  // namespace meshnet::station
