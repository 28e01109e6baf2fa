// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/radio/radio.hpp"

#include <cmath>

#include "station/radio/radio_air.hpp"
#include "station/radio/radio_file.hpp"

namespace meshnet::station {

Result<DeviceSpec> parse_device(const std::string& text) {
    static const std::string kDevices = "; the devices are air:SOCKET#STATION and file:RECORD.cf32";
    const std::size_t colon = text.find(':');
    const std::string scheme = text.substr(0, colon);
    if (colon == std::string::npos) {
        return Error{"\"" + text + "\" names no kind of device" + kDevices};
    }
    DeviceSpec spec;
    spec.path = text.substr(colon + 1);
    if (scheme == "air") {
        spec.kind = DeviceSpec::Kind::kAir;
        const std::size_t hash = spec.path.rfind('#');
        if (hash == std::string::npos || hash + 1 == spec.path.size()) {
            return Error{"\"" + text + "\" does not say which station; write air:SOCKET#STATION"};
        }
        spec.station = spec.path.substr(hash + 1);
        spec.path.resize(hash);
    } else if (scheme == "file") {
        spec.kind = DeviceSpec::Kind::kFile;
    } else if (scheme == "uhd" || scheme == "soapy") {
        return Error{"\"" + scheme + ":\" is not in this build" + kDevices};
    } else {
        return Error{"no kind of device \"" + scheme + ":\"" + kDevices};
    }
    if (spec.path.empty()) {
        return Error{"\"" + text + "\" names no file" + kDevices};
    }
    return spec;
}

Result<std::unique_ptr<Radio>> open_radio(const std::string& device, const phy::Profile& profile) {
    auto spec = parse_device(device);
    if (!spec) {
        return spec.error();
    }
    auto radio = spec->kind == DeviceSpec::Kind::kAir
                     ? open_air_radio(spec->path, spec->station)
                     : open_file_radio(spec->path, node::SampleRate::from_hz(profile.sample_rate_hz));
    if (!radio) {
        return radio.error();
    }
    const double rate = (*radio)->sample_rate().hz();
    if (std::abs(rate - profile.sample_rate_hz) > 1e-3 * profile.sample_rate_hz) {
        return Error{device + " runs at " + std::to_string(rate) + " samples/s, but profile " +
                     std::string(profile.name) + " needs " + std::to_string(profile.sample_rate_hz)};
    }
    return radio;
}

}  // namespace meshnet::station
