// SPDX-License-Identifier: MIT
#include "phy/profile.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

#include "core/names.hpp"

namespace meshnet::phy {
namespace {

// 13/16 of the carriers are occupied. The prefix covers 6.4 us or more, twice the spread of a sea path in a duct.
// Offsets: +-50 ppm of 2.4 GHz, or 12 % of the sample rate where that is less (a wider search would alias).
constexpr std::array<Profile, 8> kProfiles{{
    {"125k", 125e3, 64, 4, 52, 15e3},
    {"250k", 250e3, 64, 4, 52, 30e3},
    {"500k", 500e3, 64, 4, 52, 60e3},
    {"1M", 1e6, 128, 8, 104, 120e3},
    {"2M", 2e6, 256, 16, 208, 120e3},
    {"5M", 5e6, 512, 32, 416, 120e3},
    {"10M", 10e6, 1024, 64, 832, 120e3},
    {"20M", 20e6, 2048, 128, 1664, 120e3},
}};

}  // namespace

std::span<const Profile> profiles() noexcept {
    return kProfiles;
}

const Profile* find_profile(std::string_view name) noexcept {
    const auto same = [](char a, char b) {
        return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
    };
    for (const auto& p : kProfiles) {
        if (std::equal(p.name.begin(), p.name.end(), name.begin(), name.end(), same)) {
            return &p;
        }
    }
    return nullptr;
}

Result<const Profile*> parse_profile(std::string_view name) {
    if (const Profile* profile = find_profile(name)) {
        return profile;
    }
    std::vector<std::string_view> names;
    for (const Profile& profile : kProfiles) {
        names.push_back(profile.name);
    }
    return unknown_name("profile", name, names);
}

}  // namespace meshnet::phy
