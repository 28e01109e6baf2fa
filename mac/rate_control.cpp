// SPDX-License-Identifier: MIT
#include "mac/rate_control.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::mac {
namespace {
constexpr double kSpread = 2.5;  // dB the margin may sink below its start: the table of the modem may be pessimistic
constexpr double kMostMargin = 8.0;        // dB
constexpr double kControlMargin = 2.0;     // dB, more than data
constexpr std::uint64_t kRemembered = 64;  // fates
constexpr double kEnoughSamples = 4.0;
constexpr double kCured = 0.1;
constexpr double kBad = 0.3;  // loss that is worth a more robust mode if that cures it
}  // namespace

RateControl::RateControl(const PhyModel& phy, double margin_db, std::optional<ModeIndex> fixed)
    : phy_(&phy), start_margin_db_(margin_db), margin_db_(margin_db), fixed_(fixed), memory_(phy.mode_count()) {
    choose();
}

void RateControl::on_report(float snr_db) {
    if (!std::isfinite(snr_db)) {
        return;
    }
    last_report_db_ = snr_db;
    // Down at once by half, up by an eighth: a mode too fast costs more than one too slow.
    snr_db_ = known_ ? snr_db_ + (snr_db - snr_db_) * (snr_db < snr_db_ ? 0.5F : 0.125F) : snr_db;
    known_ = true;
    choose();
}

void RateControl::presume(float snr_db) {
    if (!known_ && std::isfinite(snr_db)) {
        snr_db_ = snr_db;
        presumed_ = true;
        choose();
    }
}

bool RateControl::fresh(const Memory& m) const noexcept {
    return m.at != 0 && fates_ - m.at < kRemembered;
}

bool RateControl::reliable(const Memory& m) const noexcept {
    return fresh(m) && m.weight >= kEnoughSamples;
}

void RateControl::on_fate(ModeIndex mode, std::size_t sent, std::size_t lost) {
    if (sent == 0 || mode >= memory_.size()) {
        return;
    }
    ++fates_;
    const double share = static_cast<double>(lost) / static_cast<double>(sent);
    // A burst of few fragments is weak evidence.
    const double weight = std::min(1.0, static_cast<double>(sent) / 8.0);
    loss_ += (share - loss_) * 0.2 * weight;
    Memory& here = memory_[mode];
    if (!fresh(here)) {
        here = Memory{};
    }
    here.weight += weight;
    here.loss += (share - here.loss) * std::max(0.15 * weight, weight / here.weight);
    here.at = fates_;
    margin_db_ = std::max(start_margin_db_ - kSpread, margin_db_ - (share < 0.02 ? 0.04 : 0.01) * weight);
    // A faster mode lost much and this one does not: the report promised what it could not keep.
    for (std::size_t i = mode + std::size_t{1}; i < memory_.size(); ++i) {
        Memory& faster = memory_[i];
        if (reliable(here) && reliable(faster) && faster.loss > kBad && here.loss < kCured) {
            const double needed = static_cast<double>(last_report_db_) -
                                  static_cast<double>(phy_->required_snr_db(static_cast<ModeIndex>(i))) + 0.5;
            margin_db_ = std::min({std::max(margin_db_, needed), margin_db_ + 1.0, kMostMargin});
            faster.at = 0;
        }
    }
    choose();
}

void RateControl::on_silence() {
    // One burst unheard is mostly a collision; more in a row mean that the report no longer holds: 3 dB off for each,
    // until we hear again.
    ++silences_;
    loss_ += (1.0 - loss_) * 0.05;
    choose();
}

void RateControl::on_answer() {
    silences_ = 0;
    choose();
}

void RateControl::choose() {
    data_mode_ = control_mode_ = fixed_.value_or(0);
    if (fixed_ || !(known_ || presumed_)) {
        return;
    }
    const auto goodput = [&](std::size_t i) {
        // What is known of little weighs little against the hope that it was chance.
        const Memory& m = memory_[i];
        const double loss = fresh(m) ? m.loss * m.weight / (m.weight + 0.5) : 0.0;
        return phy_->payload_rate_bps(static_cast<ModeIndex>(i)) * (1.0 - std::min(loss, 0.99));
    };
    const double fallback = silences_ > 1 ? std::min(30.0, 3.0 * (silences_ - 1)) : 0.0;
    double best_rate = phy_->payload_rate_bps(0);
    for (std::size_t i = 1; i < memory_.size(); ++i) {
        const auto mode = static_cast<ModeIndex>(i);
        const double spare =
            static_cast<double>(snr_db_) - static_cast<double>(phy_->required_snr_db(mode)) - margin_db_ - fallback;
        if (spare >= 0.0 && goodput(i) > goodput(data_mode_)) {
            data_mode_ = mode;
        }
        if (spare >= kControlMargin && phy_->payload_rate_bps(mode) > best_rate) {
            best_rate = phy_->payload_rate_bps(mode);
            control_mode_ = mode;
        }
    }
}

}  // namespace meshnet::mac
