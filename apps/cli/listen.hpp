// SPDX-License-Identifier: GPL-3.0-or-later
// demodulate --device: a radio -> frames, one line each, until a signal ends it.
#pragma once

#include <string>

#include "apps/cli/on_air.hpp"
#include "phy/profile.hpp"

namespace meshnet::apps {

struct ListenOptions {
    std::string record;    ///< for the samples; empty: not written
    std::string output;    ///< for the payload; empty: not written
    double seconds = 0.0;  ///< 0: until SIGINT or SIGTERM
    unsigned decode_threads = 0;
    bool json = false;
};

/// The exit code.
int listen(const RadioOptions& radio, const phy::Profile& profile, const ListenOptions& options);

}  // namespace meshnet::apps
