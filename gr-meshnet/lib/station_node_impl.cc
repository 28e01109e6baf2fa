// SPDX-License-Identifier: GPL-3.0-or-later
#include "station_node_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "counter_map.h"
#include "message_drain.h"
#include "net/node_id.hpp"
#include "node/node_driver.hpp"
#include "station_identity.h"

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;
namespace net = ::meshnet::net;
namespace node = ::meshnet::node;
using node::Node;

constexpr const char* kName = "Station Node";

struct Ports {
    const pmt::pmt_t radio_in = pmt::mp("radio_in");
    const pmt::pmt_t radio_out = pmt::mp("radio_out");
    const pmt::pmt_t reports = pmt::mp("reports");
    const pmt::pmt_t ip_in = pmt::mp("ip_in");
    const pmt::pmt_t ip_out = pmt::mp("ip_out");
};

const Ports& ports() {
    static const Ports all;
    return all;
}

}  // namespace

station_node::sptr station_node::make(const station_settings& settings) {
    return gnuradio::make_block_sptr<station_node_impl>(settings);
}

station_node_impl::station_node_impl(const station_settings& settings)
    : gr::block("meshnet_station_node", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      settings_(settings),
      line_(kName, settings.profile, settings.longest_preamble, settings.mode,
            {settings.lead_s, settings.turnaround_s, settings.max_propagation_s, settings.hello_interval_s}) {
    build();
    message_port_register_in(ports().radio_in);
    message_port_register_in(ports().reports);
    message_port_register_in(ports().ip_in);
    message_port_register_out(ports().radio_out);
    message_port_register_out(ports().ip_out);
    set_msg_handler(ports().radio_in, [this](const pmt::pmt_t& m) { guarded([&] { on_radio(m); }); });
    set_msg_handler(ports().reports, [this](const pmt::pmt_t& m) { guarded([&] { on_report(m); }); });
    set_msg_handler(ports().ip_in, [this](const pmt::pmt_t& m) { guarded([&] { on_ip(m); }); });
}

void station_node_impl::build() {
    node_.reset();
    ledger_.reset();
    ledger_failed_ = false;
    auto self = open_identity(kName, settings_.seed, settings_.state_dir);
    random_ = std::move(self.random);
    ledger_ = std::move(self.ledger);
    Node::Config config;
    config.router.identity = std::move(self.identity);
    config.mac = line_.mac_config();
    config.router.price_msat_per_mib = settings_.price_msat_per_mib;
    address_ = net::to_string(config.router.identity.address());
    node_ = std::make_unique<Node>(std::move(config), line_.model(), *random_, self.books);
    line_.restart();
    busy_ = false;
    refused_ = 0;
}

bool station_node_impl::start() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (started_) {
            build();  // the samples count from 0 again: a new boot epoch
        }
        started_ = true;
        publish_clock();  // the first samples can flow
    }
    return gr::block::start();
}

/// What the radio has received is worth something: receipts, and packets for the host.
bool station_node_impl::stop() {
    drain_messages(*this, ports().radio_in, [this](const pmt::pmt_t& m) { guarded([&] { on_radio(m); }); });
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        while (auto batch = node_->poll_persist(line_.now())) {  // what it has decided; nothing of it is sent any more
            persist(std::move(*batch));
        }
    }
    return gr::block::stop();
}

/// Whatever a message holds, the block goes on: pmt throws for values of a kind nobody expects.
template <class Handler>
void station_node_impl::guarded(Handler&& handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
        handler();
    } catch (const std::exception&) {
        ++refused_;
    }
}

void station_node_impl::on_radio(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    const auto clock = in ? read_time(in->meta, "clock") : std::nullopt;
    if (!clock) {
        ++refused_;
        return;
    }
    if (line_.follow(*clock)) {  // the node's time goes on from where it was; what waited for the old line is lost
        ++time_lines_;
        d_logger->warn("the radio's time went back to " +
                       std::to_string(::meshnet::to_seconds(clock->time_since_epoch())) +
                       " s: a new time line; bursts that waited are lost");
        for (const std::uint64_t id : line_.take_all()) {
            node_->on_transmitted(line_.now(), id, mac::TxOutcome::kLate);
        }
    }
    if (!in->bytes.empty() && !on_frame(*in)) {
        ++refused_;
        return;
    }
    if (const bool busy = read_bool(in->meta, "busy").value_or(busy_); busy != busy_) {
        busy_ = busy;
        node_->on_carrier(line_.now(), busy);
    }
    on_sent();
    node::wake(*node_, line_.now());
    pump();
    publish_clock();
}

/// False if it is not what an OFDM Receiver publishes.
bool station_node_impl::on_frame(const pdu& in) {
    mac::RxFrame frame;
    const auto reading = line_.read_frame(in, frame);
    if (reading == radio_line::Reading::kFrame) {
        node_->on_frame(line_.now(), frame);
    }
    return reading != radio_line::Reading::kNotAFrame;
}

void station_node_impl::on_report(const pmt::pmt_t& message) {
    if (const auto timing = read_timing(message)) {
        node_->mac().set_radio_timing(line_.now(), *timing);
        return;
    }
    const auto id = read_count(message, "id");
    const auto outcome = read_text(message, "outcome");
    if (!id || !outcome) {
        ++refused_;
        return;
    }
    // A burst counts as sent when its time is over, so the order of reports and events never matters; what matters here
    // is what did not leave.
    if (*outcome == "sent") {
        return;
    }
    if (line_.take(*id)) {
        node_->on_transmitted(line_.now(), *id, mac::TxOutcome::kLate);
        pump();
    }
}

void station_node_impl::on_ip(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    if (!in) {
        ++refused_;
        return;
    }
    node_->on_packet(line_.now(), in->bytes);
    pump();
}

void station_node_impl::on_sent() {
    for (const std::uint64_t id : line_.take_ended()) {
        node_->on_transmitted(line_.now(), id, mac::TxOutcome::kSent);
    }
}

// For node::drive().
void station_node_impl::transmit(mac::TxRequest&& request) {
    message_port_pub(ports().radio_out, line_.request(request));
}

void station_node_impl::deliver(::meshnet::Bytes&& packet) {
    message_port_pub(ports().ip_out, make_pdu(pmt::make_dict(), packet));
}

void station_node_impl::persist(net::LedgerBatch&& batch) {
    if (ledger_) {
        ledger_->submit(std::move(batch));
    } else {
        node_->on_persisted(line_.now(), batch.number);  // in memory: written is kept
    }
}

/// Reports what the ledger has written. Never waits: the file has a thread of its own.
void station_node_impl::read_ledger() {
    if (!ledger_) {
        return;
    }
    if (const std::uint64_t written = ledger_->take_persisted(); written != 0) {
        node_->on_persisted(line_.now(), written);
    }
    if (const auto why = ledger_->failure(); why && !ledger_failed_) {
        ledger_failed_ = true;
        d_logger->error("the ledger cannot be written, nothing more is carried on credit: " + *why);
    }
}

void station_node_impl::pump() {
    read_ledger();
    node::drive(*node_, line_.now(), *this);
}

void station_node_impl::publish_clock() {
    message_port_pub(ports().radio_out, line_.clock_message());
}

std::string station_node_impl::address() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return address_;
}

double station_node_impl::time() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ::meshnet::to_seconds(line_.now().time_since_epoch());
}

std::vector<station_neighbor> station_node_impl::neighbors() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto links = node_->mac().neighbors(line_.now());
    std::vector<station_neighbor> out;
    for (const auto& n : node_->router().neighbors()) {
        station_neighbor view;
        view.address = net::to_string(n.address);
        view.session_up = n.session_up;
        view.snr_db = static_cast<double>(n.quality.snr_db);
        view.balance_msat = n.balance_msat;
        const auto link =
            std::find_if(links.begin(), links.end(), [&](const auto& l) { return l.quality.peer == n.link; });
        if (link != links.end()) {
            view.propagation_s = ::meshnet::to_seconds(link->quality.propagation);
        }
        out.push_back(std::move(view));
    }
    return out;
}

std::vector<std::string> station_node_impl::destinations() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> out;
    for (const auto& route : node_->router().routes()) {
        if (route.selected) {
            out.push_back(net::to_string(route.address));
        }
    }
    return out;
}

std::map<std::string, std::uint64_t> station_node_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out{
        {"messages_refused", refused_}, {"ledger_failed", ledger_failed_ ? 1 : 0}, {"time_lines", time_lines_}};
    add_counters(node_->mac().counters(), out);
    add_counters(node_->router().counters(), out);
    add_counters(node_->router().route_counters(), out, "route_");
    return out;
}

}  // namespace gr::meshnet
