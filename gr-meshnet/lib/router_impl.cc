// SPDX-License-Identifier: GPL-3.0-or-later
#include "router_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <variant>

#include "counter_map.h"
#include "link_messages.h"
#include "message_drain.h"
#include "net/node_id.hpp"
#include "parameters.h"
#include "station_identity.h"

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;
namespace net = ::meshnet::net;

constexpr const char* kName = "Router";
constexpr std::size_t kSmallestFrameBytes = 256;  // below this much room a frame would be mostly header

struct Ports {
    const pmt::pmt_t mac_in = pmt::mp("mac_in");
    const pmt::pmt_t ip_in = pmt::mp("ip_in");
    const pmt::pmt_t mac_out = pmt::mp("mac_out");
    const pmt::pmt_t ip_out = pmt::mp("ip_out");
};

const Ports& ports() {
    static const Ports all;
    return all;
}

}  // namespace

router::sptr router::make(std::uint64_t seed, const std::string& state_dir, std::uint64_t price_msat_per_mib,
                          double answer_s) {
    return gnuradio::make_block_sptr<router_impl>(seed, state_dir, price_msat_per_mib, answer_s);
}

router_impl::router_impl(std::uint64_t seed, const std::string& state_dir, std::uint64_t price_msat_per_mib,
                         double answer_s)
    : gr::block("meshnet_router", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      seed_(seed),
      state_dir_(state_dir),
      price_msat_per_mib_(price_msat_per_mib),
      answer_((require_between(kName, "answer_s", answer_s, 0.001, 10.0), ::meshnet::from_seconds(answer_s))) {
    build();
    message_port_register_in(ports().mac_in);
    message_port_register_in(ports().ip_in);
    message_port_register_out(ports().mac_out);
    message_port_register_out(ports().ip_out);
    set_msg_handler(ports().mac_in, [this](const pmt::pmt_t& m) { guarded([&] { on_mac(m); }); });
    set_msg_handler(ports().ip_in, [this](const pmt::pmt_t& m) { guarded([&] { on_ip(m); }); });
}

void router_impl::build() {
    router_.reset();
    ledger_.reset();
    ledger_failed_ = false;
    auto self = open_identity(kName, seed_, state_dir_);
    random_ = std::move(self.random);
    ledger_ = std::move(self.ledger);
    station_ = self.identity.station_id();
    net::Router::Config config;
    config.identity = std::move(self.identity);
    config.price_msat_per_mib = price_msat_per_mib_;
    router_ = std::make_unique<net::Router>(std::move(config), *random_, self.books);
    now_ = {};
    room_.clear();
    refused_ = 0;
}

bool router_impl::start() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        if (started_) {
            build();  // the MAC's time begins anew
        }
        started_ = true;
    }
    return gr::block::start();
}

/// What the MAC has received is worth something: receipts, and packets for the host.
bool router_impl::stop() {
    drain_messages(*this, ports().mac_in, [this](const pmt::pmt_t& m) { guarded([&] { on_mac(m); }); });
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        while (auto batch = router_->poll_persist(now_)) {  // what it has decided; nothing of it is sent any more
            persist(std::move(*batch));
        }
    }
    return gr::block::stop();
}

/// Whatever a message holds, the block goes on: pmt throws for values of a kind nobody expects.
template <class Handler>
void router_impl::guarded(Handler&& handler) {
    const std::lock_guard<std::mutex> lock(mutex_);
    try {
        handler();
    } catch (const std::exception&) {
        ++refused_;
    }
}

void router_impl::on_mac(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    if (!in) {
        ++refused_;
        return;
    }
    const auto name = read_text(in->meta, "event").value_or("");
    const auto clock = read_time(in->meta, "clock");
    if (name == "clock" && clock) {
        return on_clock(*in, *clock);
    }
    if (name == "done") {
        return;  // the router counts what arrived by its own receipts
    }
    if (const auto event = read_link_event(*in)) {
        on_event(*event);
    } else {
        ++refused_;
    }
}

/// A MAC's step is over: its time, and how much fits into its queues.
void router_impl::on_clock(const pdu& in, ::meshnet::Instant clock) {
    now_ = std::max(now_, clock);
    const auto room = read_u32s(in.meta, "room");
    room_.clear();
    for (std::size_t i = 0; i + 1 < room.size(); i += 2) {
        room_[room[i]] = room[i + 1];
    }
    if (const auto due = router_->next_timeout(); due && *due <= now_) {
        router_->on_timeout(now_);
    }
    step();
}

void router_impl::on_event(const mac::Event& event) {
    const auto translate = [&](const mac::LinkQuality& q) {
        net::LinkQuality out;
        out.rate_bps = q.rate_bps;
        out.loss = q.loss;
        out.airtime_us_per_kib = q.airtime_us_per_kib;
        out.round_trip = 2 * q.propagation + answer_;
        out.snr_db = q.snr_db;
        out.link_class = net::LinkClass::kRadio;
        return out;
    };
    if (const auto* up = std::get_if<mac::LinkUp>(&event)) {
        router_->on_link_up(now_, up->quality.peer, translate(up->quality));
    } else if (const auto* changed = std::get_if<mac::LinkChanged>(&event)) {
        router_->on_link_changed(now_, changed->quality.peer, translate(changed->quality));
    } else if (const auto* down = std::get_if<mac::LinkDown>(&event)) {
        router_->on_link_down(now_, down->peer);
    } else if (const auto* received = std::get_if<mac::Received>(&event)) {
        router_->on_frame(now_, received->sdu.peer, received->sdu.bytes);
    }
}

void router_impl::on_ip(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    if (!in) {
        ++refused_;
        return;
    }
    router_->on_packet(now_, in->bytes);
    step();
}

void router_impl::step() {
    read_ledger();
    send_frames();
    while (auto packet = router_->poll_packet()) {
        message_port_pub(ports().ip_out, make_pdu(pmt::make_dict(), *packet));
    }
    while (auto batch = router_->poll_persist(now_)) {
        persist(std::move(*batch));
        send_frames();
    }
}

/// One frame per neighbour and turn, so that none fills the shared queue alone.
void router_impl::send_frames() {
    for (bool progress = true; progress;) {
        progress = false;
        for (const net::NeighborId to : router_->pending()) {
            const auto room = room_.find(to);
            if (room == room_.end() || room->second < kSmallestFrameBytes) {
                continue;
            }
            const auto frame = router_->poll_transmit(now_, to, std::min(room->second, net::kMaxFrameBytes));
            if (!frame) {
                continue;
            }
            room->second -= std::min(room->second, frame->bytes.size());
            pmt::pmt_t meta = add(pmt::make_dict(), "peer", pmt::from_uint64(to));
            meta = add(meta, "priority", pmt::from_uint64(static_cast<std::uint64_t>(frame->priority)));
            message_port_pub(ports().mac_out, make_pdu(meta, frame->bytes));
            progress = true;
        }
    }
}

void router_impl::persist(net::LedgerBatch&& batch) {
    if (ledger_) {
        ledger_->submit(std::move(batch));
    } else {
        router_->on_persisted(now_, batch.number);  // in memory: written is kept
    }
}

/// Reports what the ledger has written. Never waits: the file has a thread of its own.
void router_impl::read_ledger() {
    if (!ledger_) {
        return;
    }
    if (const std::uint64_t written = ledger_->take_persisted(); written != 0) {
        router_->on_persisted(now_, written);
    }
    if (const auto why = ledger_->failure(); why && !ledger_failed_) {
        ledger_failed_ = true;
        d_logger->error("the ledger cannot be written, nothing more is carried on credit: " + *why);
    }
}

std::uint32_t router_impl::station() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return station_;
}

std::string router_impl::address() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return net::to_string(router_->address());
}

std::vector<std::string> router_impl::destinations() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::string> out;
    for (const auto& route : router_->routes()) {
        if (route.selected) {
            out.push_back(net::to_string(route.address));
        }
    }
    return out;
}

std::vector<std::uint32_t> router_impl::sessions() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::vector<std::uint32_t> out;
    for (const auto& n : router_->neighbors()) {
        if (n.session_up) {
            out.push_back(n.link);
        }
    }
    return out;
}

std::map<std::string, std::uint64_t> router_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out{{"messages_refused", refused_}, {"ledger_failed", ledger_failed_ ? 1 : 0}};
    add_counters(router_->counters(), out);
    return out;
}

}  // namespace gr::meshnet
