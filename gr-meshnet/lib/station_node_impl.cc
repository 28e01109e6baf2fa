// SPDX-License-Identifier: GPL-3.0-or-later
#include "station_node_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "counter_map.h"
#include "net/node_id.hpp"
#include "node/node_driver.hpp"
#include "parameters.h"
#include "phy/transmitter.hpp"
#include "station/key_file.hpp"

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;
namespace net = ::meshnet::net;
namespace node = ::meshnet::node;
namespace phy = ::meshnet::phy;
using ::meshnet::Duration;
using ::meshnet::Instant;
namespace station = ::meshnet::station;
using node::Node;

constexpr const char* kName = "Station Node";
constexpr phy::ModeIndex kNoMode = 255;
constexpr std::uint64_t kRounding = 2;  // samples by which a frame's end may lie beyond the last sample received
constexpr Duration kReordering = std::chrono::milliseconds(100);  // of messages: less is no step of the clock

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

void check(double value, double lowest, double highest, const char* field) {
    if (!(value >= lowest && value <= highest)) {
        throw std::invalid_argument(std::string(kName) + ": " + field + " is " + std::to_string(value) +
                                    "; it can be " + std::to_string(lowest) + " to " + std::to_string(highest));
    }
}

void require(const ::meshnet::Status& status) {
    if (!status) {
        throw std::runtime_error(std::string(kName) + ": " + status.error().message);
    }
}

template <class T>
T required(::meshnet::Result<T>&& result) {
    if (!result) {
        throw std::runtime_error(std::string(kName) + ": " + result.error().message);
    }
    return std::move(result).value();
}

const station_settings& checked(const station_settings& s) {
    check(s.lead_s, 0.002, 0.06, "lead_s");
    check(s.turnaround_s, 0.001, 0.05, "turnaround_s");
    check(s.lead_s + s.turnaround_s, 0.003, 0.063, "lead_s + turnaround_s");
    check(s.max_propagation_s, 0.0, 0.02, "max_propagation_s");
    check(s.hello_interval_s, 0.05, 4.0, "hello_interval_s");
    const auto first = node::first_mode(preamble_named(kName, s.longest_preamble));
    if (!s.mode.empty() && mode_named(kName, s.mode) < first) {
        throw std::invalid_argument(std::string(kName) + ": mode " + s.mode +
                                    " has a longer preamble than longest_preamble");
    }
    return s;
}

}  // namespace

station_node::sptr station_node::make(const station_settings& settings) {
    return gnuradio::make_block_sptr<station_node_impl>(settings);
}

station_node_impl::station_node_impl(const station_settings& settings)
    : gr::block("meshnet_station_node", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      profile_(profile_named(kName, settings.profile)),
      settings_(checked(settings)),
      clock_(node::SampleRate::from_hz(profile_.sample_rate_hz)),
      first_mode_(node::first_mode(preamble_named(kName, settings.longest_preamble))),
      model_(profile_, clock_.rate(), first_mode_),
      lead_(::meshnet::from_seconds(settings.lead_s)),
      random_(nullptr) {
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
    Node::Config config;
    net::LedgerState books;
    if (settings_.state_dir.empty()) {
        random_ = std::make_unique<::meshnet::Rng>(settings_.seed);
        config.router.identity = net::Identity::generate(*random_);
    } else {
        require(station::init_random());
        random_ = std::make_unique<station::SystemRandom>();
        const std::string ledger_file = settings_.state_dir + "/station.ledger";
        config.router.identity =
            required(station::load_or_create_key(settings_.state_dir + "/station.key", ledger_file, *random_)).identity;
        ledger_ = required(station::SqliteLedger::open(ledger_file, {.owner = config.router.identity.id()}));
        books = ledger_->state();
    }
    config.mac.turnaround = ::meshnet::from_seconds(settings_.turnaround_s);
    config.mac.transmit_lead = lead_;
    config.mac.max_propagation = ::meshnet::from_seconds(settings_.max_propagation_s);
    config.mac.hello_interval = ::meshnet::from_seconds(settings_.hello_interval_s);
    // A burst must hold the smallest useful frame in the most robust mode; a narrow profile needs long ones.
    config.mac.max_burst = std::max(config.mac.max_burst, model_.airtime(0, mac::kSmallestBurstBytes) * 11 / 10);
    if (!settings_.mode.empty()) {
        config.mac.fixed_mode = static_cast<mac::ModeIndex>(mode_named(kName, settings_.mode) - first_mode_);
    }
    config.router.price_msat_per_mib = settings_.price_msat_per_mib;
    address_ = net::to_string(config.router.identity.address());
    node_ = std::make_unique<Node>(std::move(config), model_, *random_, books);
    now_ = Instant{};
    shift_ = {};
    busy_ = false;
    outstanding_.clear();
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

bool station_node_impl::stop() {
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        while (auto batch = node_->poll_persist(now_)) {  // what it has decided; nothing of it is sent any more
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
    follow(*clock);
    if (!in->bytes.empty() && !on_frame(*in)) {
        ++refused_;
        return;
    }
    if (const bool busy = read_bool(in->meta, "busy").value_or(busy_); busy != busy_) {
        busy_ = busy;
        node_->on_carrier(now_, busy);
    }
    finish_bursts();
    node::wake(*node_, now_);
    pump();
    publish_clock();
}

/// Moves the node's time on to the radio's. A radio whose clock is set back (a USRP at a PPS) begins a new time line:
/// the node's time goes on from where it was, and what the radio still had for the old line is lost.
void station_node_impl::follow(Instant radio_time) {
    if (radio_time + shift_ >= now_ - kReordering) {
        now_ = std::max(now_, radio_time + shift_);
        return;
    }
    shift_ = now_ - radio_time;
    ++time_lines_;
    d_logger->warn("the radio's time went back to " +
                   std::to_string(::meshnet::to_seconds(radio_time.time_since_epoch())) +
                   " s: a new time line; bursts that waited are lost");
    lose_outstanding();
}

void station_node_impl::lose_outstanding() {
    for (const Outstanding& o : std::exchange(outstanding_, {})) {
        node_->on_transmitted(now_, o.id, mac::TxOutcome::kLate);
    }
}

/// False if it is not what an OFDM Receiver publishes.
bool station_node_impl::on_frame(const pdu& in) {
    const auto start = read_time(in.meta, "time");
    const auto length = read_count(in.meta, "length_samples");
    const auto name = read_text(in.meta, "mode");
    const phy::ModeIndex mode = name ? phy::find_mode(*name).value_or(kNoMode) : kNoMode;
    const auto segments = read_u32s(in.meta, "segments");
    if (!start || !length || *length > (std::uint64_t{1} << 40U) || mode == kNoMode || segments.empty() ||
        segments.size() % 3 != 0) {
        return false;
    }
    if (mode < first_mode_) {
        return true;  // of a station with other settings: no mode of this channel
    }
    mac::RxFrame frame;
    frame.start = *start + shift_;
    frame.end = frame.start + clock_.duration_of(*length);
    frame.mode = static_cast<mac::ModeIndex>(mode - first_mode_);
    frame.snr_db = static_cast<float>(read_real(in.meta, "snr_db").value_or(0.0));
    frame.cfo_hz = static_cast<float>(read_real(in.meta, "cfo_hz").value_or(0.0));
    std::size_t covered = 0;
    for (std::size_t i = 0; i < segments.size(); i += 3) {
        if (segments[i] != covered || segments[i + 1] > in.bytes.size() - covered) {
            return false;
        }
        covered += segments[i + 1];
        frame.segments.push_back({segments[i], segments[i + 1], segments[i + 2] != 0});
    }
    if (covered != in.bytes.size() || frame.end > now_ + clock_.duration_of(kRounding)) {
        return false;
    }
    now_ = std::max(now_, frame.end);
    frame.payload = in.bytes;
    node_->on_frame(now_, frame);
    return true;
}

void station_node_impl::on_report(const pmt::pmt_t& message) {
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
    const auto it = std::find_if(outstanding_.begin(), outstanding_.end(), [&](const auto& o) { return o.id == *id; });
    if (it != outstanding_.end()) {
        outstanding_.erase(it);
        node_->on_transmitted(now_, *id, mac::TxOutcome::kLate);
        pump();
    }
}

void station_node_impl::on_ip(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    if (!in) {
        ++refused_;
        return;
    }
    node_->on_packet(now_, in->bytes);
    pump();
}

void station_node_impl::finish_bursts() {
    for (std::size_t i = 0; i < outstanding_.size();) {
        if (outstanding_[i].end > now_) {
            ++i;
            continue;
        }
        const std::uint64_t id = outstanding_[i].id;
        outstanding_.erase(outstanding_.begin() + static_cast<std::ptrdiff_t>(i));
        node_->on_transmitted(now_, id, mac::TxOutcome::kSent);
    }
}

// For node::drive().
void station_node_impl::transmit(mac::TxRequest&& request) {
    const auto mode = static_cast<phy::ModeIndex>(first_mode_ + request.mode);
    const std::size_t samples = phy::frame_samples(profile_, mode, request.payload.size());
    outstanding_.push_back({request.id, request.at + clock_.duration_of(samples + 1)});
    pmt::pmt_t meta = pmt::make_dict();
    meta = add(meta, "mode", pmt::mp(std::string(phy::modes()[mode].name)));
    meta = add(meta, "at", from_instant(request.at - shift_));
    meta = add(meta, "id", pmt::from_uint64(request.id));
    message_port_pub(ports().radio_out, make_pdu(meta, request.payload));
}

void station_node_impl::deliver(::meshnet::Bytes&& packet) {
    message_port_pub(ports().ip_out, make_pdu(pmt::make_dict(), packet));
}

void station_node_impl::persist(net::LedgerBatch&& batch) {
    if (ledger_) {
        ledger_->submit(std::move(batch));
    } else {
        node_->on_persisted(now_, batch.number);  // in memory: written is kept
    }
}

/// Reports what the ledger has written. Never waits: the file has a thread of its own.
void station_node_impl::read_ledger() {
    if (!ledger_) {
        return;
    }
    if (const std::uint64_t written = ledger_->take_persisted(); written != 0) {
        node_->on_persisted(now_, written);
    }
    if (const auto why = ledger_->failure(); why && !ledger_failed_) {
        ledger_failed_ = true;
        d_logger->error("the ledger cannot be written, nothing more is carried on credit: " + *why);
    }
}

void station_node_impl::pump() {
    read_ledger();
    node::drive(*node_, now_, *this);
}

/// How far a clocked transmitter may run: no burst requested from now on begins earlier.
void station_node_impl::publish_clock() {
    message_port_pub(ports().radio_out,
                     make_pdu(add(pmt::make_dict(), "clock", from_instant(now_ - shift_ + lead_)), {}));
}

std::string station_node_impl::address() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return address_;
}

double station_node_impl::time() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ::meshnet::to_seconds(now_.time_since_epoch());
}

std::vector<station_neighbor> station_node_impl::neighbors() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto links = node_->mac().neighbors(now_);
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
