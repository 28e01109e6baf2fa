// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio.hpp"

#include <array>
#include <cmath>
#include <complex>
#include <utility>

#include "core/names.hpp"
#include "station/radio/radio_air.hpp"
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
class InvertedRadio final : public Radio {
public:
    explicit InvertedRadio(std::unique_ptr<Radio> radio) : radio_(std::move(radio)) {}

    node::SampleRate sample_rate() const override { return radio_->sample_rate(); }
    int fd() const override { return radio_->fd(); }
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
    RadioCounters counters() const override { return radio_->counters(); }

private:
    static void conjugate(std::vector<phy::Sample>& samples) {
        for (auto& s : samples) {
            s = std::conj(s);
        }
    }
    std::unique_ptr<Radio> radio_;
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

Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile,
                                          const RadioSettings& settings) {
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
    if (settings.invert) {
        return std::unique_ptr<Radio>(std::make_unique<InvertedRadio>(std::move(radio).value()));
    }
    return radio;
}

}  // namespace meshnet::station
