// SPDX-License-Identifier: MIT
#include "node/phy_model.hpp"

#include <algorithm>
#include "phy/frame.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::node {

phy::ModeIndex first_mode(phy::PreambleClass longest) noexcept {
    const auto all = phy::modes();
    for (std::size_t m = 0; m < all.size(); ++m) {
        if (all[m].preamble <= longest) {
            return static_cast<phy::ModeIndex>(m);
        }
    }
    return static_cast<phy::ModeIndex>(all.size() - 1);
}

PhyModel::PhyModel(const phy::Profile& profile, SampleRate rate, phy::ModeIndex first)
    : profile_(profile), clock_(rate), first_(first) {
    // The slope of length over payload is the rate of the payload symbols alone.
    constexpr std::size_t kFew = phy::kMaxPayloadBytes / 8;
    for (std::size_t m = first; m < phy::modes().size(); ++m) {
        const auto mode = static_cast<phy::ModeIndex>(m);
        const std::size_t samples =
            phy::frame_samples(profile, mode, phy::kMaxPayloadBytes) - phy::frame_samples(profile, mode, kFew);
        const double seconds = static_cast<double>(samples) / rate.hz();
        rate_bps_.push_back(8.0 * static_cast<double>(phy::kMaxPayloadBytes - kFew) / seconds);
    }
}

std::size_t PhyModel::mode_count() const {
    return rate_bps_.size();
}

Duration PhyModel::airtime(mac::ModeIndex mode, std::size_t bytes) const {
    const std::size_t carried = std::clamp<std::size_t>(bytes, 1, phy::kMaxPayloadBytes);
    return clock_.duration_of(phy::frame_samples(profile_, static_cast<phy::ModeIndex>(first_ + mode), carried));
}

std::size_t PhyModel::max_bytes() const {
    return phy::kMaxPayloadBytes;
}

float PhyModel::required_snr_db(mac::ModeIndex mode) const {
    return phy::modes()[std::size_t{first_} + mode].required_snr_db;
}

double PhyModel::payload_rate_bps(mac::ModeIndex mode) const {
    return rate_bps_[mode];
}

}  // namespace meshnet::node
