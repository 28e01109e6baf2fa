// SPDX-License-Identifier: MIT
// A modem as a table, for tests of mac/: a rate, a required SNR and an overhead for each mode.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "mac/mac.hpp"

namespace meshnet::test {

class TablePhy final : public mac::PhyModel {
public:
    struct Row {
        double rate_bps;
        float required_db;
        Duration overhead;  ///< preamble and header
    };
    /// Ten modes like those of our modem in 1 MHz.
    TablePhy()
        : TablePhy({{0.21e6, -2.0F, 6ms},
                    {0.35e6, 0.5F, 2ms},
                    {0.525e6, 2.5F, 2ms},
                    {0.70e6, 4.5F, 2ms},
                    {0.77e6, 5.5F, 2ms},
                    {1.05e6, 8.0F, 2ms},
                    {1.40e6, 10.5F, 2ms},
                    {1.575e6, 12.0F, 2ms},
                    {2.10e6, 15.5F, 2ms},
                    {2.38e6, 17.5F, 2ms}},
                   24'576) {}
    /// The most robust mode first.
    TablePhy(std::vector<Row> rows, std::size_t max_bytes) : rows_(std::move(rows)), max_bytes_(max_bytes) {}

    [[nodiscard]] std::size_t mode_count() const override { return rows_.size(); }
    [[nodiscard]] Duration airtime(mac::ModeIndex mode, std::size_t bytes) const override {
        const Row& r = rows_.at(mode);
        return r.overhead + from_seconds(static_cast<double>(bytes) * 8.0 / r.rate_bps);
    }
    [[nodiscard]] std::size_t max_bytes() const override { return max_bytes_; }
    [[nodiscard]] float required_snr_db(mac::ModeIndex mode) const override { return rows_.at(mode).required_db; }
    [[nodiscard]] double payload_rate_bps(mac::ModeIndex mode) const override { return rows_.at(mode).rate_bps; }
    [[nodiscard]] Duration overhead(mac::ModeIndex mode) const { return rows_.at(mode).overhead; }

private:
    std::vector<Row> rows_;
    std::size_t max_bytes_;
};

}  // namespace meshnet::test
