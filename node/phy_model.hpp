// SPDX-License-Identifier: MIT
// What the MAC must know of the modem, read from the modem's own tables.
#pragma once

#include <cstddef>
#include <vector>

#include "mac/mac.hpp"
#include "node/sample_clock.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::node {

/// The most robust mode whose preamble is not longer than `longest`. Modes before it are not used; the MAC counts from
/// it.
[[nodiscard]] phy::ModeIndex first_mode(phy::PreambleClass longest) noexcept;

/// mac::PhyModel over phy::frame_samples() and phy::modes(), from mode `first` on: the MAC's mode m is the modem's
/// first + m. Air times are on the radio's clock.
class PhyModel : public mac::PhyModel {
public:
    PhyModel(const phy::Profile& profile, SampleRate rate, phy::ModeIndex first);

    [[nodiscard]] std::size_t mode_count() const override;
    [[nodiscard]] Duration airtime(mac::ModeIndex mode, std::size_t bytes) const override;
    [[nodiscard]] std::size_t max_bytes() const override;
    [[nodiscard]] float required_snr_db(mac::ModeIndex mode) const override;
    [[nodiscard]] double payload_rate_bps(mac::ModeIndex mode) const override;

private:
    const phy::Profile& profile_;
    SampleClock clock_;
    phy::ModeIndex first_;
    std::vector<double> rate_bps_;  // by mode
};

}  // namespace meshnet::node
