// SPDX-License-Identifier: MIT
#include "lab/cmd_mac.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <map>
#include <stdexcept>

#include "lab/campaign.hpp"
#include "lab/lab_io.hpp"

namespace meshnet::lab {
namespace {

using Json = nlohmann::ordered_json;
using sim::MacReport;
using sim::MacScenario;

double rounded(double v) {
    return round_to(v, 1e-4);
}

Json percentiles_json(const sim::Percentiles& p) {
    return {{"p50", rounded(p.p50)}, {"p95", rounded(p.p95)}, {"p99", rounded(p.p99)}};
}

/// What was asked for, as far as it changes a result.
Json options_json(const MacOptions& o) {
    const MacScenario& s = o.scenario;
    return {{"stations", s.chain > 0 ? s.chain + 1 : s.stations},
            {"distance_km", s.distance_km},
            {"turnaround_ms", s.turnaround_ms},
            {"lead_ms", s.lead_ms},
            {"rate_mbps", s.rate_mbps},
            {"seconds", s.seconds},
            {"warmup_s", s.warmup_s},
            {"first_seed", s.seed},
            {"class_b", s.class_b},
            {"switch_ms", s.switch_ms},
            {"loss", s.loss},
            {"late", s.late},
            {"chain", s.chain},
            {"orbit", o.orbit},
            {"payload", s.payload},
            {"queue", s.queue},
            {"regime", o.regime},
            {"snr_db", s.snr_db},
            {"max_burst_ms", s.max_burst_ms},
            {"duty_cycle", s.duty_cycle},
            {"clock_ppm", s.clock_error_ppm},
            {"bulk", s.bulk},
            {"load", s.load},
            {"together", s.together},
            {"outstanding", s.outstanding},
            {"voice", s.voice},
            {"tcp", s.tcp},
            {"carrier_late_ms", s.carrier_late_ms}};
}

void print_run(const Json& r) {
    const auto number = [&](const char* key) { return r.at(key).get<double>(); };
    const auto delays = [&](const char* key, const char* name) {
        const Json& d = r.at(key);
        std::printf("%-10s p50 %.1f ms, p95 %.1f ms, p99 %.1f ms\n", name, d.at("p50").get<double>(),
                    d.at("p95").get<double>(), d.at("p99").get<double>());
    };
    std::printf("fraction   %.4f of %.0f kbit/s; Jain %.4f, least flow %.2f of the mean\n", number("fraction"),
                number("rate_bps") / 1e3, number("jain"), number("worst_flow"));
    std::printf("packets    %.0f delivered of %.0f made; %.4f of those not waiting\n", number("delivered"),
                number("offered"), number("delivery"));
    delays("delay_ms", "delay");
    if (r.at("voice_delivery").get<double>() < 1.0 || r.at("voice_ms").at("p50").get<double>() > 0.0) {
        delays("voice_ms", "voice");
        std::printf("           %.4f delivered\n", number("voice_delivery"));
    }
    std::printf("air       ");
    for (const auto& [use, share] : r.at("air").items()) {
        std::printf(" %s %.4f", use.c_str(), share.get<double>());
    }
    std::printf("\nregimes   ");
    for (const auto& [regime, share] : r.at("regimes").items()) {
        std::printf(" %s %.3f", regime.c_str(), share.get<double>());
    }
    std::printf("\nbursts     %.0f, mean %.1f ms, %.0f empty, %.0f late; %.0f grants; links: %.0f up, %.0f down\n",
                number("bursts"), number("mean_burst_ms"), number("empty_bursts"), number("late_bursts"),
                number("grants"), number("link_ups"), number("link_downs"));
    if (r.contains("class_b")) {
        std::printf("class B    %.3f of its share; others %.3f of the rest\n", r.at("class_b").at("own").get<double>(),
                    r.at("class_b").at("others").get<double>());
    }
    if (r.at("ranging_us").at("p99").get<double>() > 0.0) {
        std::printf("ranging    error p50 %.1f us, p95 %.1f us, p99 %.1f us\n",
                    r.at("ranging_us").at("p50").get<double>(), r.at("ranging_us").at("p95").get<double>(),
                    r.at("ranging_us").at("p99").get<double>());
    }
    std::printf("hash       %s\n", r.at("hash").get<std::string>().c_str());
    for (const auto& v : r.at("violations").at("examples")) {
        std::printf("VIOLATED   %s\n", v.get<std::string>().c_str());
    }
    if (number("violated") > 0) {
        std::printf("%.0f violations of invariants\n", number("violated"));
    }
}

int run_one(const MacOptions& o) {
    const std::clock_t before = std::clock();
    const MacReport report = sim::run_mac_scenario(o.scenario);
    const double cpu_s = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    const Json r = mac_report_json(report);
    if (o.json) {
        std::puts(r.dump().c_str());
    } else {
        print_run(r);
        std::printf("simulator  %.2f CPU s, %.0f packets delivered a CPU second\n", cpu_s,
                    static_cast<double>(report.delivered) / std::max(cpu_s, 1e-3) *
                        (o.scenario.seconds + o.scenario.warmup_s / 2.0) / o.scenario.seconds);
    }
    return report.violations == 0 ? 0 : 1;
}

}  // namespace

Json mac_report_json(const MacReport& r) {
    Json regimes = Json::object();
    for (const auto& [name, share] : r.regimes) {
        regimes[name] = rounded(share);
    }
    char hash[24];
    std::snprintf(hash, sizeof hash, "%016llx", static_cast<unsigned long long>(r.hash));
    Json out{{"fraction", rounded(r.fraction)},
             {"jain", rounded(r.jain)},
             {"worst_flow", rounded(r.worst_flow)},
             {"delay_ms", percentiles_json(r.delay_ms)},
             {"voice_ms", percentiles_json(r.voice_ms)},
             {"delivered", r.delivered},
             {"offered", r.offered},
             {"delivery", rounded(r.delivery)},
             {"voice_delivery", rounded(r.voice_delivery)},
             {"rate_bps", std::round(r.rate_bps)},
             {"regimes", std::move(regimes)},
             {"air",
              {{"data", rounded(r.air.data)},
               {"header", rounded(r.air.header)},
               {"control", rounded(r.air.control)},
               {"gap", rounded(r.air.gap)},
               {"collision", rounded(r.air.collision)},
               {"lost", rounded(r.air.lost)},
               {"idle", rounded(r.air.idle)},
               {"reuse", rounded(r.air.reuse)}}},
             {"bursts", r.bursts},
             {"mean_burst_ms", rounded(r.mean_burst_ms)},
             {"empty_bursts", r.empty_bursts},
             {"late_bursts", r.late_bursts},
             {"grants", r.grants},
             {"link_ups", r.link_ups},
             {"link_downs", r.link_downs},
             {"ranging_us", percentiles_json(r.ranging_us)},
             {"events", r.events},
             {"hash", hash},
             {"violated", r.violations},
             {"violations", {{"examples", r.examples}}}};
    if (r.class_b_share > 0.0 || r.others_share > 0.0) {
        out["class_b"] = {{"own", rounded(r.class_b_share)}, {"others", rounded(r.others_share)}};
    }
    return out;
}

// Mean, least and most of the figures that say how good a run was.
int print_mac_campaign(const Json& options, const std::vector<Json>& rows) {
    Json summary = Json::object();
    for (const char* key : {"fraction", "jain", "worst_flow", "delivery"}) {
        double sum = 0.0;
        double least = rows.front().at(key).get<double>();
        double most = least;
        for (const Json& row : rows) {
            const double v = row.at(key).get<double>();
            sum += v;
            least = std::min(least, v);
            most = std::max(most, v);
        }
        summary[key] = {{"mean", rounded(sum / static_cast<double>(rows.size()))}, {"least", least}, {"most", most}};
    }
    std::uint64_t violated = 0;
    for (const Json& row : rows) {
        violated += row.at("violated").get<std::uint64_t>();
    }
    summary["violated"] = violated;
    const Json out{{"campaign", "mac"}, {"options", options}, {"summary", summary}, {"runs", rows}};
    std::puts(out.dump().c_str());
    return violated == 0 ? 0 : 1;
}

int run_mac(const MacOptions& given) {
    MacOptions o = given;
    const std::map<std::string, MacScenario::Orbit> orbits{
        {"", MacScenario::Orbit::kNone}, {"leo", MacScenario::Orbit::kLeo}, {"geo", MacScenario::Orbit::kGeo}};
    const std::map<std::string, MacScenario::Regime> regimes{{"auto", MacScenario::Regime::kAuto},
                                                             {"invite", MacScenario::Regime::kInvite},
                                                             {"reserve", MacScenario::Regime::kReserve},
                                                             {"paired", MacScenario::Regime::kPaired}};
    if (!orbits.contains(o.orbit)) {
        return complain("mac", "unknown orbit '" + o.orbit + "'; known are leo, geo");
    }
    if (!regimes.contains(o.regime)) {
        return complain("mac", "unknown regime '" + o.regime + "'; known are auto, invite, reserve, paired");
    }
    o.scenario.orbit = orbits.at(o.orbit);
    o.scenario.regime = regimes.at(o.regime);
    const auto shard = parse_shard(o.shard);
    if (!shard) {
        return complain("mac", shard.error().message);
    }
    try {
        if (o.seeds == 1 && o.shard.empty()) {
            return run_one(o);
        }
        std::vector<Json> rows(o.seeds);
        run_shard(o.seeds, *shard, o.threads, o.quiet, [&](std::size_t k) {
            MacScenario one = o.scenario;
            one.seed += k;
            rows[k] = Json{{"seed", one.seed}};
            rows[k].update(mac_report_json(sim::run_mac_scenario(one)));
        });
        if (shard->whole() && o.shard.empty()) {
            return print_mac_campaign(options_json(o), rows);
        }
        std::puts(shard_json("mac", options_json(o), o.seeds, *shard, std::move(rows)).dump().c_str());
        return 0;
    } catch (const std::invalid_argument& e) {
        return complain("mac", e.what());
    }
}

void add_mac(CLI::App& app, MacOptions& o, int& result) {
    auto* c = app.add_subcommand("mac", "Stations with the real MAC on one channel in virtual time");
    MacScenario& s = o.scenario;
    const auto add = [c](const char* name, auto& value, const char* what) {
        return c->add_option(name, value, what)->capture_default_str();
    };
    add("--stations", s.stations, "Stations on a circle, each saturated towards the next, 2..64");
    add("--distance-km", s.distance_km, "Diameter of the circle, or length of one hop");
    add("--turnaround-ms", s.turnaround_ms, "L: frames and carrier are known so long after the antenna");
    add("--lead-ms", s.lead_ms, "From a decision to its first sample on the air");
    add("--rate-mbps", s.rate_mbps, "The fastest mode of profile 1M within this is the fastest in use");
    add("--seconds", s.seconds, "Virtual time measured");
    add("--warmup", s.warmup_s, "Virtual seconds before that; traffic begins after half of it");
    add("--seed", s.seed, "Of clocks, losses and drawn numbers");
    add("--seeds", o.seeds, "A campaign: so many seeds from --seed on (JSON)")->check(CLI::Range(1, 1'000'000));
    add("--shard", o.shard, "Only seeds k with k mod n = i, as i/n, for meshnet-lab merge (JSON)");
    add("--threads", o.threads, "Of a campaign, 0: one per core; never changes a result")->check(CLI::Range(0, 256));
    add("--class-b", s.class_b, "The last so many stations have no time stamps and switch slowly");
    add("--switch-ms", s.switch_ms, "Their time between receiving and transmitting, 1..300");
    add("--loss", s.loss, "Share of frames missed at each receiver");
    add("--late", s.late, "Share of bursts that the radio cannot send in time");
    add("--chain", s.chain, "Hops of a chain that hears only its neighbours; packets go from end to end");
    add("--orbit", o.orbit, "leo or geo: delays and Doppler of a satellite");
    add("--payload", s.payload, "Bytes of a packet");
    add("--queue", s.queue, "Bytes of a MAC's queue for each neighbour");
    add("--regime", o.regime, "auto, invite, reserve or paired");
    add("--snr-db", s.snr_db, "Of all paths, over what the fastest mode requires");
    add("--max-burst-ms", s.max_burst_ms, "Longest transmission");
    add("--duty-cycle", s.duty_cycle, "Share of any 10 minutes each may transmit");
    add("--clock-ppm", s.clock_error_ppm, "Clocks are wrong by up to this");
    add("--bulk", s.bulk, "Bulk flows; -1: one a station, in a chain one, with --tcp none");
    add("--load", s.load, "Bulk flows offer this share of the rate together, at random times; 0: saturated");
    c->add_flag("--together", s.together, "All flows begin at the same instant, not within a second");
    add("--outstanding", s.outstanding, "Packets a saturated flow has unacknowledged at most; 0: what fits");
    add("--voice", s.voice, "Interactive flows of 50 packets of 60 bytes a second");
    add("--tcp", s.tcp, "Flows like TCP, acknowledgements travel back");
    add("--carrier-late-ms", s.carrier_late_ms, "Carrier changes are reported so much later than frames");
    c->add_flag("--json", o.json, "JSON instead of lines");
    c->add_flag("--quiet", o.quiet, "No progress on stderr");
    c->callback([&o, &result] { result = run_mac(o); });
}

}  // namespace meshnet::lab
