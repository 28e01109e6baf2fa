// SPDX-License-Identifier: MIT
// Relays that compete for the same traffic by price: where it goes and what each earns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace meshnet::sim {

struct PriceResult {
    struct Relay {
        std::string name;
        double earned_msat = 0.0;
        std::uint64_t bytes = 0;           ///< carried
        std::vector<std::uint32_t> price;  ///< each step, msat per MiB
        std::vector<double> share;         ///< of the bytes carried in each step
    };
    std::uint64_t seed = 0;
    double step_s = 10.0;
    std::vector<Relay> relays;
    double delivered = 0.0;   ///< share of the packets
    std::uint64_t moves = 0;  ///< flows opened by all sources beyond the first of each
    std::vector<std::string> violations;
};

/// "undercut": two relays, one a little cheaper than the other, whose price is fixed.
/// "load-price": both set their price by load. "cartel": two ask nine times what carrying is worth, and after half of
/// the time a newcomer asks the usual price. 900 s of six sources with equal links to all relays.
[[nodiscard]] PriceResult run_prices(const std::string& trial, std::uint64_t seed);

}  // namespace meshnet::sim
