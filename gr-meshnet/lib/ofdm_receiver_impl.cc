// SPDX-License-Identifier: GPL-3.0-or-later
#include "ofdm_receiver_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <vector>

#include "counter_map.h"
#include "parameters.h"
#include "pdu.h"

namespace gr::meshnet {

namespace {

namespace phy = ::meshnet::phy;
using ::meshnet::node::SampleClock;
using ::meshnet::node::SampleRate;

const pmt::pmt_t& pdus_port() {
    static const pmt::pmt_t port = pmt::mp("pdus");
    return port;
}
const pmt::pmt_t& events_port() {
    static const pmt::pmt_t port = pmt::mp("events");
    return port;
}
const pmt::pmt_t& constellation_port() {
    static const pmt::pmt_t port = pmt::mp("constellation");
    return port;
}

phy::Receiver::Config make_config(const std::string& profile, bool constellation, unsigned max_iterations,
                                  const std::string& longest_preamble, unsigned decode_threads) {
    const auto longest = preamble_named("OFDM Receiver", longest_preamble);
    phy::Receiver::Config config;
    config.search_medium = longest >= phy::PreambleClass::kMedium;
    config.search_long = longest >= phy::PreambleClass::kLong;
    config.profile = &profile_named("OFDM Receiver", profile);
    config.keep_constellation = constellation;
    config.max_iterations = max_iterations;
    config.decode_threads = decode_threads;
    return config;
}

pmt::pmt_t describe(const phy::Frame& frame, const SampleClock& clock) {
    std::vector<std::uint32_t> segments;
    std::uint64_t good = 0;
    for (const auto& block : frame.blocks) {
        segments.push_back(static_cast<std::uint32_t>(block.offset));
        segments.push_back(static_cast<std::uint32_t>(block.length));
        segments.push_back(block.crc_ok ? 1 : 0);
        good += block.crc_ok ? 1 : 0;
    }
    const auto fraction = std::clamp(static_cast<double>(frame.sample_fraction), 0.0, 1.0);
    const ::meshnet::Duration within{static_cast<std::int64_t>(fraction * 1e9 / clock.rate().hz())};
    pmt::pmt_t meta = pmt::make_dict();
    meta = add(meta, "sample_index", pmt::from_uint64(frame.sample_index));
    meta = add(meta, "sample_fraction", pmt::from_double(fraction));
    meta = add(meta, "time", from_instant(clock.to_instant(frame.sample_index) + within));
    meta = add(meta, "length_samples", pmt::from_uint64(frame.length_samples));
    meta = add(meta, "mode", pmt::mp(std::string(phy::modes()[frame.mode].name)));
    meta = add(meta, "snr_db", pmt::from_double(static_cast<double>(frame.snr_db)));
    meta = add(meta, "cfo_hz", pmt::from_double(static_cast<double>(frame.cfo_hz)));
    meta = add(meta, "sfo_ppm", pmt::from_double(static_cast<double>(frame.sfo_ppm)));
    meta = add(meta, "power_dbfs", pmt::from_double(static_cast<double>(frame.power_dbfs)));
    meta = add(meta, "inverted", pmt::from_bool(frame.inverted));
    meta = add(meta, "crc_ok", pmt::from_bool(frame.ok()));
    meta = add(meta, "blocks", pmt::from_uint64(frame.blocks.size()));
    meta = add(meta, "blocks_ok", pmt::from_uint64(good));
    return add(meta, "segments", pmt::init_u32vector(segments.size(), segments));
}

}  // namespace

ofdm_receiver::sptr ofdm_receiver::make(const std::string& profile, bool pass_block_errors, bool constellation,
                                        unsigned max_iterations, const std::string& longest_preamble,
                                        unsigned decode_threads) {
    return gnuradio::make_block_sptr<ofdm_receiver_impl>(profile, pass_block_errors, constellation, max_iterations,
                                                         longest_preamble, decode_threads);
}

ofdm_receiver_impl::ofdm_receiver_impl(const std::string& profile, bool pass_block_errors, bool constellation,
                                       unsigned max_iterations, const std::string& longest_preamble,
                                       unsigned decode_threads)
    : gr::sync_block("meshnet_ofdm_receiver", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                     gr::io_signature::make(0, 0, 0)),
      config_(make_config(profile, constellation, max_iterations, longest_preamble, decode_threads)),
      pass_block_errors_(pass_block_errors),
      tick_samples_(static_cast<std::uint64_t>(std::llround(config_.profile->sample_rate_hz * 1e-3))),
      receiver_(std::make_unique<phy::Receiver>(config_)),
      earlier_(SampleRate::from_hz(config_.profile->sample_rate_hz)),
      clock_(earlier_) {
    message_port_register_out(pdus_port());
    message_port_register_out(events_port());
    message_port_register_out(constellation_port());
}

bool ofdm_receiver_impl::start() {
    receiver_ =
        std::make_unique<phy::Receiver>(config_);  // a second start() begins anew: the first one's end was final
    index_ = 0;
    clock_ = earlier_ = SampleClock(clock_.rate());
    clock_from_ = 0;
    keep_counters();
    return gr::sync_block::start();
}

bool ofdm_receiver_impl::stop() {
    receiver_->flush();
    publish_frames();
    keep_counters();
    return gr::sync_block::stop();
}

std::map<std::string, std::uint64_t> ofdm_receiver_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out;
    add_counters(counters_, out);
    return out;
}

std::string ofdm_receiver_impl::summary() const {
    std::array<char, 200> text{};
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto& c = counters_;
    int n = std::snprintf(text.data(), text.size(),
                          "%" PRIu64 " preambles, %" PRIu64 " headers, %" PRIu64 " error-free frames, %" PRIu64
                          " with block errors",
                          c.preambles, c.headers_ok, c.frames_ok, c.headers_ok - std::min(c.headers_ok, c.frames_ok));
    if (const double snr_db = last_snr_db_; std::isfinite(snr_db) && n > 0) {
        std::snprintf(text.data() + n, text.size() - static_cast<std::size_t>(n),
                      "; the last: SNR %.1f dB, carrier offset %.0f Hz", snr_db, static_cast<double>(last_cfo_hz_));
    }
    return text.data();
}

void ofdm_receiver_impl::keep_counters() {
    const std::lock_guard<std::mutex> lock(mutex_);
    counters_ = receiver_->counters();
}

int ofdm_receiver_impl::work(int noutput_items, gr_vector_const_void_star& input_items,
                             gr_vector_void_star& /*output_items*/) {
    const auto n = static_cast<std::size_t>(noutput_items);
    std::span<const gr_complex> in(static_cast<const gr_complex*>(input_items[0]), n);
    std::vector<gr::tag_t> tags;
    get_tags_in_window(tags, 0, 0, n, pmt::mp("rx_time"));
    std::sort(tags.begin(), tags.end(), gr::tag_t::offset_compare);
    std::size_t done = 0;
    for (const auto& tag : tags) {
        const auto at = static_cast<std::size_t>(tag.offset - nitems_read(0));
        push(in.subspan(done, at - done));
        set_time(tag.value);
        done = at;
    }
    push(in.subspan(done));
    keep_counters();
    return noutput_items;
}

/// Ticks fall on whole milliseconds of samples and frames come out with their last sample, so the events do not depend
/// on how the scheduler cuts the stream.
void ofdm_receiver_impl::push(std::span<const gr_complex> samples) {
    while (!samples.empty()) {
        const std::size_t n = std::min<std::uint64_t>(
            {samples.size(), tick_samples_ - index_ % tick_samples_, std::uint64_t{receiver_->samples_wanted()}});
        receiver_->push(samples.first(n));
        samples = samples.subspan(n);
        index_ += n;
        publish_frames();
        if (index_ % tick_samples_ == 0) {
            publish_tick();
        }
    }
}

void ofdm_receiver_impl::set_time(const pmt::pmt_t& tag_value) {
    if (const auto t = to_instant(tag_value)) {
        earlier_ = clock_;
        clock_ = SampleClock(clock_.rate(), *t, index_);
        clock_from_ = index_;
    }
}

const SampleClock& ofdm_receiver_impl::clock_at(std::uint64_t index) const {
    return index < clock_from_ && clock_from_ > 0 ? earlier_ : clock_;
}

void ofdm_receiver_impl::publish_frames() {
    while (auto frame = receiver_->poll_frame()) {
        const pmt::pmt_t meta =
            add(describe(*frame, clock_at(frame->sample_index)), "clock", from_instant(clock_.to_instant(index_)));
        const pmt::pmt_t message = make_pdu(meta, frame->payload);
        last_snr_db_ = static_cast<double>(frame->snr_db);
        last_cfo_hz_ = static_cast<double>(frame->cfo_hz);
        if (config_.keep_constellation) {
            publish_constellation();
        }
        if (pass_block_errors_ || frame->ok()) {
            message_port_pub(pdus_port(), message);
        }
        message_port_pub(events_port(), message);
    }
}

void ofdm_receiver_impl::publish_tick() {
    pmt::pmt_t meta = pmt::make_dict();
    meta = add(meta, "clock", from_instant(clock_.to_instant(index_)));
    meta = add(meta, "sample_index", pmt::from_uint64(index_));
    meta = add(meta, "busy", pmt::from_bool(receiver_->carrier_busy()));
    meta = add(meta, "noise_floor_dbfs", pmt::from_double(static_cast<double>(receiver_->noise_floor_dbfs())));
    message_port_pub(events_port(), make_pdu(meta, {}));
}

void ofdm_receiver_impl::publish_constellation() {
    const auto points = receiver_->constellation();
    if (!points.empty()) {
        message_port_pub(constellation_port(),
                         pmt::cons(pmt::make_dict(), pmt::init_c32vector(points.size(), points.data())));
    }
}

}  // namespace gr::meshnet
