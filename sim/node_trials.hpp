// SPDX-License-Identifier: MIT
// Trials of routing with whole nodes, MAC and all, on a channel of 1 MHz: what a relay's death, a fading link, a price
// and a small network do to packets. Virtual time; one seed, one result.
#pragma once

#include <cstddef>
#include <cstdint>

namespace meshnet::sim {

/// Two relays between two ends that do not hear each other; the ends' packets go every 20 ms.
struct RelayTrial {
    std::uint64_t seed = 1;
    double distance_km = 50.0;  ///< of a hop, 1..1000
    double snr_db = 25.0;
};
/// Seconds from the death of the relay in use until a packet sent after it arrives; < 0: not within 10 s.
[[nodiscard]] double repair_seconds(const RelayTrial& trial);

struct FadeResult {
    double moved_s = -1.0;   ///< from the fade until the flow has passed the other relay; < 0: not within 20 s
    double delivered = 0.0;  ///< of the packets of the 10 s after the fade
};
/// The far link of the relay in use falls to `snr_db`.
[[nodiscard]] FadeResult fade(const RelayTrial& trial, double faded_snr_db = -6.0);

/// The relays ask 1000 and 500 msat per MiB: whether the cheaper one is chosen after 30 s.
[[nodiscard]] bool cheaper_chosen(const RelayTrial& trial);

/// From the time a third, better relay appears beside one that is there: until it carries packets; < 0: not within 20
/// s.
[[nodiscard]] double newcomer_seconds(const RelayTrial& trial);

struct SmallNetworkResult {
    std::size_t sent = 0, delivered = 0;
    double p50_ms = 0.0, p95_ms = 0.0;
};
/// Nodes of degree 6 to 8 without loss, packets between random pairs, `per_second` in all, for `seconds`.
[[nodiscard]] SmallNetworkResult small_network(std::uint64_t seed, std::size_t nodes, double per_second,
                                               double seconds);

}  // namespace meshnet::sim
