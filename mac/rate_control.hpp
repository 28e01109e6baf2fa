// SPDX-License-Identifier: MIT
// Which mode towards one neighbour: the fastest whose requirement its SNR report meets with a margin, the margin learnt
// from losses.
//
//     SNR reports, fragments sent and lost -> [RateControl] -> mode
//
// Losses that a more robust mode does not cure (interference, faults) are told apart: what is still lost with 3 dB to
// spare is a floor, and only loss beyond the floor raises the margin.
#pragma once

#include <cstddef>
#include <optional>

#include "mac/mac.hpp"

namespace meshnet::mac {

class RateControl {
public:
    /// `phy` must outlive this. `fixed`: always this mode.
    RateControl(const PhyModel& phy, double margin_db, std::optional<ModeIndex> fixed) noexcept
        : phy_(&phy), start_margin_db_(margin_db), margin_db_(margin_db), fixed_(fixed) {}

    /// The neighbour hears us at `snr_db`.
    void on_report(float snr_db) noexcept;
    /// Of `sent` fragments of one burst sent in `mode`, whose header was heard, `lost` were lost.
    void on_fate(ModeIndex mode, std::size_t sent, std::size_t lost) noexcept;
    /// A burst was not answered at all.
    void on_silence() noexcept;
    void on_answer() noexcept { silences_ = 0; }

    /// For data. The most robust before the first report.
    [[nodiscard]] ModeIndex data_mode() const noexcept { return mode_with(0.0); }
    /// For acknowledgements and grants: 2 dB more margin.
    [[nodiscard]] ModeIndex control_mode() const noexcept { return mode_with(2.0); }
    [[nodiscard]] bool known() const noexcept { return known_; }
    [[nodiscard]] float snr_db() const noexcept { return snr_db_; }  ///< smoothed report
    [[nodiscard]] double margin_db() const noexcept { return margin_db_; }
    [[nodiscard]] double loss() const noexcept { return loss_; }  ///< smoothed, 0..1

private:
    [[nodiscard]] ModeIndex mode_with(double extra_db) const noexcept;

    const PhyModel* phy_;
    double start_margin_db_;
    double margin_db_;
    std::optional<ModeIndex> fixed_;
    float snr_db_ = 0.0F;
    bool known_ = false;
    double loss_ = 0.0;
    double floor_ = 0.0;
    unsigned silences_ = 0;
};

}  // namespace meshnet::mac
