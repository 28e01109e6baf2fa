// SPDX-License-Identifier: MIT
#include "node/doppler_hint.hpp"

#include <algorithm>
#include <limits>

namespace meshnet::node {

phy::DopplerShift doppler_hint(std::span<const mac::DopplerEstimate> neighbours, double reach_hz) {
    constexpr double kUsed = 0.9;  // of the reach: the rest is for what a hint is late
    constexpr double kUnknownStations = 0.5;
    if (std::none_of(neighbours.begin(), neighbours.end(), [](const auto& n) { return n.moves(); })) {
        return {};
    }
    const double width = 2.0 * kUsed * reach_hz;
    double best = -1.0;
    phy::DopplerShift out;
    // Windows that begin at a neighbour or at 0: one of them covers the most.
    for (std::size_t i = 0; i <= neighbours.size(); ++i) {
        const double low = i < neighbours.size() ? neighbours[i].cfo_hz : 0.0;
        double covered = 0.0 >= low && 0.0 <= low + width ? kUnknownStations : 0.0;
        double high = covered > 0.0 ? std::max(low, 0.0) : low;
        double slowest = covered > 0.0 ? 0.0 : std::numeric_limits<double>::max();
        double fastest = covered > 0.0 ? 0.0 : std::numeric_limits<double>::lowest();
        for (const auto& n : neighbours) {
            if (n.cfo_hz >= low && n.cfo_hz <= low + width) {
                covered += 1.0;
                high = std::max(high, n.cfo_hz);
                slowest = std::min(slowest, n.rate_hz_s);
                fastest = std::max(fastest, n.rate_hz_s);
            }
        }
        if (covered > best) {
            best = covered;
            out = {0.5 * (low + high), 0.5 * (slowest + fastest)};
        }
    }
    return out;
}

phy::DopplerShift transmit_shift(std::span<const mac::DopplerEstimate> neighbours) {
    if (neighbours.size() != 1 || !neighbours.front().moves()) {
        return {};
    }
    return {-neighbours.front().cfo_hz, -neighbours.front().rate_hz_s};
}

}  // namespace meshnet::node
