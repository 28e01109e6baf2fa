// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/metrics.hpp"

#include <array>
#include <map>
#include <utility>

#include "apps/page/metrics_text.hpp"
#include "station/control/counter_groups.hpp"

namespace meshnet::page {

namespace {

constexpr std::size_t kMostRoutes = 500;  // shown one by one

/// A value of `status`.
struct StatusMetric {
    const char* name;
    const char* type;
    const char* pointer;  // into the JSON
    const char* help;
};
constexpr std::array kStatusMetrics{
    StatusMetric{"meshnet_uptime_seconds", "gauge", "/uptime_s", "Since the daemon was started."},
    StatusMetric{"meshnet_cpu_seconds_total", "counter", "/cpu_s", "Processor time of the daemon."},
    StatusMetric{"meshnet_price_msat_per_mib", "gauge", "/price_msat_per_mib", "What carrying a MiB costs here."},
    StatusMetric{"meshnet_host_attached", "gauge", "/host_attached", "1: a program is attached in place of the TUN."},
    StatusMetric{"meshnet_money_strangers_msat", "gauge", "/money/strangers_msat",
                 "Exposure to all neighbours that are not trusted."},
    StatusMetric{"meshnet_money_strangers_limit_msat", "gauge", "/money/strangers_limit_msat", "The most it may be."},
    StatusMetric{"meshnet_money_spent_msat", "gauge", "/money/spent_msat",
                 "Spent for own traffic, of what the budget allows."},
    StatusMetric{"meshnet_money_spend_limit_msat", "gauge", "/money/spend_limit_msat", "The budget."},
    StatusMetric{"meshnet_radio_samples_ago_seconds", "gauge", "/radio/samples_ago_s", "Since the radio gave samples."},
    StatusMetric{"meshnet_radio_sample_rate_hertz", "gauge", "/radio/sample_rate_hz", "Of the radio."},
    StatusMetric{"meshnet_phy_noise_floor_dbfs", "gauge", "/phy/noise_floor_dbfs",
                 "Noise in the channel, dB below full scale."},
    StatusMetric{"meshnet_phy_carrier_busy", "gauge", "/phy/carrier_busy", "1: the channel is in use."},
    StatusMetric{"meshnet_transmit_inhibited", "gauge", "/transmit/inhibited", "1: the operator has stopped sending."},
};

/// A value of each neighbour.
struct NeighbourMetric {
    const char* name;
    const char* type;
    const char* key;
    const char* help;
};
constexpr std::array kNeighbourMetrics{
    NeighbourMetric{"meshnet_neighbour_up", "gauge", "up", "1: it is heard."},
    NeighbourMetric{"meshnet_neighbour_session_up", "gauge", "session_up", "1: both have proven who they are."},
    NeighbourMetric{"meshnet_neighbour_snr_db", "gauge", "snr_db", "At which it is heard here."},
    NeighbourMetric{"meshnet_neighbour_peer_snr_db", "gauge", "peer_snr_db", "At which it hears this station."},
    NeighbourMetric{"meshnet_neighbour_loss_ratio", "gauge", "loss", "Share of what is sent to it that is lost (PER)."},
    NeighbourMetric{"meshnet_neighbour_rate_bytes_per_second", "gauge", "rate_bps", "Rate of the mode towards it."},
    NeighbourMetric{"meshnet_neighbour_heard_ago_seconds", "gauge", "heard_ago_s", "Since it was heard."},
    NeighbourMetric{"meshnet_neighbour_cfo_hertz", "gauge", "cfo_hz", "Its carrier minus this station's."},
    NeighbourMetric{"meshnet_neighbour_queued_bytes", "gauge", "queued_bytes", "Waiting for it."},
    NeighbourMetric{"meshnet_neighbour_sdus_sent_total", "counter", "sdus_sent", "Packets given to its link."},
    NeighbourMetric{"meshnet_neighbour_sdus_acknowledged_total", "counter", "sdus_acknowledged", "Of these, arrived."},
    NeighbourMetric{"meshnet_neighbour_sdus_failed_total", "counter", "sdus_failed", "Of these, given up."},
    NeighbourMetric{"meshnet_neighbour_sdus_received_total", "counter", "sdus_received", "Packets of it."},
    NeighbourMetric{"meshnet_neighbour_duplicates_total", "counter", "duplicates", "Fragments that came again."},
    NeighbourMetric{"meshnet_neighbour_retransmissions_total", "counter", "retransmissions", "Fragments sent again."},
    NeighbourMetric{"meshnet_neighbour_balance_msat", "gauge", "balance_msat", "Above 0: it owes this station."},
    NeighbourMetric{"meshnet_neighbour_exposure_msat", "gauge", "exposure_msat", "Lost if it never paid."},
    NeighbourMetric{"meshnet_neighbour_credit_msat", "gauge", "credit_msat", "The most the exposure may become."},
    NeighbourMetric{"meshnet_neighbour_unproven_bytes", "gauge", "unproven_bytes", "Carried for it, never proven."},
};

std::string text_of(const Json& object, const char* key) {
    const auto at = object.is_object() ? object.find(key) : object.end();
    return object.is_object() && at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Json value_at(const Json& object, const std::string& pointer) {
    const Json::json_pointer at(pointer);
    return object.is_object() && object.contains(at) ? object.at(at) : Json(nullptr);
}

void add_counters(MetricsText& out, const Json& status) {
    station::visit_counter_keys([&](const char* group, const std::string& key, bool is_time) {
        out.family(counter_metric(group, key, is_time), "counter",
                   std::string("Counter ") + key + " of the daemon's group " + group + ".");
        out.sample({}, value_at(status, "/" + std::string(group) + "/" + key));
    });
}

void add_status(MetricsText& out, const Json& status) {
    out.family("meshnet_station_info", "gauge", "Who the station is, as labels.");
    out.sample({{"name", text_of(status, "name")},
                {"id", text_of(status, "id")},
                {"address", text_of(status, "address")},
                {"device", value_at(status, "/radio/device").is_string() ? value_at(status, "/radio/device") : ""},
                {"profile", value_at(status, "/radio/profile").is_string() ? value_at(status, "/radio/profile") : ""}},
               1);
    for (const StatusMetric& m : kStatusMetrics) {
        out.family(m.name, m.type, m.help);
        out.sample({}, value_at(status, m.pointer));
    }
    out.family("meshnet_radio_up", "gauge", "0: the radio is lost and being opened again.");
    out.sample({}, value_at(status, "/radio/state") == "up");
    out.family("meshnet_alarms", "gauge", "Alarms that stand: keys used twice, a device that was replaced.");
    const Json alarms = value_at(status, "/alarms");
    out.sample({}, alarms.is_array() ? alarms.size() : 0);
    out.family("meshnet_interface_up", "gauge", "0: the TUN is wanted and not usable.");
    const std::string tun = text_of(status, "tun_state");
    out.sample({}, tun == "off" ? Json(nullptr) : Json(tun == "up"));
    const Json bands = value_at(status, "/transmit/bands");
    for (const auto& [name, key, help] :
         {std::array{"meshnet_transmit_band_used_seconds", "used_s", "Air time used of the hour that ends now."},
          std::array{"meshnet_transmit_band_budget_seconds", "budget_s", "Air time that any hour may have."}}) {
        out.family(name, "gauge", help);
        for (const Json& band : bands.is_array() ? bands : Json::array()) {
            out.sample({{"band", text_of(band, "band")}}, band.value(key, Json()));
        }
    }
}

MetricsText::Labels labels_of(const Json& neighbour) {
    return {{"link", text_of(neighbour, "link")}, {"address", text_of(neighbour, "address")}};
}

void add_neighbours(MetricsText& out, const Json& neighbours) {
    const Json rows = neighbours.is_array() ? neighbours : Json::array();
    for (const NeighbourMetric& m : kNeighbourMetrics) {
        out.family(m.name, m.type, m.help);
        for (const Json& row : rows) {
            const Json value = row.value(m.key, Json());
            const bool bits = std::string_view(m.key) == "rate_bps" && value.is_number();
            out.sample(labels_of(row), bits ? Json(value.get<double>() / 8.0) : value);
        }
    }
    out.family("meshnet_neighbour_held", "gauge", "1: nothing is carried for it, for the reason in the label.");
    for (const Json& row : rows) {
        for (const char* reason : {"window", "credit", "unsigned", "strangers"}) {
            auto labels = labels_of(row);
            labels.emplace_back("reason", reason);
            out.sample(labels, text_of(row, "hold") == reason);
        }
    }
    out.family("meshnet_neighbour_mode_info", "gauge", "The mode towards it, as a label.");
    for (const Json& row : rows) {
        auto labels = labels_of(row);
        labels.emplace_back("mode", text_of(row, "mode"));
        out.sample(labels, row.contains("mode") ? Json(1) : Json(nullptr));
    }
}

void add_routes(MetricsText& out, const Json& routes, const Json& flows) {
    const Json rows = routes.is_array() ? routes : Json::array();
    std::vector<const Json*> selected;
    for (const Json& row : rows) {
        if (row.value("selected", false)) {
            selected.push_back(&row);
        }
    }
    out.family("meshnet_destinations", "gauge", "Stations to which a way is known.");
    out.sample({}, selected.size());
    selected.resize(std::min(selected.size(), kMostRoutes));
    for (const auto& [name, key, help] :
         {std::array{"meshnet_route_hops", "hops", "Hops of the selected route; at most 500 routes are listed."},
          std::array{"meshnet_route_price_msat_per_mib", "price_msat_per_mib", "Price of the selected route."}}) {
        out.family(name, "gauge", help);
        for (const Json* row : selected) {
            out.sample({{"destination", text_of(*row, "address")}, {"next_hop", text_of(*row, "next_hop")}},
                       row->value(key, Json()));
        }
    }
    std::map<std::string, std::uint64_t> roles{{"source", 0}, {"relay", 0}, {"destination", 0}};
    for (const Json& flow : flows.is_array() ? flows : Json::array()) {
        ++roles[text_of(flow, "role")];
    }
    out.family("meshnet_flows", "gauge", "Paid conversations, by this station's part in them.");
    for (const auto& [role, count] : roles) {
        out.sample({{"role", role}}, count);
    }
}

void add_money(MetricsText& out, const Json& money) {
    for (const auto& [name, type, pointer, help] :
         {std::array{"meshnet_ledger_earned_msat_total", "counter", "/totals/earned_msat", "Claimed for carrying."},
          std::array{"meshnet_ledger_paid_msat_total", "counter", "/totals/paid_msat", "Of that, paid to next relays."},
          std::array{"meshnet_ledger_own_msat_total", "counter", "/totals/own_msat", "Paid for own traffic."},
          std::array{"meshnet_ledger_last_day_net_msat", "gauge", "/last_day/net_msat",
                     "Earned in the last 24 h, less what went to next relays."}}) {
        out.family(name, type, help);
        out.sample({}, value_at(money, pointer));
    }
    out.family("meshnet_ledger_balance_msat", "gauge", "Sum of the ledger's entries with a neighbour.");
    for (const Json& row : money.is_object() ? money.value("neighbours", Json::array()) : Json::array()) {
        out.sample({{"address", text_of(row, "address")}}, row.value("balance_msat", Json()));
    }
}

void add_page(MetricsText& out, const StationState& state, const PageFacts& page,
              std::chrono::system_clock::time_point now) {
    const auto seconds = [](auto duration) { return std::chrono::duration<double>(duration).count(); };
    out.family("meshnet_up", "gauge", "1: the daemon answers.");
    out.sample({}, state.link == StationState::Link::kAnswers);
    out.family("meshnet_page_answer_age_seconds", "gauge", "Since the daemon's last answers.");
    out.sample({}, state.answered ? Json(seconds(now - *state.answered)) : Json(nullptr));
    out.family("meshnet_page_clock_seconds", "gauge", "This machine's clock, Unix time, when it was scraped.");
    out.sample({}, seconds(now.time_since_epoch()));
    out.family("meshnet_page_history_ok", "gauge", "0: the history cannot be written.");
    out.sample({}, page.history_ok);
    out.family("meshnet_page_history_bytes", "gauge", "Size of the history's file.");
    out.sample({}, page.history_bytes);
    out.family("meshnet_disk_free_bytes", "gauge", "Free where the folder is, for its owner.");
    for (const auto& disk : page.disks) {
        out.sample({{"folder", disk.folder}}, disk.free_bytes);
    }
    out.family("meshnet_disk_size_bytes", "gauge", "Size of the file system the folder is on.");
    for (const auto& disk : page.disks) {
        out.sample({{"folder", disk.folder}}, disk.size_bytes);
    }
}

}  // namespace

std::string counter_metric(const std::string& group, const std::string& key, bool is_time) {
    const std::string stem = is_time ? key.substr(0, key.size() - 2) + "_seconds" : key;
    return "meshnet_" + group + "_" + stem + "_total";
}

std::string metrics_of(const StationState& state, const PageFacts& page, std::chrono::system_clock::time_point now) {
    MetricsText out;
    add_page(out, state, page, now);
    if (state.link == StationState::Link::kAnswers) {  // old values are no values: an alert must see the gap
        add_status(out, state.status);
        add_counters(out, state.status);
        add_neighbours(out, state.neighbours);
        add_routes(out, state.routes, state.flows);
        add_money(out, page.money);
    }
    return out.text();
}

}  // namespace meshnet::page
