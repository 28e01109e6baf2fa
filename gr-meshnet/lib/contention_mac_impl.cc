// SPDX-License-Identifier: GPL-3.0-or-later
#include "contention_mac_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

#include "counter_map.h"
#include "link_messages.h"
#include "net/node_id.hpp"
#include "parameters.h"

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;

constexpr const char* kName = "Contention MAC";
constexpr std::uint64_t kMaxPriority = 2;

struct Ports {
    const pmt::pmt_t radio_in = pmt::mp("radio_in");
    const pmt::pmt_t reports = pmt::mp("reports");
    const pmt::pmt_t sdus_in = pmt::mp("sdus_in");
    const pmt::pmt_t radio_out = pmt::mp("radio_out");
    const pmt::pmt_t sdus_out = pmt::mp("sdus_out");
    const pmt::pmt_t events = pmt::mp("events");
};

const Ports& ports() {
    static const Ports all;
    return all;
}

std::uint32_t station_number(const mac_settings& s) {
    if (s.station != 0) {
        require_between(kName, "station", s.station, 1, 4294967294.0);
        return s.station;
    }
    ::meshnet::Rng random(s.seed);
    return ::meshnet::net::Identity::generate(random).station_id();
}

}  // namespace

contention_mac::sptr contention_mac::make(const mac_settings& settings) {
    return gnuradio::make_block_sptr<contention_mac_impl>(settings);
}

contention_mac_impl::contention_mac_impl(const mac_settings& settings)
    : gr::block("meshnet_contention_mac", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      settings_(settings),
      station_(station_number(settings)),
      line_(kName, settings.profile, settings.longest_preamble, settings.mode,
            {settings.lead_s, settings.turnaround_s, settings.max_propagation_s, settings.hello_interval_s}) {
    require_between(kName, "duty_cycle", settings.duty_cycle, 1e-6, 1.0);
    build();
    for (const auto& port : {ports().radio_in, ports().reports, ports().sdus_in}) {
        message_port_register_in(port);
    }
    for (const auto& port : {ports().radio_out, ports().sdus_out, ports().events}) {
        message_port_register_out(port);
    }
    set_msg_handler(ports().radio_in, [this](const pmt::pmt_t& m) { guarded([&] { on_radio(m); }); });
    set_msg_handler(ports().reports, [this](const pmt::pmt_t& m) { guarded([&] { on_report(m); }); });
    set_msg_handler(ports().sdus_in, [this](const pmt::pmt_t& m) { guarded([&] { on_sdu(m); }); });
}

void contention_mac_impl::build() {
    mac_.reset();
    random_ = std::make_unique<::meshnet::Rng>(settings_.seed);
    mac::Mac::Config config = line_.mac_config();
    config.self = station_;
    config.duty_cycle = settings_.duty_cycle;
    mac_ = std::make_unique<mac::Mac>(config, line_.model(), *random_);
    line_.restart();
    up_.clear();
    busy_ = false;
    refused_ = 0;
}

bool contention_mac_impl::start() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (started_) {
            build();  // the samples count from 0 again
        }
        started_ = true;
        publish_clock();  // the first samples can flow
    }
    return gr::block::start();
}

/// Whatever a message holds, the block goes on: pmt throws for values of a kind nobody expects.
template <class Handler>
void contention_mac_impl::guarded(Handler&& handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
        handler();
    } catch (const std::exception&) {
        ++refused_;
    }
}

void contention_mac_impl::on_radio(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    const auto clock = in ? read_time(in->meta, "clock") : std::nullopt;
    if (!clock) {
        ++refused_;
        return;
    }
    if (line_.follow(*clock)) {
        ++time_lines_;
        d_logger->warn("the radio's time went back: a new time line; bursts that waited are lost");
        for (const std::uint64_t id : line_.take_all()) {
            mac_->on_transmitted(line_.now(), id, mac::TxOutcome::kLate);
        }
    }
    if (!in->bytes.empty()) {
        mac::RxFrame frame;
        const auto reading = line_.read_frame(*in, frame);
        if (reading == radio_line::Reading::kNotAFrame) {
            ++refused_;
            return;
        }
        if (reading == radio_line::Reading::kFrame) {
            mac_->on_frame(line_.now(), frame);
        }
    }
    if (const bool busy = read_bool(in->meta, "busy").value_or(busy_); busy != busy_) {
        busy_ = busy;
        mac_->on_carrier(line_.now(), busy);
    }
    for (const std::uint64_t id : line_.take_ended()) {
        mac_->on_transmitted(line_.now(), id, mac::TxOutcome::kSent);
    }
    if (const auto due = mac_->next_timeout(); due && *due <= line_.now()) {
        mac_->on_timeout(line_.now());
    }
    step();
}

void contention_mac_impl::on_report(const pmt::pmt_t& message) {
    if (const auto timing = read_timing(message)) {
        mac_->set_radio_timing(line_.now(), *timing);
        return;
    }
    const auto id = read_count(message, "id");
    const auto outcome = read_text(message, "outcome");
    if (!id || !outcome) {
        ++refused_;
    } else if (*outcome != "sent" && line_.take(*id)) {  // a burst counts as sent when its time is over
        mac_->on_transmitted(line_.now(), *id, mac::TxOutcome::kLate);
        step();
    }
}

void contention_mac_impl::on_sdu(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    const auto peer = in ? read_count(in->meta, "peer") : std::nullopt;
    const std::uint64_t priority = in ? read_count(in->meta, "priority").value_or(kMaxPriority) : kMaxPriority + 1;
    if (!peer || *peer == 0 || *peer > ::meshnet::kBroadcast || priority > kMaxPriority || in->bytes.empty() ||
        in->bytes.size() > mac::kMaxSduBytes) {
        ++refused_;
        return;
    }
    const std::uint64_t tag = read_count(in->meta, "tag").value_or(0);
    mac_->enqueue(line_.now(), {static_cast<mac::StationId>(*peer), static_cast<::meshnet::Priority>(priority), tag,
                                std::move(in->bytes)});
    step();
}

/// What is to be done now, and then how far time is.
void contention_mac_impl::step() {
    for (bool progress = true; progress;) {
        progress = false;
        while (const auto event = mac_->poll_event()) {
            publish(*event);
            progress = true;
        }
        while (auto request = mac_->poll_transmit(line_.now())) {
            message_port_pub(ports().radio_out, line_.request(*request));
            progress = true;
        }
    }
    publish_clock();
}

void contention_mac_impl::publish(const mac::Event& event) {
    const pmt::pmt_t message = link_event(event);
    if (const auto* up = std::get_if<mac::LinkUp>(&event)) {
        up_.insert(up->quality.peer);
    } else if (const auto* down = std::get_if<mac::LinkDown>(&event)) {
        up_.erase(down->peer);
    } else if (std::holds_alternative<mac::Received>(event)) {
        message_port_pub(ports().sdus_out, message);
    }
    message_port_pub(ports().events, message);
}

void contention_mac_impl::publish_clock() {
    std::vector<std::uint32_t> room;
    for (const mac::StationId peer : up_) {
        room.push_back(peer);
        room.push_back(static_cast<std::uint32_t>(mac_->room(peer)));
    }
    room.push_back(::meshnet::kBroadcast);
    room.push_back(static_cast<std::uint32_t>(mac_->room(::meshnet::kBroadcast)));
    message_port_pub(ports().events, link_clock(line_.now(), room));
    message_port_pub(ports().radio_out, line_.clock_message());
}

double contention_mac_impl::time() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ::meshnet::to_seconds(line_.now().time_since_epoch());
}

std::vector<std::uint32_t> contention_mac_impl::neighbors() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return {up_.begin(), up_.end()};
}

std::map<std::string, std::uint64_t> contention_mac_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out{{"messages_refused", refused_}, {"time_lines", time_lines_}};
    add_counters(mac_->counters(), out);
    return out;
}

}  // namespace gr::meshnet
