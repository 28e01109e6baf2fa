// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/guard/band_table.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "core/names.hpp"

namespace meshnet::station {

namespace {

constexpr double kMHz = 1e6, kKHz = 1e3;

// What the rows of a region have in common comes from a function; a row then changes what it has of its own.

// EU: Commission Decision 2006/771/EC with its annex as replaced by (EU) 2022/180 and 2025/105; e.r.p. there.
BandRule eu_erp(const char* name, double low_mhz, double high_mhz, double erp_mw, double duty, const char* clause) {
    BandRule r;
    r.region = "EU";
    r.name = name;
    r.low_hz = low_mhz * kMHz;
    r.high_hz = high_mhz * kMHz;
    r.max_eirp_dbm = 10.0 * std::log10(erp_mw) + kErpToEirpDb;
    r.duty_cycle = duty;
    r.source = std::string("2006/771/EC annex, ") + clause + "; ERC/REC 70-03 annex 1; EN 300 220-2";
    r.note = "conditions for audio, video and alarms are not checked";
    return r;
}

// US, Part 15: digital modulation. Above 6 dBi the conducted power falls by as much as the gain rises, so 36 dBm
// e.i.r.p. and 30 dBm conducted say the same; likewise 8 dBm in 3 kHz.
BandRule us_digital(const char* name, double low_mhz, double high_mhz) {
    BandRule r;
    r.region = "US";
    r.name = name;
    r.low_hz = low_mhz * kMHz;
    r.high_hz = high_mhz * kMHz;
    r.max_eirp_dbm = 36.0;
    r.max_conducted_dbm = 30.0;
    r.min_bandwidth_hz = 500 * kKHz;
    r.max_psd_dbm = 14.0;
    r.psd_bandwidth_hz = 3 * kKHz;
    r.source = "47 CFR 15.247 (a)(2), (b)(3), (b)(4), (e)";
    r.note = "the equipment needs a grant; restricted bands (15.205) beside the band are the transmitter's matter";
    return r;
}

// AU: class licence for digital modulation transmitters; limits of 15.247's kind, as e.i.r.p.
BandRule au_digital(const char* name, double low_mhz, double high_mhz, double eirp_dbm) {
    BandRule r;
    r.region = "AU";
    r.name = name;
    r.low_hz = low_mhz * kMHz;
    r.high_hz = high_mhz * kMHz;
    r.max_eirp_dbm = eirp_dbm;
    r.min_bandwidth_hz = 500 * kKHz;
    r.max_psd_dbm = 10.0 * std::log10(25.0);
    r.psd_bandwidth_hz = 3 * kKHz;
    r.source = "Radiocommunications (Low Interference Potential Devices) Class Licence 2015, digital modulation";
    return r;
}

BandRule amateur(const char* region, const char* name, double low_mhz, double high_mhz, const char* source) {
    BandRule r;
    r.region = region;
    r.name = name;
    r.low_hz = low_mhz * kMHz;
    r.high_hz = high_mhz * kMHz;
    r.detector = Detector::kPeak;
    r.authority = AuthorityKind::kAmateur;
    r.identify_every = 10min;
    r.source = source;
    r.note = "no messages encoded to obscure their meaning (RR 25.2A), none for payment; the band plan's segments";
    return r;
}

void add_eu(std::vector<BandRule>& t) {
    t.push_back(eu_erp("EU 433.05-434.79", 433.05, 434.79, 10, 0.1, "band 44b"));
    auto low_density = eu_erp("EU 433.05-434.79 low density", 433.05, 434.79, 1, 1.0, "band 44a");
    low_density.max_psd_dbm = -13.0 + kErpToEirpDb;
    low_density.psd_bandwidth_hz = 10 * kKHz;
    t.push_back(low_density);
    t.push_back(eu_erp("EU 863-865", 863, 865, 25, 0.001, "band 46a"));
    t.push_back(eu_erp("EU 865-868", 865, 868, 25, 0.01, "band 47"));
    auto wideband = eu_erp("EU 863-868 wideband", 863, 868, 25, 0.028, "band 84 (not a network access point)");
    wideband.min_bandwidth_hz = 600 * kKHz;
    wideband.max_bandwidth_hz = 1'000 * kKHz;
    wideband.source = "2006/771/EC annex, band 84; ERC/REC 70-03 annex 3; EN 304 220-1";
    t.push_back(wideband);
    t.push_back(eu_erp("EU 868.0-868.6", 868.0, 868.6, 25, 0.01, "band 48"));
    t.push_back(eu_erp("EU 868.7-869.2", 868.7, 869.2, 25, 0.001, "band 50"));
    t.push_back(eu_erp("EU 869.40-869.65", 869.40, 869.65, 500, 0.1, "band 54"));
    t.push_back(eu_erp("EU 869.7-870.0", 869.7, 870.0, 25, 0.01, "band 56b"));
    t.push_back(eu_erp("EU 869.7-870.0 5 mW", 869.7, 870.0, 5, 1.0, "band 56a"));

    BandRule wlan;
    wlan.region = "EU";
    wlan.name = "EU 2400-2483.5 10 mW";
    wlan.low_hz = 2'400 * kMHz;
    wlan.high_hz = 2'483.5 * kMHz;
    wlan.max_eirp_dbm = 10.0;
    wlan.max_psd_dbm = 10.0;
    wlan.psd_bandwidth_hz = 1'000 * kKHz;
    wlan.source = "2006/771/EC annex, bands 57a, 57c; EN 300 328 4.3.2 (below 10 dBm no adaptivity is asked)";
    t.push_back(wlan);
    wlan.name = "EU 2400-2483.5 non-adaptive";
    wlan.max_eirp_dbm = 20.0;
    wlan.duty_cycle = 0.1;  // medium utilisation: power over 100 mW, times duty cycle, at most 10 %
    wlan.max_burst = 10ms;
    wlan.min_gap = 10ms;
    wlan.source = "2006/771/EC annex, band 57c; EN 300 328 4.3.2.2 to 4.3.2.5 (medium utilisation 10 %)";
    wlan.note = "the gap is taken as the longest the standard can ask, 10 ms";
    t.push_back(wlan);
    auto ism = wlan;
    ism.name = "EU 5725-5875";
    ism.low_hz = 5'725 * kMHz;
    ism.high_hz = 5'875 * kMHz;
    ism.max_eirp_dbm = 10.0 * std::log10(25.0);
    ism.max_psd_dbm = BandRule::kNone;
    ism.psd_bandwidth_hz = 0.0;
    ism.duty_cycle = 1.0;
    ism.max_burst = ism.min_gap = Duration{};
    ism.source = "2006/771/EC annex, band 61; ERC/REC 70-03 annex 1; EN 300 440";
    ism.note.clear();
    t.push_back(ism);

    t.push_back(amateur("EU", "EU amateur 430-440", 430, 440, "RR Article 5 (Region 1); power: the national licence"));
    t.push_back(
        amateur("EU", "EU amateur 1240-1300", 1'240, 1'300, "RR Article 5, 5.282; power: the national licence"));
    t.push_back(
        amateur("EU", "EU amateur 2320-2450", 2'320, 2'450, "RR Article 5 (secondary); power: the national licence"));
    t.push_back(
        amateur("EU", "EU amateur 5650-5850", 5'650, 5'850, "RR Article 5 (secondary); power: the national licence"));
    for (auto row = t.end() - 4; row != t.end(); ++row) {
        row->max_conducted_dbm = 10.0 * std::log10(10e3);  // the low end of CEPT licences for these bands: 10 W PEP
        row->note += "; 10 W is assumed, more as a band of one's own";
    }
}

void add_us(std::vector<BandRule>& t) {
    t.push_back(us_digital("US 902-928", 902, 928));
    t.push_back(us_digital("US 2400-2483.5", 2'400, 2'483.5));
    t.push_back(us_digital("US 5725-5850", 5'725, 5'850));
    const double legal_limit = 10.0 * std::log10(1.5e6);  // 1.5 kW PEP, 97.313 (b)
    auto uhf = amateur("US", "US amateur 420-450", 420, 450, "47 CFR 97.301, 97.307 (f)(6), 97.313, 97.119");
    uhf.max_bandwidth_hz = 100 * kKHz;
    uhf.max_conducted_dbm = legal_limit;
    uhf.note += "; near some installations 50 W (97.313 (f))";
    t.push_back(uhf);
    for (const auto& [name, low, high] :
         {std::tuple{"US amateur 902-928", 902.0, 928.0}, std::tuple{"US amateur 1240-1300", 1'240.0, 1'300.0},
          std::tuple{"US amateur 2390-2450", 2'390.0, 2'450.0}, std::tuple{"US amateur 5650-5925", 5'650.0, 5'925.0}}) {
        auto row = amateur("US", name, low, high, "47 CFR 97.301, 97.305, 97.307 (f)(7), 97.313, 97.119");
        row.max_conducted_dbm = legal_limit;
        t.push_back(row);
    }
}

void add_asia_pacific(std::vector<BandRule>& t) {
    t.push_back(au_digital("AU 915-928", 915, 928, 30));
    t.push_back(au_digital("AU 2400-2483.5", 2'400, 2'483.5, 36));
    t.push_back(au_digital("AU 5725-5850", 5'725, 5'850, 36));

    BandRule nz;
    nz.region = "NZ";
    nz.name = "NZ 921.5-928";
    nz.low_hz = 921.5 * kMHz;
    nz.high_hz = 928 * kMHz;
    nz.max_eirp_dbm = 30.0;
    nz.source = "General User Radio Licence for Short Range Devices; the lower of its limits, 0 dBW e.i.r.p.";
    t.push_back(nz);
    nz.name = "NZ 2400-2483.5";
    nz.low_hz = 2'400 * kMHz;
    nz.high_hz = 2'483.5 * kMHz;
    t.push_back(nz);

    // 20 mW into 3 dBi; carrier sense of 128 us; wider than 600 kHz: 100 ms a burst, 2 ms pause, 360 s an hour.
    BandRule jp;
    jp.region = "JP";
    jp.name = "JP 920.5-928.1";
    jp.low_hz = 920.5 * kMHz;
    jp.high_hz = 928.1 * kMHz;
    jp.max_eirp_dbm = 16.0;
    jp.max_conducted_dbm = 13.0;
    jp.max_bandwidth_hz = 1'000 * kKHz;
    jp.duty_cycle = 0.1;
    jp.max_burst = 100ms;
    jp.min_gap = 2ms;
    jp.listen = true;
    jp.listen_below_dbm = -80.0;
    jp.listen_for = 128us;
    jp.source = "ARIB STD-T108 part 2 (20 mW, carrier sense of 128 us)";
    jp.note = "channels of 200 kHz from 920.6 MHz; certified equipment only";
    t.push_back(jp);
    BandRule jp_wlan;
    jp_wlan.region = "JP";
    jp_wlan.name = "JP 2400-2483.5";
    jp_wlan.low_hz = 2'400 * kMHz;
    jp_wlan.high_hz = 2'483.5 * kMHz;
    jp_wlan.max_psd_dbm = 10.0 + 2.14;  // 10 mW/MHz into 2.14 dBi
    jp_wlan.psd_bandwidth_hz = 1'000 * kKHz;
    jp_wlan.max_bandwidth_hz = 26 * kMHz;
    jp_wlan.source = "ARIB STD-T66 (10 mW/MHz, OFDM of at most 26 MHz)";
    jp_wlan.note = "certified equipment only";
    t.push_back(jp_wlan);

    BandRule in;
    in.region = "IN";
    in.name = "IN 865-867";
    in.low_hz = 865 * kMHz;
    in.high_hz = 867 * kMHz;
    in.max_eirp_dbm = 10.0 * std::log10(4'000.0);  // as e.i.r.p., the stricter reading of its 4 W
    in.max_conducted_dbm = 30.0;
    in.max_bandwidth_hz = 200 * kKHz;
    in.source = "G.S.R. 168 (E) of 2005 (1 W, 4 W radiated, 200 kHz); see also G.S.R. 853 (E) of 2021";
    in.note = "the rules of 2021 replace those of 2005 for new equipment: read them first";
    t.push_back(in);
}

std::vector<BandRule> make_table() {
    std::vector<BandRule> t;
    add_eu(t);
    add_us(t);
    add_asia_pacific(t);
    return t;
}

/// Splits at commas and trims blanks.
std::vector<std::string> fields_of(std::string_view text) {
    std::vector<std::string> out(1);
    for (const char c : text) {
        if (c == ',') {
            out.emplace_back();
        } else {
            out.back() += c;
        }
    }
    for (auto& field : out) {
        const auto first = field.find_first_not_of(" \t");
        const auto last = field.find_last_not_of(" \t");
        field = first == std::string::npos ? "" : field.substr(first, last - first + 1);
    }
    return out;
}

bool parse_number(const std::string& text, double low, double high, double& out) {
    char* end = nullptr;
    out = std::strtod(text.c_str(), &end);
    return !text.empty() && end == text.c_str() + text.size() && out >= low && out <= high;
}

}  // namespace

std::string_view to_string(AuthorityKind kind) noexcept {
    switch (kind) {
        case AuthorityKind::kLicenceExempt:
            return "licence-exempt";
        case AuthorityKind::kAmateur:
            return "amateur licence";
        case AuthorityKind::kLicence:
            return "licence";
    }
    return "?";
}

std::string_view to_string(Detector detector) noexcept {
    return detector == Detector::kMean ? "mean" : "peak";
}

std::span<const BandRule> band_table() {
    static const std::vector<BandRule> kTable = make_table();
    return kTable;
}

std::span<const std::string_view> band_regions() {
    static constexpr std::array<std::string_view, 6> kRegions{"EU", "US", "AU", "NZ", "JP", "IN"};
    return kRegions;
}

Result<BandRule> find_band(std::string_view name) {
    std::vector<std::string_view> names;
    for (const auto& row : band_table()) {
        if (row.name == name) {
            return row;
        }
        names.push_back(row.name);
    }
    Error error{ErrorCode::kInvalidArgument, "unknown band " + quoted(name) + "; "};
    if (const auto near = nearest_name(name, names)) {
        error.message += "did you mean " + quoted(*near) + "? ";
    }
    error.message += "meshnet-cli bands lists them";
    return error;
}

Result<BandRule> parse_own_band(std::string_view text) {
    const auto wrong = [&](const std::string& what) {
        return Error{ErrorCode::kInvalidArgument,
                     "own band " + quoted(text) + ": " + what +
                         "; it is NAME, LOW MHz, HIGH MHz, MAX EIRP dBm, DUTY CYCLE, for example "
                         "\"harbour, 434.5, 434.9, 20, 0.1\""};
    };
    const auto fields = fields_of(text);
    if (fields.size() != 5) {
        return wrong("has " + std::to_string(fields.size()) + " parts, not 5");
    }
    const bool printable = std::all_of(fields[0].begin(), fields[0].end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (fields[0].empty() || fields[0].size() > 40 || !printable) {
        return wrong("the name must be 1 to 40 printable ASCII characters");
    }
    BandRule r;
    r.region = "own";
    r.name = "own " + fields[0];
    if (!parse_number(fields[1], 1.0, 1e5, r.low_hz) || !parse_number(fields[2], 1.0, 1e5, r.high_hz) ||
        r.high_hz <= r.low_hz) {
        return wrong("the edges must be numbers from 1 to 100000 MHz, the low one first");
    }
    r.low_hz *= kMHz;
    r.high_hz *= kMHz;
    if (!parse_number(fields[3], -60.0, 100.0, r.max_eirp_dbm)) {
        return wrong("the e.i.r.p. must be a number from -60 to 100 dBm");
    }
    if (!parse_number(fields[4], 1e-6, 1.0, r.duty_cycle)) {
        return wrong("the duty cycle must be a number above 0 and at most 1");
    }
    r.authority = AuthorityKind::kLicence;
    r.source = "the operator";
    return r;
}

}  // namespace meshnet::station
