// SPDX-License-Identifier: GPL-3.0-or-later
// Makes `driver=meshair` known to SoapySDR. Where no air is named there is nothing to find: the module is silent among
// other drivers.
#include <SoapySDR/Logger.hpp>
#include <SoapySDR/Registry.hpp>
#include <cstdio>
#include <stdexcept>

#include "sim/air_socket.hpp"
#include "station/meshair/meshair_device.hpp"

namespace meshnet::meshair {

namespace {

std::string value_of(const SoapySDR::Kwargs& args, const char* key) {
    const auto found = args.find(key);
    return found == args.end() ? std::string() : found->second;
}

SoapySDR::KwargsList find_meshair(const SoapySDR::Kwargs& args) {
    SoapySDR::KwargsList out;
    const std::string air = value_of(args, "air");
    if (air.empty()) {
        return out;
    }
    const auto listing = sim::AirClient::list(air);
    if (!listing) {
        SoapySDR::log(SOAPY_SDR_ERROR, "meshair: " + listing.error().message);
        return out;
    }
    const std::string station = value_of(args, "station");
    const std::string model = value_of(args, "model");
    for (const auto& about : listing->stations) {
        if (!station.empty() && station != about.name) {
            continue;
        }
        char band[96];
        std::snprintf(band, sizeof band, "%.6g MHz, %.6g Msample/s", listing->carrier_hz * 1e-6,
                      listing->sample_rate_hz * 1e-6);
        // The same for one device at all times: by it SoapySDR knows that a source and a sink of one program share it.
        SoapySDR::Kwargs found{{"air", air},
                               {"station", about.name},
                               {"model", model.empty() ? "usrp" : model},
                               {"serial", about.name},
                               {"label", "meshair " + about.name + " (" + band + ")"}};
        out.push_back(std::move(found));
    }
    return out;
}

SoapySDR::Device* make_meshair(const SoapySDR::Kwargs& args) {
    const auto arguments = DeviceArguments::parse(args);
    if (!arguments) {
        throw std::runtime_error(arguments.error().message);
    }
    auto radio = VirtualRadio::open(*arguments);
    if (!radio) {
        throw std::runtime_error(radio.error().message);
    }
    return new MeshairDevice(std::move(radio).value());
}

const SoapySDR::Registry registration("meshair", &find_meshair, &make_meshair, SOAPY_SDR_ABI_VERSION);

}  // namespace

}  // namespace meshnet::meshair
