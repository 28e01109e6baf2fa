// SPDX-License-Identifier: GPL-3.0-or-later
// One line in the log when a neighbour reaches a limit of its credit, when it has credit again, and when this station's
// own budget is used up.
#pragma once

#include <map>
#include <string>

#include "core/time.hpp"
#include "net/router.hpp"

namespace meshnet::station {

class MoneyLog {
public:
    void update(const net::Router& router, Instant now);

private:
    std::map<net::NodeId, std::string> held_;  // neighbours at a limit when last logged, and which
    bool spent_ = false;
};

}  // namespace meshnet::station
