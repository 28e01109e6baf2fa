// SPDX-License-Identifier: MIT
// The world of routers under the names that tests of net/ use.
#pragma once

#include "sim/router_world.hpp"

namespace meshnet::net::test {

using World = sim::RouterWorld;
using WorldOptions = sim::RouterWorldOptions;
using LinkOptions = sim::RouterLink;

}  // namespace meshnet::net::test
