// SPDX-License-Identifier: GPL-3.0-or-later
#include "parameters.h"

#include <stdexcept>

namespace gr::meshnet {

namespace {

template <class Table>
std::string names_of(const Table& table) {
    std::string out;
    for (const auto& row : table) {
        out += out.empty() ? "" : ", ";
        out += row.name;
    }
    return out;
}

}  // namespace

const ::meshnet::phy::Profile& profile_named(const std::string& block, const std::string& name) {
    const auto* found = ::meshnet::phy::find_profile(name);
    if (found == nullptr) {
        throw std::invalid_argument(block + ": no profile \"" + name + "\"; there are " +
                                    names_of(::meshnet::phy::profiles()));
    }
    return *found;
}

::meshnet::phy::ModeIndex mode_named(const std::string& block, const std::string& name) {
    const auto found = ::meshnet::phy::find_mode(name);
    if (!found) {
        throw std::invalid_argument(block + ": no mode \"" + name + "\"; there are " +
                                    names_of(::meshnet::phy::modes()));
    }
    return *found;
}

::meshnet::phy::PreambleClass preamble_named(const std::string& block, const std::string& name) {
    using ::meshnet::phy::PreambleClass;
    if (name == "short") return PreambleClass::kShort;
    if (name == "medium") return PreambleClass::kMedium;
    if (name == "long") return PreambleClass::kLong;
    throw std::invalid_argument(block + ": longest_preamble is \"" + name + "\"; it can be short, medium or long");
}

}  // namespace gr::meshnet
