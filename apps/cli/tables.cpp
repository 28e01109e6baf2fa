// SPDX-License-Identifier: GPL-3.0-or-later
// modes, profiles: the modem's own tables.
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "node/phy_model.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

struct TableOptions {
    std::string profile = "1M";
    bool json = false;
};

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int list_modes(const TableOptions& o) {
    const auto profile = phy::parse_profile(o.profile);
    if (!profile) {
        return complain(profile.error());
    }
    const node::PhyModel model(**profile, node::SampleRate::from_hz((*profile)->sample_rate_hz), 0);
    Json all = Json::array();
    if (!o.json) {
        std::printf("%-16s %7s %7s %7s %-9s %13s %15s\n", "mode", "bits", "rate", "spread", "preamble", "needs SNR/dB",
                    "payload kbit/s");
    }
    for (std::size_t i = 0; i < phy::modes().size(); ++i) {
        const auto& m = phy::modes()[i];
        const double rate = model.payload_rate_bps(static_cast<mac::ModeIndex>(i));
        const std::string code = std::to_string(m.rate_num) + "/" + std::to_string(m.rate_den);
        if (o.json) {
            all.push_back(Json{{"index", i},
                               {"mode", m.name},
                               {"bits_per_symbol", m.bits_per_symbol},
                               {"code_rate", code},
                               {"spread", m.spread},
                               {"preamble", phy::to_string(m.preamble)},
                               {"required_snr_db", m.required_snr_db},
                               {"payload_bps", rate}});
        } else {
            std::printf("%-16s %7u %7s %7u %-9s %13.1f %15.1f\n", std::string(m.name).c_str(), m.bits_per_symbol,
                        code.c_str(), m.spread, std::string(phy::to_string(m.preamble)).c_str(),
                        static_cast<double>(m.required_snr_db), rate * 1e-3);
        }
    }
    if (o.json) {
        std::puts(dump(all).c_str());
    }
    return 0;
}

int list_profiles(const TableOptions& o) {
    Json all = Json::array();
    if (!o.json) {
        std::printf("%-8s %14s %6s %7s %9s %14s %13s\n", "profile", "samples/s", "FFT", "prefix", "carriers",
                    "bandwidth kHz", "offsets Hz");
    }
    for (const auto& p : phy::profiles()) {
        if (o.json) {
            all.push_back(Json{{"profile", p.name},
                               {"sample_rate_hz", p.sample_rate_hz},
                               {"fft_size", p.fft_size},
                               {"cyclic_prefix", p.cyclic_prefix},
                               {"carriers", p.carriers},
                               {"occupied_bandwidth_hz", p.occupied_bandwidth_hz()},
                               {"max_cfo_hz", p.max_cfo_hz}});
        } else {
            std::printf("%-8s %14.0f %6zu %7zu %9zu %14.1f %13.0f\n", std::string(p.name).c_str(), p.sample_rate_hz,
                        p.fft_size, p.cyclic_prefix, p.carriers, p.occupied_bandwidth_hz() * 1e-3, p.max_cfo_hz);
        }
    }
    if (o.json) {
        std::puts(dump(all).c_str());
    }
    return 0;
}

}  // namespace

void add_tables(CLI::App& app, int& exit_code) {
    CLI::App* modes = nullptr;
    auto& m = add_command<TableOptions>(app, exit_code, "modes", "The modes, the most robust first", modes, list_modes);
    modes->add_option("--profile", m.profile, "Profile the rates are for")->capture_default_str();
    modes->add_flag("--json", m.json, "JSON");
    CLI::App* profiles = nullptr;
    auto& p = add_command<TableOptions>(app, exit_code, "profiles", "The profiles, the narrowest first", profiles,
                                        list_profiles);
    profiles->add_flag("--json", p.json, "JSON");
}

}  // namespace meshnet::apps
