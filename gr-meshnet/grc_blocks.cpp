// SPDX-License-Identifier: GPL-3.0-or-later
// Makes the block descriptions of GNU Radio Companion: the option lists come from the modem's and the channel's own
// tables.
//
//     grc_blocks FOLDER TEMPLATE.block.yml.in...     writes FOLDER/TEMPLATE.block.yml
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "sim/channel/channel.hpp"

namespace {

using namespace meshnet;

/// YAML and Python read the same list: ['a', 'b'].
template <class Names>
std::string list(const Names& names) {
    std::string out = "[";
    for (const auto& name : names) {
        out += (out.size() > 1 ? ", '" : "'") + std::string(name) + "'";
    }
    return out + "]";
}

std::string rate_label(double hz) {
    char text[32];
    std::snprintf(text, sizeof text, hz < 1e6 ? "%g ksample/s" : "%g Msample/s", hz < 1e6 ? hz * 1e-3 : hz * 1e-6);
    return text;
}

std::map<std::string, std::string> replacements() {
    std::vector<std::string> profiles, labels, modes;
    for (const auto& profile : phy::profiles()) {
        profiles.emplace_back(profile.name);
        labels.push_back(rate_label(profile.sample_rate_hz));
    }
    for (const auto& mode : phy::modes()) {
        modes.emplace_back(mode.name);
    }
    std::string models;
    for (const auto& model : sim::Channel::names()) {
        models += (models.empty() ? "" : "\n") + ("    " + std::string(model.name) + ": " + std::string(model.what));
    }
    return {{"@PROFILES@", list(profiles)},
            {"@PROFILE_LABELS@", list(labels)},
            {"@MODES@", list(modes)},
            {"@PREAMBLE_CLASSES@", list(phy::preamble_class_names())},
            {"@CHANNEL_MODELS@", models}};
}

/// False, with a line on stderr, if the template cannot be read, the result not written, or a mark stays unknown.
bool render(const std::filesystem::path& source, const std::filesystem::path& folder) {
    std::ifstream in(source, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(in), {}};
    for (const auto& [mark, value] : replacements()) {
        for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) {
            text.replace(at, mark.size(), value);
        }
    }
    const auto target = folder / source.stem();
    std::ofstream out(target, std::ios::binary);
    out << text;
    if (text.empty() || text.find('@') != std::string::npos || !out.flush()) {
        std::fprintf(stderr, "grc_blocks: %s is empty, has an unknown @mark@, or %s cannot be written\n",
                     source.c_str(), target.c_str());
        return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    bool ok = argc > 2;
    for (int i = 2; i < argc; ++i) {
        ok = render(argv[i], argv[1]) && ok;
    }
    return ok ? 0 : 1;
}
