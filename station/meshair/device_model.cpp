// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/device_model.hpp"

#include <algorithm>

namespace meshnet::meshair {

namespace {

DeviceModel usrp() {
    DeviceModel m;
    m.name = "usrp";
    m.receive = {{{"PGA", 0.0, 76.0, 1.0, 0.0}}, 40.0, {"TX/RX", "RX2"}, 12};
    m.transmit = {{{"PGA", 0.0, 89.75, 0.25, 0.0}}, 89.75, {"TX/RX"}, 12};
    m.rates_hz = {200e3, 61.44e6};
    m.tuning_hz = {50e6, 6e9};
    m.bandwidths_hz = {200e3, 56e6};
    m.frequency_elements = {"RF", "BB"};
    m.sources = {"internal", "external", "gpsdo"};
    m.sensors = {"ref_locked", "lo_locked", "gps_locked"};
    m.has_time = true;
    m.mtu = 2040;
    return m;
}

DeviceModel hackrf() {
    DeviceModel m;
    m.name = "hackrf";
    m.receive = {{{"LNA", 0.0, 40.0, 8.0, 16.0}, {"AMP", 0.0, 14.0, 14.0, 0.0}, {"VGA", 0.0, 62.0, 2.0, 16.0}},
                 40.0,
                 {"TX/RX"},
                 8};
    m.transmit = {{{"VGA", 0.0, 47.0, 1.0, 0.0}, {"AMP", 0.0, 14.0, 14.0, 0.0}}, 61.0, {"TX/RX"}, 8};
    m.rates_hz = {2e6, 20e6};
    m.tuning_hz = {1e6, 7.25e9};
    m.filters_hz = {1.75e6, 2.5e6, 3.5e6, 5e6, 5.5e6, 6e6, 7e6, 8e6, 9e6, 10e6, 12e6, 14e6, 15e6, 20e6, 24e6, 28e6};
    m.bandwidths_hz = {m.filters_hz.front(), m.filters_hz.back()};
    m.frequency_elements = {"RF"};
    m.mtu = 131'072;
    m.receive_transfers = 15;
    m.transmit_transfers = 15;
    m.shortest_switch = 10ms;
    m.longest_switch = 33ms;
    m.image_gain_db = 0.3;
    m.image_phase_deg = 2.0;
    m.dc_offset = 0.02;
    return m;
}

const std::vector<DeviceModel>& models() {
    static const std::vector<DeviceModel> table{usrp(), hackrf()};
    return table;
}

}  // namespace

double DeviceModel::bandwidth_for(double wanted_hz) const noexcept {
    if (filters_hz.empty()) {
        return std::clamp(wanted_hz, bandwidths_hz.low, bandwidths_hz.high);
    }
    // libhackrf takes the narrowest filter that is not below what is asked for.
    const auto found = std::lower_bound(filters_hz.begin(), filters_hz.end(), wanted_hz);
    return found == filters_hz.end() ? filters_hz.back() : *found;
}

double DeviceModel::bandwidth_of_rate(double rate_hz) const noexcept {
    if (filters_hz.empty()) {
        return 0.0;
    }
    // libhackrf: the widest filter not above three quarters of the rate.
    const auto above = std::upper_bound(filters_hz.begin(), filters_hz.end(), 0.75 * rate_hz);
    return above == filters_hz.begin() ? filters_hz.front() : *(above - 1);
}

const DeviceModel* find_model(std::string_view name) noexcept {
    const auto found = std::find_if(models().begin(), models().end(), [&](const auto& m) { return m.name == name; });
    return found == models().end() ? nullptr : &*found;
}

std::string known_models() {
    std::string out;
    for (const DeviceModel& model : models()) {
        out += (out.empty() ? "" : ", ") + model.name;
    }
    return out;
}

}  // namespace meshnet::meshair
