// SPDX-License-Identifier: MIT
#include "mac/rate_control.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::mac {
namespace {
constexpr double kLeastMargin = -1.0;  // dB: the table of the modem may be that pessimistic
constexpr double kMostMargin = 8.0;
constexpr double kAcceptedLoss = 0.05;
constexpr double kHeadroom = 3.0;  // dB to spare, at which loss is not the mode's fault
}  // namespace

void RateControl::on_report(float snr_db) noexcept {
    if (!std::isfinite(snr_db)) {
        return;
    }
    if (!known_) {
        known_ = true;
        snr_db_ = snr_db;
        return;
    }
    // Down at once by half, up by an eighth: a mode too fast costs more than one too slow.
    snr_db_ += (snr_db - snr_db_) * (snr_db < snr_db_ ? 0.5F : 0.125F);
}

void RateControl::on_fate(ModeIndex mode, std::size_t sent, std::size_t lost) noexcept {
    if (sent == 0) {
        return;
    }
    const double share = static_cast<double>(lost) / static_cast<double>(sent);
    // A burst of few fragments says little.
    const double weight = std::min(1.0, static_cast<double>(sent) / 16.0);
    loss_ += (share - loss_) * 0.2 * weight;
    const double spare = static_cast<double>(snr_db_) - static_cast<double>(phy_->required_snr_db(mode));
    if (spare >= kHeadroom) {
        floor_ += (share - floor_) * 0.1 * weight;
    }
    const double excess = share - floor_ - kAcceptedLoss;
    margin_db_ += weight * (excess > 0.0 ? std::min(0.8, 2.0 * excess) : -0.03);
    margin_db_ = std::clamp(margin_db_, kLeastMargin, kMostMargin);
}

void RateControl::on_silence() noexcept {
    // One burst unheard is mostly a collision; three in a row say that the report no longer holds.
    if (++silences_ >= 3) {
        margin_db_ = std::min(kMostMargin, std::max(margin_db_, start_margin_db_) + 1.0);
    }
    loss_ += (1.0 - loss_) * 0.05;
}

ModeIndex RateControl::mode_with(double extra_db) const noexcept {
    if (fixed_) {
        return *fixed_;
    }
    ModeIndex best = 0;
    if (!known_) {
        return best;
    }
    for (std::size_t i = 1; i < phy_->mode_count(); ++i) {
        const auto mode = static_cast<ModeIndex>(i);
        if (static_cast<double>(phy_->required_snr_db(mode)) + margin_db_ + extra_db <= static_cast<double>(snr_db_) &&
            phy_->payload_rate_bps(mode) > phy_->payload_rate_bps(best)) {
            best = mode;
        }
    }
    return best;
}

}  // namespace meshnet::mac
