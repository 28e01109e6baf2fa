// SPDX-License-Identifier: MIT
// How an operator sets the price of his relay: fixed, by load above a floor, or below the best rival down to a floor.
//
// Pure: what was carried and what rivals ask goes in, the price comes out. Steps are small and at most every so often,
// because a change costs an update to everybody and flows that move. Spec: docs/decisions/0021-prices.md.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.hpp"

namespace meshnet::net {

class PricePolicy {
public:
    enum class Kind : std::uint8_t {
        kFixed,
        kLoad,      ///< rises while the links are busier than `target`, falls while they are idler
        kUndercut,  ///< a little below the best rival, never below the floor
    };
    struct Config {
        Kind kind = Kind::kFixed;
        std::uint32_t price = 1'000;  ///< at first, msat per MiB
        std::uint32_t floor = 100;    ///< below it carrying does not pay
        std::uint32_t ceiling = 10'000;
        double target = 0.6;   ///< share of the link's rate in use, (0, 1)
        Duration every = 30s;  ///< between changes: routes hold a choice so long
    };

    /// Throws std::invalid_argument, naming the field, if `config` is out of range.
    explicit PricePolicy(const Config& config);
    [[nodiscard]] std::uint32_t price() const noexcept { return price_; }
    /// `load`: share of the rate in use since the last call, 0..1; `rival`: the least that another relay asks for the
    /// same way, if there is one. The new price, if it is to change now.
    [[nodiscard]] std::optional<std::uint32_t> update(Instant now, double load, std::optional<std::uint32_t> rival);

private:
    Config config_;
    std::uint32_t price_;
    std::optional<Instant> changed_at_;
};

}  // namespace meshnet::net
