// SPDX-License-Identifier: GPL-3.0-or-later
#include "probe_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <exception>
#include <vector>

#include "message_drain.h"
#include "parameters.h"
#include "pdu.h"

namespace gr::meshnet {

namespace {

constexpr std::size_t kMaxReadings = 100'000;  // that nobody takes: then the oldest go

/// The c32vector of a PDU, or nothing.
std::vector<gr_complex> complex_values(const pmt::pmt_t& message) {
    if (!message || !pmt::is_pair(message) || !pmt::is_c32vector(pmt::cdr(message))) {
        return {};
    }
    return pmt::c32vector_elements(pmt::cdr(message));
}

}  // namespace

probe::sptr probe::make(unsigned window, unsigned interval_ms, unsigned history) {
    return gnuradio::make_block_sptr<probe_impl>(window, interval_ms, history);
}

probe_impl::probe_impl(unsigned window, unsigned interval_ms, unsigned history)
    : gr::sync_block("meshnet_probe", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 3, sizeof(float))),
      window_(window),
      interval_ms_(interval_ms),
      history_(history) {
    require_between("Probe", "window", window, 1, 100'000);
    require_between("Probe", "interval_ms", interval_ms, 1, 10'000);
    require_between("Probe", "history", history, 2, 100'000);
    for (const auto& [name, how] :
         {std::pair{"events", &probe_impl::on_event}, std::pair{"constellation", &probe_impl::on_points},
          std::pair{"channel", &probe_impl::on_channel}}) {
        message_port_register_in(pmt::mp(name));
        set_msg_handler(pmt::mp(name), [this, how = how](const pmt::pmt_t& m) { take(how, m); });
    }
    for (const char* name : {"points", "response", "snr_history", "error_history", "cfo_history"}) {
        message_port_register_out(pmt::mp(name));
    }
}

bool probe_impl::start() {
    const std::lock_guard<std::mutex> lock(mutex_);
    readings_.clear();
    past_.clear();
    ticks_ = 0;
    return gr::sync_block::start();
}

/// What waits counts, too.
bool probe_impl::stop() {
    drain_messages(*this, pmt::mp("events"), [this](const pmt::pmt_t& m) { take(&probe_impl::on_event, m); });
    return gr::sync_block::stop();
}

void probe_impl::take(handler how, const pmt::pmt_t& message) {
    try {
        (this->*how)(message);
    } catch (const std::exception&) {  // pmt throws for values of a kind nobody expects
    }
}

void probe_impl::on_event(const pmt::pmt_t& message) {
    const auto in = read_pdu(message);
    if (!in) {
        return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!in->bytes.empty()) {
        const auto good = read_bool(in->meta, "crc_ok");
        if (!good) {
            return;
        }
        ++frames_;
        good_.push_back(*good);
        bad_ += *good ? 0 : 1;
        if (good_.size() > window_) {
            bad_ -= good_.front() ? 0 : 1;
            good_.pop_front();
        }
        snr_db_ = read_real(in->meta, "snr_db").value_or(snr_db_);
        cfo_hz_ = read_real(in->meta, "cfo_hz").value_or(cfo_hz_);
    } else if (has_key(in->meta, "clock") && ++ticks_ >= interval_ms_) {
        ticks_ = 0;
        readings_.push_back(reading());
        if (readings_.size() > kMaxReadings) {
            readings_.pop_front();
        }
        publish_history();
    }
}

/// All of it at once: a time sink of a stream draws nothing before its buffer is full.
void probe_impl::publish_history() {
    past_.push_back(reading());
    if (past_.size() > history_) {
        past_.pop_front();
    }
    const std::size_t first = history_ - past_.size();
    for (const auto& [name, field] :
         {std::pair{"snr_history", &Reading::snr_db}, std::pair{"error_history", &Reading::error_rate},
          std::pair{"cfo_history", &Reading::cfo_hz}}) {
        std::vector<float> values(history_, std::numeric_limits<float>::quiet_NaN());
        std::transform(past_.begin(), past_.end(), values.begin() + static_cast<std::ptrdiff_t>(first),
                       [field = field](const Reading& r) { return static_cast<float>(r.*field); });
        message_port_pub(pmt::mp(name), pmt::cons(pmt::make_dict(), pmt::init_f32vector(values.size(), values.data())));
    }
}

void probe_impl::on_points(const pmt::pmt_t& message) {
    const auto points = complex_values(message);
    if (!points.empty()) {
        message_port_pub(pmt::mp("points"),
                         pmt::cons(pmt::make_dict(), pmt::init_c32vector(points.size(), points.data())));
    }
}

void probe_impl::on_channel(const pmt::pmt_t& message) {
    const auto channel = complex_values(message);
    double mean = 0.0;
    for (const gr_complex& h : channel) {
        mean += static_cast<double>(std::norm(h)) / static_cast<double>(channel.size());
    }
    if (!(mean > 0.0) || !std::isfinite(mean)) {
        return;
    }
    std::vector<float> response;
    for (const gr_complex& h : channel) {
        response.push_back(
            static_cast<float>(10.0 * std::log10(std::max(static_cast<double>(std::norm(h)) / mean, 1e-12))));
    }
    message_port_pub(pmt::mp("response"),
                     pmt::cons(pmt::make_dict(), pmt::init_f32vector(response.size(), response.data())));
}

int probe_impl::work(int noutput_items, gr_vector_const_void_star& /*input_items*/, gr_vector_void_star& output_items) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const std::size_t n = std::min(static_cast<std::size_t>(noutput_items), readings_.size());
    for (std::size_t i = 0; i < n; ++i) {
        const double values[] = {readings_[i].snr_db, readings_[i].error_rate, readings_[i].cfo_hz};
        for (std::size_t port = 0; port < output_items.size(); ++port) {
            static_cast<float*>(output_items[port])[i] = static_cast<float>(values[port]);
        }
    }
    readings_.erase(readings_.begin(), readings_.begin() + static_cast<std::ptrdiff_t>(n));
    return static_cast<int>(n);
}

probe_impl::Reading probe_impl::reading() const {
    const double rate = good_.empty() ? std::numeric_limits<double>::quiet_NaN()
                                      : static_cast<double>(bad_) / static_cast<double>(good_.size());
    return {snr_db_, rate, cfo_hz_};
}

double probe_impl::snr_db() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return snr_db_;
}

double probe_impl::error_rate() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return reading().error_rate;
}

double probe_impl::cfo_hz() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return cfo_hz_;
}

std::uint64_t probe_impl::frames() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return frames_;
}

std::string probe_impl::summary() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (frames_ == 0) {
        return "no frame yet";
    }
    const Reading now = reading();
    char text[160];
    std::snprintf(text, sizeof text,
                  "%llu frames; the last: SNR %.1f dB, carrier offset %.0f Hz; of the last %zu %.1f %% with errors",
                  static_cast<unsigned long long>(frames_), now.snr_db, now.cfo_hz, good_.size(),
                  100.0 * now.error_rate);
    return text;
}

}  // namespace gr::meshnet
