// SPDX-License-Identifier: MIT
// The door for tests: the inside of a router, so that a test can play an attacker who holds a session key.
#pragma once

#include "net/router_impl.hpp"

namespace meshnet::net {

struct RouterTestAccess {
    using Inside = Router::Impl;
    using Opening = Router::Impl::Opening;
    static Router::Impl& inside(Router& router) { return *router.impl_; }
};

}  // namespace meshnet::net
