// SPDX-License-Identifier: GPL-3.0-or-later
// What the MAC must know of the modem, asked of the modem itself.
#pragma once

#include <cstddef>
#include <vector>

#include "mac/mac.hpp"
#include "phy/profile.hpp"
#include "station/sample_clock.hpp"

namespace meshnet::station {

/// mac::PhyModel over phy::frame_samples() and phy::modes(). Air times are on the radio's clock.
class PhyModel final : public mac::PhyModel {
public:
    PhyModel(const phy::Profile& profile, SampleRate rate);

    [[nodiscard]] std::size_t mode_count() const override;
    [[nodiscard]] Duration airtime(mac::ModeIndex mode, std::size_t bytes) const override;
    [[nodiscard]] std::size_t max_bytes() const override;
    [[nodiscard]] float required_snr_db(mac::ModeIndex mode) const override;
    [[nodiscard]] double payload_rate_bps(mac::ModeIndex mode) const override;

private:
    const phy::Profile& profile_;
    SampleClock clock_;
    std::vector<double> rate_bps_;  // by mode
};

}  // namespace meshnet::station
