// SPDX-License-Identifier: MIT
#include "lab/genie_aid.hpp"

#include <algorithm>
#include <array>

#include "core/names.hpp"

namespace meshnet::lab {
namespace {

constexpr std::array<std::string_view, 10> kNames{"start",    "header", "phase", "channel", "noise",
                                                  "demapper", "peaks",  "csi",   "all",     "none"};

}  // namespace

Result<GenieAid> parse_genie_aid(std::string_view names) {
    GenieAid out;
    for (std::string_view left = names;;) {
        const std::size_t plus = left.find('+');
        const std::string_view name = left.substr(0, plus);
        if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) {
            return unknown_name("genie aid", name, kNames);
        }
        const bool all = name == "all";
        const bool csi = all || name == "csi";
        out.start = out.start || all || name == "start";
        out.header = out.header || all || name == "header";
        out.demapper = out.demapper || all || name == "demapper";
        out.peaks = out.peaks || all || name == "peaks";
        out.phase = out.phase || csi || name == "phase";
        out.channel = out.channel || csi || name == "channel";
        out.noise = out.noise || csi || name == "noise";
        if (plus == std::string_view::npos) {
            return out;
        }
        left = left.substr(plus + 1);
    }
}

}  // namespace meshnet::lab
