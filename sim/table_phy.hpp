// SPDX-License-Identifier: MIT
// The modem as a table: how long a frame lasts and how likely its blocks fail, for worlds that have no samples.
//
// Air times are those of the real modem (node::PhyModel). The error curve is a straight line in log scale through
// the point the mode table states: 1000 bytes are lost with probability 1e-2 at required_snr_db, ten times more rarely
// `decade_db` above.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "mac/mac.hpp"
#include "node/phy_model.hpp"
#include "phy/profile.hpp"

namespace meshnet::sim {

class TablePhy final : public node::PhyModel {
public:
    /// Payload bytes with a CRC of their own.
    static constexpr std::size_t kBlockBytes = 1'000;

    /// Every mode of the profile, at its nominal rate. `profile` must outlive this. `decade_db` > 0: steepness of the
    /// error curve, dB per factor of ten.
    explicit TablePhy(const phy::Profile& profile, double decade_db = 0.5);
    /// The same with `modes` modes from `first` on, as a station whose preambles or rate are limited.
    TablePhy(const phy::Profile& profile, double decade_db, phy::ModeIndex first, std::size_t modes);

    [[nodiscard]] std::size_t mode_count() const override { return std::min(PhyModel::mode_count(), modes_); }

    /// Probability that a stretch of `bytes` of payload fails at `sinr_db`, 0..1.
    [[nodiscard]] double failure(mac::ModeIndex mode, std::size_t bytes, double sinr_db) const;
    /// Probability that preamble or header is missed: the header is 3 dB stronger than what it announces
    /// (docs/spec/phy.md).
    [[nodiscard]] double miss(mac::ModeIndex mode, double sinr_db) const;

private:
    [[nodiscard]] double curve(double excess_db) const;

    double decade_db_;
    std::size_t modes_ = SIZE_MAX;
};

}  // namespace meshnet::sim
