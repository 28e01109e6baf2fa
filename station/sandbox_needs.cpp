// SPDX-License-Identifier: GPL-3.0-or-later
#include <filesystem>
#include <string_view>

#include "station/config.hpp"
#include "station/radio/radio.hpp"
#include "station/sandbox.hpp"

namespace meshnet::station {

namespace {

/// The folder a file is made in.
std::string folder_of(const std::string& path) {
    const auto folder = std::filesystem::path(path).parent_path();
    return folder.empty() ? "." : folder.string();
}

/// A file or socket that a device names: `air:SOCKET#...`, `file:PATH,...`, or a virtual radio's `air=SOCKET`.
SandboxNeeds::Place place_of(std::string_view device) {
    const auto until = [&device](std::size_t begin, std::string_view ends) {
        return std::string(device.substr(begin, device.find_first_of(ends, begin) - begin));
    };
    if (device.starts_with("air:")) {
        return {std::string(device.substr(4, device.rfind('#') - 4)), true};
    }
    if (device.starts_with("file:")) {
        return {until(5, ","), false};
    }
    if (const auto air = device.find("air="); air != std::string_view::npos) {
        return {until(air + 4, ","), true};
    }
    return {};
}

}  // namespace

SandboxNeeds sandbox_needs(const Config& config, const std::string& recording) {
    SandboxNeeds needs;
    needs.user = config.user;
    needs.net_admin = config.tun_enabled;
    needs.realtime = reaches_antenna(config.device);
    for (const auto* made : {&config.key_file, &config.ledger_file, &config.control_socket, &recording}) {
        if (!made->empty()) {
            needs.places.push_back({folder_of(*made), true});
        }
    }
    if (needs.realtime && !config.transmit.air_time_file.empty()) {
        needs.places.push_back({folder_of(config.transmit.air_time_file), true});
    }
    for (const auto* read : {&config.transmit.inhibit_file, &config.transmit.inhibit_gpio}) {
        if (!read->empty()) {
            needs.places.push_back({*read, false});
            needs.places.push_back({folder_of(*read), false});
        }
    }
    for (const auto* kept : {&config.ledger_file, &config.transmit.air_time_file}) {
        if (!kept->empty()) {
            needs.places.push_back({*kept, true});
        }
    }
    needs.places.push_back({config.key_file, false});
    if (auto place = place_of(config.device); !place.path.empty()) {
        needs.places.push_back(std::move(place));
    }
    return needs;
}

}  // namespace meshnet::station
