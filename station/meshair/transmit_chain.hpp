// SPDX-License-Identifier: GPL-3.0-or-later
// From a device's samples to the air's: converter, gain, band.
//
//     samples -> limited and quantised -> gain -> BandConverter -> samples of the air at an exact index
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"
#include "sim/channel/impairments.hpp"
#include "station/meshair/channel_settings.hpp"

namespace meshnet::meshair {

class TransmitChain {
public:
    TransmitChain(const DeviceModel& model, const AirFacts& air);

    /// Takes effect at the next begin(); the gain at once.
    void set(const ChannelSettings& settings) { settings_ = settings; }
    [[nodiscard]] const ChannelSettings& settings() const noexcept { return settings_; }

    /// The air's index at which a signal from device sample `tick` on begins: some before it, as long as the filter is.
    [[nodiscard]] std::uint64_t first_index_of(std::uint64_t tick);
    /// The first device sample of a signal that begins on the air at `index` or later.
    [[nodiscard]] std::uint64_t first_tick_from(std::uint64_t index);

    void begin(std::uint64_t tick);
    /// Appends the air's samples that are complete. Any samples at all: not finite becomes 0.
    void process(std::span<const phy::Sample> samples, std::vector<phy::Sample>& out);
    /// Appends the rest of the signal.
    void end(std::vector<phy::Sample>& out) { converter_.flush(out); }
    /// Index of the next sample that process() appends; device sample that it takes next.
    [[nodiscard]] std::uint64_t next_index() const noexcept { return converter_.next_out(); }
    [[nodiscard]] std::uint64_t next_tick() const noexcept { return converter_.next_in(); }

private:
    void renew();  // the converter, if the settings ask for another

    const DeviceModel& model_;
    AirFacts air_;
    ChannelSettings settings_;
    BandConverter converter_;
    sim::Quantizer quantizer_;
    std::vector<phy::Sample> scaled_;
};

}  // namespace meshnet::meshair
