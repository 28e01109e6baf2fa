// SPDX-License-Identifier: MIT
// Who can connect to an air.
#pragma once

#include <string>
#include <vector>

namespace meshnet::sim {

struct AirListing {
    struct Station {
        std::string name;
        bool connected = false;  ///< a client has it
    };
    double sample_rate_hz = 0.0;
    double carrier_hz = 0.0;
    std::vector<Station> stations;
};

}  // namespace meshnet::sim
