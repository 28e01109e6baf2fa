// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/transmit_chain.hpp"

#include <cmath>

namespace meshnet::meshair {

TransmitChain::TransmitChain(const DeviceModel& model, const AirFacts& air)
    : model_(model),
      air_(air),
      converter_(settings_.band(Direction::kTransmit, air)),
      quantizer_(model.transmit.converter_bits, 1.0) {}

void TransmitChain::renew() {
    const BandConverter::Band band = settings_.band(Direction::kTransmit, air_);
    if (band != converter_.band()) {
        converter_ = BandConverter(band);
    }
}

std::uint64_t TransmitChain::first_index_of(std::uint64_t tick) {
    renew();
    return converter_.first_reached_by(tick);
}

std::uint64_t TransmitChain::first_tick_from(std::uint64_t index) {
    renew();
    std::uint64_t tick = settings_.ratio.tick_at(index);
    while (converter_.first_reached_by(tick) < index) {
        tick += settings_.ratio.tick_at(index - converter_.first_reached_by(tick));
    }
    return tick;
}

void TransmitChain::begin(std::uint64_t tick) {
    renew();
    converter_.start(tick, converter_.first_reached_by(tick));
}

void TransmitChain::process(std::span<const phy::Sample> samples, std::vector<phy::Sample>& out) {
    scaled_.assign(samples.begin(), samples.end());
    for (phy::Sample& s : scaled_) {
        if (!std::isfinite(s.real()) || !std::isfinite(s.imag())) {
            s = {};
        }
    }
    quantizer_.process(scaled_);
    const auto gain = static_cast<float>(std::pow(10.0, (settings_.gain_db - model_.transmit.nominal_gain_db) / 20.0));
    for (phy::Sample& s : scaled_) {
        s *= gain;
    }
    converter_.process(scaled_, out);
}

}  // namespace meshnet::meshair
