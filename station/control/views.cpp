// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/views.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>

#include <nlohmann/json.hpp>

#include "station/control/counter_groups.hpp"
#include "station/control/ledger_views.hpp"
#include "station/control/signal_view.hpp"
#include "station/settle/payment_views.hpp"

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

std::uint64_t unix_seconds() {
    return static_cast<std::uint64_t>(std::time(nullptr));
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

/// Every counter under its name; sums of times in seconds, as "<name>_s".
template <class Counters>
void add_counters(const Counters& counters, Json& out) {
    visit_counters(counters, [&out](const char* name, const auto& value) {
        if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Duration>) {
            out[counter_key(name, value)] = to_seconds(value);
        } else {
            out[counter_key(name, value)] = value;
        }
    });
}

/// What `status` must not hide: keys that two stations use, and a device that acts for its node no more.
Json alarms_json(const ViewContext& c) {
    Json out = Json::array();
    for (const auto& a : c.node.router().alarms()) {
        out.push_back(Json{{"kind", "same key twice"},
                           {"own", a.own},
                           {"id", net::to_string(a.id)},
                           {"address", net::to_string(a.address)},
                           {"since_s", to_seconds(c.link.now() - a.since)},
                           {"evidence", a.evidence},
                           {"evidence_ago_s", to_seconds(c.link.now() - a.newest)}});
    }
    if (c.node.router().superseded()) {
        out.push_back(Json{{"kind", "device key replaced or revoked"},
                           {"own", true},
                           {"id", net::to_string(c.node.router().id())},
                           {"address", net::to_string(c.node.router().address())}});
    }
    return out;
}

/// What the guard passed and refused.
Json transmit_json(TransmitGuard& guard) {
    Json out{{"inhibited", guard.inhibited()}, {"bands", Json::array()}};
    for (const auto& band : guard.air_time(guard.latest())) {
        out["bands"].push_back(
            Json{{"band", band.name}, {"used_s", to_seconds(band.used)}, {"budget_s", to_seconds(band.budget)}});
    }
    add_counters(guard.counters(), out);
    return out;
}

Result<std::string> status_view(const ViewContext& c) {
    Json j;
    std::error_code ignored;
    j["name"] = c.config.name;
    j["id"] = net::to_string(c.node.router().id());
    j["link"] = link_name(c.node.mac().self());
    j["address"] = net::to_string(c.node.router().address());
    j["uptime_s"] = to_seconds(c.uptime);
    j["price_msat_per_mib"] = c.price_msat_per_mib;
    j["tun"] = c.tun_up ? Json(c.tun_name) : Json(nullptr);
    j["tun_state"] = c.tun_state;
    j["host_attached"] = c.host_attached;
    j["alarms"] = alarms_json(c);
    const net::MoneyView money = c.node.router().money(c.link.now());
    j["money"] = Json{{"strangers_msat", money.strangers_msat},
                      {"strangers_limit_msat", money.strangers_limit_msat},
                      {"spent_msat", money.spent_msat},
                      {"spend_limit_msat", money.spend_limit_msat}};
    j["settlement"] = settlement_json(c.node.router(), c.config.settlement, unix_seconds());
    j["cpu_s"] = cpu_seconds();
    j["ledger_file"] = std::filesystem::absolute(c.config.ledger_file, ignored).string();
    j["radio"] = Json{{"state", c.radio_up ? "up" : "lost"},
                      {"samples_ago_s", to_seconds(c.samples_ago)},
                      {"device", c.config.device},
                      {"profile", c.config.profile},
                      {"sample_rate_hz", c.link.clock().rate().hz()},
                      {"sample_index", c.link.next_index()}};
    add_counters(c.link.counters(), j["radio"]);
    add_counters(c.link.radio_counters(), j["radio"]);
    j["phy"] = Json{{"noise_floor_dbfs", finite(c.link.receiver().noise_floor_dbfs())},
                    {"carrier_busy", c.link.receiver().carrier_busy()}};
    add_counters(c.link.receiver().counters(), j["phy"]);
    add_counters(c.node.mac().counters(), j["mac"]);
    add_counters(c.node.router().counters(), j["net"]);
    add_counters(c.node.router().route_counters(), j["routing"]);
    add_counters(c.interface, j["interface"]);
    add_counters(c.icmp, j["interface"]);
    if (c.guard != nullptr) {
        j["transmit"] = transmit_json(*c.guard);
    }
    return dump(j);
}

Result<std::string> neighbours_view(const ViewContext& c) {
    std::map<std::pair<std::uint32_t, net::NodeId>, Json> rows;  // those without a link: by their node id
    for (const auto& n : c.node.mac().neighbors(c.link.now())) {
        Json row;
        row["link"] = link_name(n.quality.peer);
        row["up"] = n.up;
        row["heard_ago_s"] = to_seconds(n.heard_ago);
        row.update(link_json(n.quality, c.link));
        row["queued_bytes"] = n.queued_bytes;
        row["sdus_sent"] = n.sdus_sent;
        row["sdus_acknowledged"] = n.sdus_acknowledged;
        row["sdus_failed"] = n.sdus_failed;
        row["sdus_received"] = n.sdus_received;
        row["duplicates"] = n.duplicates;
        row["retransmissions"] = n.retransmissions;
        row["cfo_hz"] = n.doppler ? Json(n.doppler->cfo_hz) : Json(nullptr);
        row["doppler_rate_hz_s"] = n.doppler ? Json(n.doppler->rate_hz_s) : Json(nullptr);
        rows[{n.quality.peer, {}}] = std::move(row);
    }
    for (const auto& n : c.node.router().neighbors()) {
        Json& row = rows[{n.link, n.link == 0 ? n.id : net::NodeId{}}];
        row["link"] = n.link == 0 ? Json(nullptr) : Json(link_name(n.link));
        row["id"] = net::to_string(n.id);
        row["address"] = net::to_string(n.address);
        row["session_up"] = n.session_up;
        row["balance_msat"] = n.balance_msat;
        row["exposure_msat"] = n.exposure_msat;
        row["credit_msat"] = n.credit_msat;
        row["trusted"] = n.trusted;
        row["hold"] = n.hold.empty() ? Json(nullptr) : Json(n.hold);
        row["unproven_bytes"] = n.unproven_bytes;
        row["allowance_bytes"] = n.allowance_bytes;
        row["unresolved_bytes"] = n.unresolved_bytes;
        row["window_bytes"] = n.window_bytes;
        row["state"] = n.state;
        row["alarm"] = n.alarm ? Json("same key twice") : Json(nullptr);
    }
    Json out = Json::array();
    for (auto& [peer, row] : rows) {
        out.push_back(std::move(row));
    }
    return dump(out);
}

Result<std::string> routes_view(const ViewContext& c) {
    Json out = Json::array();
    for (const auto& r : c.node.router().routes()) {
        Json row{{"destination", net::to_string(r.destination)},
                 {"address", net::to_string(r.address)},
                 {"next_hop", link_name(r.next_hop)}};
        net::visit_components(r.metric, [&row](const char* name, auto value) { row[name] = value; });
        row["seqno"] = r.seqno;
        row["selected"] = r.selected;
        row["feasible"] = r.feasible;
        out.push_back(std::move(row));
    }
    return dump(out);
}

Result<std::string> flows_view(const ViewContext& c) {
    Json out = Json::array();
    for (const auto& f : c.node.router().flows()) {
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

Result<std::string> ledger_of_station(const ViewContext& c) {
    return ledger_view(c.config.ledger_file, c.limit);
}

Result<std::string> payments_of_station(const ViewContext& c) {
    return payments_view(c.node.router(), c.limit);
}

using Format = Column::Format;

constexpr std::array kAlarmColumns{
    Column{"ALARM", "kind"},
    Column{"our own", "own"},
    Column{"since/s", "since_s", Format::kFixed0},
    Column{"last sign/s", "evidence_ago_s", Format::kFixed0},
    Column{"station", "address"},
};
constexpr std::array kNeighbourColumns{
    Column{"link", "link"},
    Column{"up", "up"},
    Column{"session", "session_up"},
    Column{"snr/dB", "snr_db", Format::kFixed1},
    Column{"peer's/dB", "peer_snr_db", Format::kFixed1},
    Column{"mode", "mode"},
    Column{"kbit/s", "rate_bps", Format::kKilo},
    Column{"loss", "loss", Format::kFixed3},
    Column{"cfo/Hz", "cfo_hz", Format::kFixed0},
    Column{"Hz/s", "doppler_rate_hz_s", Format::kFixed1},
    Column{"heard/s", "heard_ago_s", Format::kFixed1},
    Column{"balance/msat", "balance_msat"},
    Column{"exposure", "exposure_msat"},
    Column{"credit", "credit_msat"},
    Column{"unproven/B", "unproven_bytes"},
    Column{"state", "state"},
    Column{"hold", "hold"},
    Column{"alarm", "alarm"},
    Column{"address", "address"},
};
constexpr std::array kRouteColumns{
    Column{"destination", "address"},
    Column{"via", "next_hop"},
    Column{"hops", "hops"},
    Column{"airtime us/KiB", "airtime_us_per_kib"},
    Column{"price msat/MiB", "price_msat_per_mib"},
    Column{"delay/ms", "delay_ms"},
    Column{"seqno", "seqno"},
    Column{"selected", "selected"},
    Column{"feasible", "feasible"},
};
constexpr std::array kFlowColumns{
    Column{"role", "role"},
    Column{"source", "source", Format::kShort},
    Column{"destination", "destination", Format::kShort},
    Column{"bytes", "bytes_forwarded"},
    Column{"units paid", "units_paid"},
    Column{"unit", "unit_bytes"},
    Column{"in msat/MiB", "price_in_msat_per_mib"},
    Column{"out msat/MiB", "price_out_msat_per_mib"},
    Column{"state", "state"},
};
constexpr std::array kBalanceColumns{
    Column{"neighbour", "address"},
    Column{"balance/msat", "balance_msat"},
    Column{"", "balance_msat", Format::kOwes},
    Column{"credits/msat", "earned_msat"},
    Column{"debits/msat", "spent_msat"},
    Column{"bytes", "bytes"},
};
constexpr std::array kEntryColumns{
    Column{"entry", "number"},
    Column{"time (UTC)", "unix_s", Format::kUtc},
    Column{"kind", "kind"},
    Column{"neighbour", "peer", Format::kShort},
    Column{"flow", "flow", Format::kShort},
    Column{"from byte", "from_byte"},
    Column{"to byte", "to_byte"},
    Column{"amount/msat", "amount_msat"},
};

constexpr std::array kBurstColumns{
    Column{"ago/s", "ago_s", Format::kFixed3},
    Column{"ms", "length_ms", Format::kFixed1},
    Column{"direction", "direction"},
    Column{"sender", "sender"},
    Column{"mode", "mode"},
    Column{"bytes", "bytes"},
    Column{"snr/dB", "snr_db", Format::kFixed1},
    Column{"blocks", "blocks"},
    Column{"ok", "blocks_ok"},
};

constexpr std::array kPaymentColumns{
    Column{"time (UTC)", "unix_s", Format::kUtc},
    Column{"pays", "pays"},
    Column{"msat", "msat"},
    Column{"state", "state"},
    Column{"adapter", "adapter"},
    Column{"reference", "reference"},
    Column{"neighbour", "address"},
    Column{"payee has/msat", "payee_has_msat"},
};
constexpr std::array kSettlementColumns{
    Column{"settlement with", "address"},  Column{"owed/nsat", "owed_nsat"},      Column{"due", "due"},
    Column{"from/msat", "threshold_msat"}, Column{"left today", "day_left_msat"}, Column{"by", "adapter"},
};

constexpr std::array kStatusSections{Section{"", {}, ""}, Section{"alarms", kAlarmColumns, ""},
                                     Section{"settlement", kSettlementColumns, ""}};
constexpr std::array kPaymentSections{Section{"", kPaymentColumns, "no payments yet"}};
constexpr std::array kNeighbourSections{Section{"", kNeighbourColumns, "no neighbours yet"}};
constexpr std::array kRouteSections{Section{"", kRouteColumns, "no routes yet"}};
constexpr std::array kFlowSections{Section{"", kFlowColumns, "no flows yet"}};
constexpr std::array kSignalSections{Section{"bursts", kBurstColumns, "no bursts yet"}};
constexpr std::array kLedgerSections{Section{"totals", {}, ""},
                                     Section{"neighbours", kBalanceColumns, "no balances yet"},
                                     Section{"entries", kEntryColumns, ""}};

constexpr std::array kViews{
    View{"status", "Who the station is and what it counts", status_view, kStatusSections},
    View{"neighbours", "Who is heard, how well, and what they owe", neighbours_view, kNeighbourSections},
    View{"routes", "Destinations, next hops and prices", routes_view, kRouteSections},
    View{"flows", "Paid conversations this station takes part in", flows_view, kFlowSections},
    View{"signal", "What was on the channel lately", signal_view, kSignalSections, true},
    View{"ledger", "What was earned and what is owed", ledger_of_station, kLedgerSections, true, ledger_view},
    View{"payments", "Payments outside the mesh, and what neighbours claim to have paid", payments_of_station,
         kPaymentSections, true, payments_of_file},
};

}  // namespace

std::span<const View> views() noexcept {
    return kViews;
}

const View* find_view(std::string_view name) noexcept {
    const auto at = std::find_if(kViews.begin(), kViews.end(), [&](const View& v) { return v.name == name; });
    return at == kViews.end() ? nullptr : &*at;
}

std::string link_name(std::uint32_t link) {
    char text[9];
    std::snprintf(text, sizeof text, "%08x", link);
    return text;
}

}  // namespace meshnet::station
