// SPDX-License-Identifier: MIT
// The commands of meshnet-lab, one struct of options and one function each. All return the exit code: 0 done, 1 a
// comparison failed, 2 an option was wrong (one line on stderr says which).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/phy_lab/lab_io.hpp"

namespace meshnet::lab {

struct SweepOptions {
    ScenarioOptions scenario;
    std::string snr_db;
};
/// Points of one mode, one JSON object a line with --json.
int run_sweep(const SweepOptions& o);

}  // namespace meshnet::lab
