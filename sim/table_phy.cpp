// SPDX-License-Identifier: MIT
#include "sim/table_phy.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <stdexcept>

#include "phy/frame.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::sim {

TablePhy::TablePhy(const phy::Profile& profile, double decade_db) : profile_(profile), decade_db_(decade_db) {
    if (!(decade_db > 0.0)) {
        throw std::invalid_argument("TablePhy: decade_db must be positive");
    }
    constexpr std::size_t kFew = phy::kMaxPayloadBytes / 8;
    for (std::size_t m = 0; m < phy::modes().size(); ++m) {
        const auto mode = static_cast<phy::ModeIndex>(m);
        const std::size_t samples =
            phy::frame_samples(profile, mode, phy::kMaxPayloadBytes) - phy::frame_samples(profile, mode, kFew);
        rate_bps_.push_back(8.0 * static_cast<double>(phy::kMaxPayloadBytes - kFew) * profile.sample_rate_hz /
                            static_cast<double>(samples));
    }
}

std::size_t TablePhy::mode_count() const {
    return rate_bps_.size();
}

Duration TablePhy::airtime(mac::ModeIndex mode, std::size_t bytes) const {
    const std::size_t carried = std::clamp<std::size_t>(bytes, 1, phy::kMaxPayloadBytes);
    return from_seconds(static_cast<double>(phy::frame_samples(profile_, mode, carried)) / profile_.sample_rate_hz);
}

std::size_t TablePhy::max_bytes() const {
    return phy::kMaxPayloadBytes;
}

float TablePhy::required_snr_db(mac::ModeIndex mode) const {
    assert(mode < rate_bps_.size());
    return phy::modes()[mode].required_snr_db;
}

double TablePhy::payload_rate_bps(mac::ModeIndex mode) const {
    assert(mode < rate_bps_.size());
    return rate_bps_[mode];
}

double TablePhy::curve(double excess_db) const {
    return std::min(1.0, 0.01 * std::pow(10.0, -excess_db / decade_db_));
}

double TablePhy::failure(mac::ModeIndex mode, std::size_t bytes, double sinr_db) const {
    const double per_kilobyte = curve(sinr_db - static_cast<double>(required_snr_db(mode)));
    return 1.0 - std::pow(1.0 - per_kilobyte, static_cast<double>(bytes) / 1000.0);
}

double TablePhy::miss(mac::ModeIndex mode, double sinr_db) const {
    return curve(sinr_db - static_cast<double>(required_snr_db(mode)) + 3.0);
}

}  // namespace meshnet::sim
