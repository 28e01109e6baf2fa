// SPDX-License-Identifier: GPL-3.0-or-later
#include "radio_impl.h"

#include <gnuradio/io_signature.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <stdexcept>
#include <utility>

#include "counter_map.h"
#include "parameters.h"
#include "pdu.h"
#include "radio_line.h"
#include "station/config.hpp"
#include "station/guard/transmit_guard.hpp"

namespace gr::meshnet {

namespace {

namespace station = ::meshnet::station;
using ::meshnet::Duration;
using ::meshnet::Instant;

constexpr const char* kName = "Radio";
constexpr int kWaitMs = 2;  // for samples at most, then messages are looked at: a burst that waits here may be late
constexpr Duration kSoon = std::chrono::milliseconds(20);
// From samples through receiver, node and transmitter back to here, on top of what the daemon needs: threads of the
// scheduler take turns. A radio with device time has the node's lead_s for that.
constexpr Duration kFlowgraph = std::chrono::milliseconds(40);
constexpr std::size_t kMaxWaiting = 1024;  // bursts without a report: then the oldest are forgotten
constexpr unsigned kSignOffWaits = 5'000;  // of kWaitMs: a call sign takes some seconds

template <class T>
T required(::meshnet::Result<T>&& result) {
    if (!result) {
        throw std::invalid_argument(std::string(kName) + ": " + result.error().message);
    }
    return std::move(result).value();
}

std::unique_ptr<station::Radio> opened(const ::meshnet::phy::Profile& profile, const std::string& device,
                                       const std::string& text) {
    const auto config = required(station::parse_config(text, "config"));
    if (const auto right = station::check_device(device); !right) {
        throw std::invalid_argument(std::string(kName) + ": device " + right.error().message);
    }
    std::shared_ptr<station::TransmitGuard> guard;
    if (station::reaches_antenna(device)) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        guard = required(station::open_guard(config.transmit, profile.sample_rate_hz,
                                             Instant{std::chrono::duration_cast<Duration>(now)}));
    }
    auto radio = station::open_radio(device, profile, config.radio, std::move(guard));
    if (!radio) {
        throw std::runtime_error(std::string(kName) + ": " + radio.error().message);
    }
    return std::move(radio).value();
}

}  // namespace

radio::sptr radio::make(const std::string& profile, const std::string& device, const std::string& config) {
    return gnuradio::make_block_sptr<radio_impl>(profile, device, config);
}

std::string radio::devices() {
    return station::radio_help();
}

radio_impl::radio_impl(const std::string& profile, const std::string& device, const std::string& config)
    : gr::sync_block("meshnet_radio", gr::io_signature::make(0, 0, 0),
                     gr::io_signature::make(1, 1, sizeof(gr_complex))),
      profile_(profile_named(kName, profile)),
      radio_(opened(profile_, device, config)),
      clock_(radio_->sample_rate()) {
    message_port_register_in(pmt::mp("bursts"));
    set_msg_handler(pmt::mp("bursts"), [this](const pmt::pmt_t& m) {
        try {
            on_burst(m);
        } catch (const std::exception&) {  // pmt throws for values of a kind nobody expects
            ++refused_;
        }
    });
    message_port_register_out(pmt::mp("reports"));
}

bool radio_impl::start() {
    tag_wanted_ = true;
    timing_.reset();  // for whoever has been connected since
    return gr::sync_block::start();
}

/// What the law wants sent last is sent: the radio is served until its call sign is over.
bool radio_impl::stop() {
    radio_->sign_off();
    for (unsigned i = 0; i < kSignOffWaits && !over_; ++i) {
        pending_.clear();
        pending_from_ = 0;
        receive();
        if (!radio_->signing_off()) {
            break;
        }
        wait();
    }
    return gr::sync_block::stop();
}

std::map<std::string, std::uint64_t> radio_impl::counters() const {
    std::map<std::string, std::uint64_t> out{{"samples", samples_},
                                             {"gaps", gaps_},
                                             {"bursts_sent", sent_},
                                             {"bursts_late", late_},
                                             {"bursts_refused", refused_}};
    const std::lock_guard<std::mutex> lock(mutex_);
    add_counters(driver_counters_, out);
    return out;
}

void radio_impl::on_burst(const pmt::pmt_t& message) {
    const bool pair = message && pmt::is_pair(message);
    const pmt::pmt_t meta = pair ? pmt::car(message) : pmt::PMT_NIL;
    if (!pair || !pmt::is_c32vector(pmt::cdr(message)) || pmt::length(pmt::cdr(message)) == 0) {
        ++refused_;
        log_.warn(d_logger, "burst refused: not a PDU of complex samples");
        return;
    }
    const auto id = has_key(meta, "burst_id") ? read_count(meta, "burst_id") : read_count(meta, "id");
    std::optional<Instant> at;
    for (const char* key : {"tx_time", "at"}) {
        if (!at && has_key(meta, key)) {
            at = read_time(meta, key);
            if (!at) {
                ++refused_;
                return report(id, "refused",
                              add(pmt::make_dict(), "reason", pmt::mp(std::string(key) + " is not a time")));
            }
        }
    }
    const auto samples = pmt::c32vector_elements(pmt::cdr(message));
    const std::uint64_t index = at ? clock_.to_index(*at) : next_index_ + clock_.to_index(Instant{} + kSoon);
    const std::uint64_t own = next_id_++;
    ids_[own] = id;
    if (ids_.size() > kMaxWaiting) {
        ids_.erase(ids_.begin());
    }
    if (const auto sent = radio_->transmit(own, index, samples); !sent) {
        d_logger->error("the radio is lost: " + sent.error().message);
        over_ = true;
    }
}

void radio_impl::report(const std::optional<std::uint64_t>& id, const char* outcome, pmt::pmt_t details) {
    details = add(details, "outcome", pmt::mp(outcome));
    if (id) {
        details = add(details, "id", pmt::from_uint64(*id));
    }
    message_port_pub(pmt::mp("reports"), details);
}

void radio_impl::report(const station::TxReport& done) {
    const auto known = ids_.find(done.id);
    if (known == ids_.end()) {
        return;
    }
    const auto id = known->second;
    ids_.erase(known);
    if (done.sent) {
        ++sent_;
        report(id, "sent", add(pmt::make_dict(), "end", from_instant(clock_.to_instant(done.end_index))));
    } else {
        ++late_;
        report(id, "late", pmt::make_dict());
    }
}

void radio_impl::wait() {
    pollfd ready{radio_->fd(), POLLIN, 0};
    ::poll(&ready, 1, kWaitMs);
}

/// False if there is nothing more to come.
bool radio_impl::receive() {
    if (over_) {
        return false;
    }
    auto got = radio_->receive();
    if (!got) {
        d_logger->error("the radio is lost: " + got.error().message);
        over_ = true;
        return false;
    }
    {
        const std::lock_guard<std::mutex> lock(mutex_);
        driver_counters_ = radio_->counters();
    }
    if (const auto timing = radio_->timing(); timing_ != timing) {
        timing_ = timing;
        auto told = timing;
        told.lead += timing.jitter > Duration::zero() ? kFlowgraph : Duration::zero();
        message_port_pub(pmt::mp("reports"), timing_report(told));
    }
    for (const auto& done : got->reports) {
        report(done);
    }
    over_ = got->end;
    if (!got->samples.empty()) {
        if (got->first_index != next_index_ && samples_ > 0) {
            ++gaps_;
        }
        tag_wanted_ = tag_wanted_ || got->first_index != next_index_;
        first_index_ = got->first_index;
        next_index_ = first_index_ + got->samples.size();
        samples_ += got->samples.size();
        pending_ = std::move(got->samples);
        pending_from_ = 0;
    }
    return !over_ || !pending_.empty();
}

int radio_impl::work(int noutput_items, gr_vector_const_void_star& /*input_items*/, gr_vector_void_star& output_items) {
    if (pending_from_ == pending_.size()) {
        pending_.clear();
        pending_from_ = 0;
        if (!over_) {
            wait();
        }
        if (!receive()) {
            return WORK_DONE;
        }
    }
    const std::size_t n = std::min(static_cast<std::size_t>(noutput_items), pending_.size() - pending_from_);
    if (n == 0) {
        return 0;
    }
    if (tag_wanted_) {
        const pmt::pmt_t source = pmt::mp(alias());
        add_item_tag(0, nitems_written(0), pmt::mp("rx_time"),
                     from_instant(clock_.to_instant(first_index_ + pending_from_)), source);
        add_item_tag(0, nitems_written(0), pmt::mp("rx_rate"), pmt::from_double(clock_.rate().hz()), source);
        tag_wanted_ = false;
    }
    std::copy_n(pending_.data() + pending_from_, n, static_cast<gr_complex*>(output_items[0]));
    pending_from_ += n;
    return static_cast<int>(n);
}

}  // namespace gr::meshnet
