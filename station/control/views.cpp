// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/views.hpp"

#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <map>

#include <nlohmann/json.hpp>

namespace meshnet::station {

namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON has no infinity and no NaN: they are shown as null.
Json finite(double v) {
    return std::isfinite(v) ? Json(v) : Json(nullptr);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Json link_json(const mac::LinkQuality& q, const RadioLink& link) {
    return Json{{"snr_db", finite(q.snr_db)},
                {"peer_snr_db", finite(q.peer_snr_db)},
                {"mode", link.mode_name(q.mode)},
                {"rate_bps", finite(q.rate_bps)},
                {"loss", finite(q.loss)},
                {"airtime_us_per_kib", finite(q.airtime_us_per_kib)},
                {"propagation_us", static_cast<double>(q.propagation.count()) * 1e-3}};
}

}  // namespace

std::string link_name(std::uint32_t link) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", link);
    return text;
}

std::string status_view(node::Node& node, const ViewContext& c) {
    const auto& radio = c.link.counters();
    const auto& phy = c.link.receiver().counters();
    const auto& mac = node.mac().counters();
    const auto& net = node.router().counters();
    Json j;
    j["name"] = c.config.name;
    j["id"] = net::to_string(node.router().id());
    j["address"] = net::to_string(node.router().address());
    j["uptime_s"] = to_seconds(c.uptime);
    j["price_msat_per_mib"] = c.price_msat_per_mib;
    j["tun"] = c.tun_up ? Json(c.config.tun_name) : Json(nullptr);
    j["host_attached"] = c.host_attached;
    j["cpu_s"] = cpu_seconds();
    j["radio"] = Json{{"device", c.config.device},
                      {"profile", c.config.profile},
                      {"sample_rate_hz", c.link.clock().rate().hz()},
                      {"sample_index", c.link.next_index()},
                      {"gaps", radio.gaps},
                      {"samples_lost", radio.samples_lost},
                      {"bursts_sent", radio.bursts_sent},
                      {"bursts_late", radio.bursts_late},
                      {"reopened", radio.reopened}};
    j["phy"] = Json{{"noise_floor_dbfs", finite(c.link.receiver().noise_floor_dbfs())},
                    {"carrier_busy", c.link.receiver().carrier_busy()},
                    {"samples", phy.samples},
                    {"samples_not_finite", phy.samples_not_finite},
                    {"samples_clipped", phy.samples_clipped},
                    {"preambles", phy.preambles},
                    {"headers_ok", phy.headers_ok},
                    {"frames_ok", phy.frames_ok},
                    {"frames_partial", phy.frames_partial},
                    {"blocks_ok", phy.blocks_ok},
                    {"blocks_bad", phy.blocks_bad},
                    {"detections_dropped", phy.detections_dropped}};
    j["mac"] = Json{{"frames_sent", mac.frames_sent},
                    {"frames_received", mac.frames_received},
                    {"frames_unreadable", mac.frames_unreadable},
                    {"frames_late", mac.frames_late},
                    {"sdus_refused", mac.sdus_refused},
                    {"airtime_used_s", to_seconds(mac.airtime_used)}};
    j["net"] = Json{{"packets_from_host", net.packets_from_host},
                    {"packets_to_host", net.packets_to_host},
                    {"packets_forwarded", net.packets_forwarded},
                    {"dropped_no_route", net.dropped_no_route},
                    {"dropped_queue_full", net.dropped_queue_full},
                    {"dropped_hop_limit", net.dropped_hop_limit},
                    {"dropped_malformed", net.dropped_malformed},
                    {"dropped_auth", net.dropped_auth},
                    {"dropped_replay", net.dropped_replay},
                    {"dropped_window", net.dropped_window},
                    {"handshakes", net.handshakes},
                    {"words_sent", net.words_sent},
                    {"words_accepted", net.words_accepted},
                    {"words_refused", net.words_refused}};
    return dump(j);
}

std::string neighbours_view(node::Node& node, const RadioLink& link) {
    std::map<std::uint32_t, Json> rows;
    for (const auto& n : node.mac().neighbors(link.now())) {
        Json row;
        row["link"] = link_name(n.quality.peer);
        row["up"] = n.up;
        row["heard_ago_s"] = to_seconds(n.heard_ago);
        row.update(link_json(n.quality, link));
        row["queued_bytes"] = n.queued_bytes;
        row["sdus_sent"] = n.sdus_sent;
        row["sdus_acknowledged"] = n.sdus_acknowledged;
        row["sdus_failed"] = n.sdus_failed;
        row["sdus_received"] = n.sdus_received;
        row["duplicates"] = n.duplicates;
        row["retransmissions"] = n.retransmissions;
        rows[n.quality.peer] = std::move(row);
    }
    for (const auto& n : node.router().neighbors()) {
        Json& row = rows[n.link];
        row["link"] = link_name(n.link);
        row["id"] = net::to_string(n.id);
        row["address"] = net::to_string(n.address);
        row["session_up"] = n.session_up;
        row["balance_msat"] = n.balance_msat;
        row["unresolved_bytes"] = n.unresolved_bytes;
        row["window_bytes"] = n.window_bytes;
        row["state"] = n.state;
    }
    Json out = Json::array();
    for (auto& [peer, row] : rows) {
        out.push_back(std::move(row));
    }
    return dump(out);
}

std::string routes_view(node::Node& node) {
    Json out = Json::array();
    for (const auto& r : node.router().routes()) {
        out.push_back(Json{{"destination", net::to_string(r.destination)},
                           {"address", net::to_string(r.address)},
                           {"next_hop", link_name(r.next_hop)},
                           {"airtime_us_per_kib", r.airtime_us_per_kib},
                           {"price_msat_per_mib", r.price_msat_per_mib},
                           {"delay_ms", r.delay_ms},
                           {"hops", r.hops},
                           {"seqno", r.seqno},
                           {"selected", r.selected},
                           {"feasible", r.feasible}});
    }
    return dump(out);
}

std::string flows_view(node::Node& node) {
    Json out = Json::array();
    for (const auto& f : node.router().flows()) {
        out.push_back(Json{{"id", f.id},
                           {"role", f.role},
                           {"source", net::to_string(f.source)},
                           {"destination", net::to_string(f.destination)},
                           {"bytes_forwarded", f.bytes_forwarded},
                           {"units_paid", f.units_paid},
                           {"unit_bytes", f.unit_bytes},
                           {"price_in_msat_per_mib", f.price_in_msat_per_mib},
                           {"price_out_msat_per_mib", f.price_out_msat_per_mib},
                           {"state", f.state}});
    }
    return dump(out);
}

}  // namespace meshnet::station
