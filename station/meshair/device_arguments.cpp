// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/device_arguments.hpp"

#include <charconv>

namespace meshnet::meshair {

namespace {

Error wrong(const std::string& sentence) {
    return {ErrorCode::kInvalidArgument, "meshair: " + sentence};
}

std::string value_of(const std::map<std::string, std::string>& arguments, const char* key) {
    const auto found = arguments.find(key);
    return found == arguments.end() ? std::string() : found->second;
}

}  // namespace

Result<DeviceArguments> DeviceArguments::parse(const std::map<std::string, std::string>& arguments) {
    DeviceArguments out;
    out.air = value_of(arguments, "air");
    if (out.air.empty()) {
        return wrong("the device arguments name no air; add air=/path/to/socket of a meshnet-air");
    }
    out.station = value_of(arguments, "station");
    if (out.station.empty()) {
        return wrong("the device arguments name no station; add station=NAME of one on the air at " + out.air);
    }
    const std::string model = value_of(arguments, "model");
    out.model = find_model(model.empty() ? "usrp" : model);
    if (out.model == nullptr) {
        return wrong("no model is called '" + model + "'; known: " + known_models());
    }
    const std::string seed = value_of(arguments, "seed");
    if (!seed.empty()) {
        const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), out.seed);
        if (error != std::errc{} || end != seed.data() + seed.size()) {
            return wrong("seed must be a whole number from 0 to 18446744073709551615, not '" + seed + "'");
        }
    }
    const std::string in_flight = value_of(arguments, "in_flight");
    if (!in_flight.empty()) {
        const auto [end, error] = std::from_chars(in_flight.data(), in_flight.data() + in_flight.size(), out.in_flight);
        if (error != std::errc{} || end != in_flight.data() + in_flight.size() || out.in_flight > kMostInFlight) {
            return wrong("in_flight must be a whole number from 0 to " + std::to_string(kMostInFlight) + ", not '" +
                         in_flight + "'");
        }
    }
    return out;
}

}  // namespace meshnet::meshair
