// SPDX-License-Identifier: MIT
#include "phy/estimation/pilot_record.hpp"

#include <algorithm>
#include <numbers>

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {

void PilotRecord::clear() noexcept {
    rows_.clear();
    values_.clear();
}

std::size_t PilotRecord::count(const Row& row) const noexcept {
    return row.pattern == kTraining ? grid_.carriers()
                                    : grid_.pilots(row.number, row.pattern >= Grid::kPilotPeriod).size();
}

void PilotRecord::add_training(std::span<const Sample> response, double symbol, double weight) {
    rows_.push_back({symbol, weight, values_.size(), kTraining, 0});
    values_.insert(values_.end(), response.begin(), response.end());
}

void PilotRecord::add_pilots(std::span<const Sample> carriers, std::size_t symbol, bool dense, double time) {
    rows_.push_back({static_cast<double>(symbol), 1.0, values_.size(),
                     symbol % Grid::kPilotPeriod + (dense ? Grid::kPilotPeriod : 0), symbol});
    const double per_carrier = 2.0 * std::numbers::pi / static_cast<double>(grid_.profile().fft_size);
    CarrierRotation back(0.0, per_carrier * time);
    for (const std::uint16_t c : grid_.pilots(symbol, dense)) {
        values_.push_back(carriers[c] * back.at(grid_.subcarrier(c)) * grid_.pilot(symbol, c));
    }
}

void PilotRecord::drop_before(double symbol) {
    const auto keep = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.symbol >= symbol; });
    const std::size_t first = keep == rows_.end() ? values_.size() : keep->first;
    rows_.erase(rows_.begin(), keep);
    values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(first));
    for (auto& row : rows_) {
        row.first -= first;
    }
}

void PilotRecord::drop_after(double symbol) {
    while (!rows_.empty() && rows_.back().symbol > symbol) {
        values_.resize(rows_.back().first);
        rows_.pop_back();
    }
}

}  // namespace meshnet::phy
