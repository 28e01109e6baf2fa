// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameters.h"

#include <cstdio>
#include <stdexcept>

namespace gr::meshnet {

namespace {

template <class T>
T parsed(const std::string& block, ::meshnet::Result<T>&& result) {
    if (!result) {
        throw std::invalid_argument(block + ": " + result.error().message);
    }
    return std::move(result).value();
}

}  // namespace

const ::meshnet::phy::Profile& profile_named(const std::string& block, const std::string& name) {
    return *parsed(block, ::meshnet::phy::parse_profile(name));
}

::meshnet::phy::ModeIndex mode_named(const std::string& block, const std::string& name) {
    return parsed(block, ::meshnet::phy::parse_mode(name));
}

::meshnet::phy::PreambleClass preamble_named(const std::string& block, const std::string& name) {
    return parsed(block + ": longest_preamble", ::meshnet::phy::parse_preamble_class(name));
}

void require_between(const std::string& block, const char* field, double value, double lowest, double highest) {
    if (!(value >= lowest && value <= highest)) {
        char range[128];
        std::snprintf(range, sizeof range, " is %.9g; it can be %.9g to %.9g", value, lowest, highest);
        throw std::invalid_argument(block + ": " + field + range);
    }
}

}  // namespace gr::meshnet
