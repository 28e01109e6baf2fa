// SPDX-License-Identifier: MIT
#include "sim/table_phy.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace meshnet::sim {

TablePhy::TablePhy(const phy::Profile& profile, double decade_db) : TablePhy(profile, decade_db, 0, SIZE_MAX) {}

TablePhy::TablePhy(const phy::Profile& profile, double decade_db, phy::ModeIndex first, std::size_t modes)
    : PhyModel(profile, node::SampleRate::from_hz(profile.sample_rate_hz), first),
      decade_db_(decade_db),
      modes_(modes) {
    if (!(decade_db > 0.0)) {
        throw std::invalid_argument("TablePhy: decade_db must be positive");
    }
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
