// SPDX-License-Identifier: MIT
// Which mode towards one neighbour: of those whose requirement its SNR report meets with a margin, the one of most
// expected goodput.
//
//     SNR reports, fragments sent and lost -> [RateControl] -> mode
//
// Loss is remembered by mode for a while. Loss that a more robust mode does not cure (interference, faults) leaves the
// mode alone; loss that it does cure means that the report is too good, and raises the margin, which sinks again
// slowly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mac/mac.hpp"

namespace meshnet::mac {

class RateControl {
public:
    /// `phy` must outlive this. `fixed`: always this mode.
    RateControl(const PhyModel& phy, double margin_db, std::optional<ModeIndex> fixed);

    /// The neighbour hears us at `snr_db`.
    void on_report(float snr_db);
    /// Until it reports: `snr_db` is likely to be less than that.
    void presume(float snr_db);
    /// Of `sent` fragments of one burst sent in `mode`, whose header was heard, `lost` were lost.
    void on_fate(ModeIndex mode, std::size_t sent, std::size_t lost);
    /// A burst was not answered at all.
    void on_silence();
    void on_answer();

    /// For data. The most robust before the first report.
    [[nodiscard]] ModeIndex data_mode() const noexcept { return data_mode_; }
    /// For acknowledgements and grants: 2 dB more margin.
    [[nodiscard]] ModeIndex control_mode() const noexcept { return control_mode_; }
    [[nodiscard]] bool known() const noexcept { return known_; }
    [[nodiscard]] float snr_db() const noexcept { return snr_db_; }  ///< smoothed report
    [[nodiscard]] double margin_db() const noexcept { return margin_db_; }
    [[nodiscard]] double loss() const noexcept { return loss_; }  ///< smoothed, 0..1

private:
    struct Memory {
        double loss = 0.0;
        double weight = 0.0;   // of what it rests on, in bursts of many fragments
        std::uint64_t at = 0;  // counted in fates; 0: nothing known
    };
    void choose();
    [[nodiscard]] bool fresh(const Memory& m) const noexcept;
    [[nodiscard]] bool reliable(const Memory& m) const noexcept;

    const PhyModel* phy_;
    double start_margin_db_;
    double margin_db_;
    std::optional<ModeIndex> fixed_;
    std::vector<Memory> memory_;
    std::uint64_t fates_ = 0;
    ModeIndex data_mode_ = 0;
    ModeIndex control_mode_ = 0;
    float snr_db_ = 0.0F;
    float last_report_db_ = 0.0F;
    bool known_ = false;
    bool presumed_ = false;
    double loss_ = 0.0;
    unsigned silences_ = 0;
};

}  // namespace meshnet::mac
