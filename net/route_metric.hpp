// SPDX-License-Identifier: MIT
// What a route costs, as one value: extended link by link, weighed, compared, written to UPDATE messages.
//
// A new component stands here and in docs/spec/net.md, "Routing", and nowhere else. Airtime alone is the metric of the
// feasibility condition (RFC 8966, 3.5.1); the others only choose among feasible routes.
#pragma once

#include <cstdint>
#include <optional>

#include "core/bytes.hpp"
#include "net/link.hpp"

namespace meshnet::net {

/// Airtime of a destination that cannot be reached: a retraction (RFC 8966, 3.5.5).
inline constexpr std::uint32_t kUnreachable = 0xFFFF'FFFF;

/// What one link adds.
struct LinkMetric {
    std::uint32_t airtime_us_per_kib = 1;  ///< at least 1, so that every hop costs something
    std::uint16_t delay_ms = 0;            ///< one way

    /// Of a link as measured: airtime of a KiB in whole us, at least 1 whatever the link layer says; half the round
    /// trip.
    [[nodiscard]] static LinkMetric measured(const LinkQuality& quality) noexcept;
    /// Takes what is notably new in `now`: airtime beyond 20 %, a delay beyond 20 % and 5 ms. True: routes over it must
    /// be weighed anew.
    [[nodiscard]] bool follow(const LinkMetric& now) noexcept;
};

/// The metric of a link from what the link layer reports of it, steady enough so that price decides among equal links:
/// the airtime of its mode, and of its loss only what lasts and is more than collisions with control traffic make.
class LinkEstimate {
public:
    LinkEstimate() = default;
    LinkEstimate(Instant now, const LinkQuality& quality);
    /// The link layer has measured anew. True: the metric has changed.
    [[nodiscard]] bool update(Instant now, const LinkQuality& quality);
    /// Loss that lasts counts more and more. True: the metric has changed.
    [[nodiscard]] bool settle(Instant now);
    /// When settle() will find something; nothing while the loss is steady.
    [[nodiscard]] std::optional<Instant> next_settle() const noexcept { return settle_at_; }
    [[nodiscard]] const LinkMetric& metric() const noexcept { return metric_; }
    /// What the link carries, retransmissions included, bytes/s.
    [[nodiscard]] double bytes_per_second() const noexcept { return 1024e6 / metric_.airtime_us_per_kib; }

private:
    LinkMetric lossless_;
    LinkMetric metric_;
    double loss_ = 0.0, measured_loss_ = 0.0;
    Instant at_{};
    std::optional<Instant> settle_at_;
};

/// Exchange rates of the components, us of airtime per KiB each.
struct MetricWeights {
    std::uint32_t us_per_msat = 1;  ///< of a msat per MiB
    std::uint32_t us_per_ms = 10;   ///< of a ms of delay
};

struct RouteMetric {
    std::uint32_t airtime_us_per_kib = kUnreachable;  ///< all links of the route
    std::uint32_t price_msat_per_mib = 0;             ///< all relays of the route
    std::uint32_t delay_ms = 0;                       ///< all links, one way; saturates at 65535 in messages
    std::uint8_t hops = 0;

    /// Of a destination as it announces itself.
    [[nodiscard]] static RouteMetric origin() noexcept { return {0, 0, 0, 0}; }

    /// 11 bytes.
    void encode(ByteWriter& w) const;
    [[nodiscard]] static RouteMetric decode(ByteReader& r);

    [[nodiscard]] bool reachable() const noexcept { return airtime_us_per_kib != kUnreachable; }
    /// The route seen from this end of `link`. Airtime saturates at kUnreachable, hops at 255.
    [[nodiscard]] RouteMetric over(const LinkMetric& link) const noexcept;
    /// The route as a relay advertises it that charges `price_msat_per_mib` itself. Saturates.
    [[nodiscard]] RouteMetric charging(std::uint32_t price_msat_per_mib) const noexcept;
    /// One number to choose by: us of airtime per KiB and what the other components are worth in it.
    [[nodiscard]] std::uint64_t cost(const MetricWeights& weights) const noexcept;
    /// Neighbours should learn at once that it is no longer `advertised`: airtime by more than a quarter, or any price.
    [[nodiscard]] bool differs_notably(const RouteMetric& advertised) const noexcept;

    bool operator==(const RouteMetric&) const = default;
};

/// Calls f(name, value) for each component of `m`, names as in `meshnet routes --json`.
template <class F>
void visit_components(const RouteMetric& m, F&& f) {
    f("airtime_us_per_kib", m.airtime_us_per_kib);
    f("price_msat_per_mib", m.price_msat_per_mib);
    f("delay_ms", m.delay_ms);
    f("hops", m.hops);
}

/// The larger exceeds the smaller by more than `percent`.
[[nodiscard]] bool differs_by(std::uint32_t a, std::uint32_t b, unsigned percent) noexcept;

}  // namespace meshnet::net
