// SPDX-License-Identifier: GPL-3.0-or-later
// The counters of a library object, by name, as the blocks' counters() publish them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>

#include "core/time.hpp"

namespace gr::meshnet {

/// Adds every counter of `counters` (a struct with visit_counters) to `out`, each name behind `prefix`; sums of times
/// in ns, as "<name>_ns".
template <class Counters>
void add_counters(const Counters& counters, std::map<std::string, std::uint64_t>& out, const std::string& prefix = {}) {
    visit_counters(counters, [&](const char* name, const auto& value) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, ::meshnet::Duration>) {
            out[prefix + name + "_ns"] = static_cast<std::uint64_t>(value.count());
        } else {
            out[prefix + name] = value;
        }
    });
}

}  // namespace gr::meshnet
