// SPDX-License-Identifier: GPL-3.0-or-later
#include "ofdm_receiver_impl.h"

#include <gnuradio/block_detail.h>
#include <gnuradio/buffer_reader.h>
#include <gnuradio/io_signature.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <vector>

#include "counter_map.h"
#include "frame_meta.h"
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
const pmt::pmt_t& channel_port() {
    static const pmt::pmt_t port = pmt::mp("channel");
    return port;
}
const pmt::pmt_t& soft_bits_port() {
    static const pmt::pmt_t port = pmt::mp("soft_bits");
    return port;
}
const pmt::pmt_t& bursts_port() {
    static const pmt::pmt_t port = pmt::mp("bursts");
    return port;
}

constexpr double kRateTolerance = 1e-4;                       // of rx_rate: no oscillator is further off
constexpr std::size_t kRecentSamples = std::size_t{1} << 20;  // the longest frame that `bursts` has

phy::Receiver::Config make_config(const std::string& profile, unsigned max_iterations,
                                  const std::string& longest_preamble, unsigned decode_threads,
                                  const ofdm_receiver_impl::Extras& extras) {
    const auto longest = preamble_named("OFDM Receiver", longest_preamble);
    phy::Receiver::Config config;
    config.search_medium = longest >= phy::PreambleClass::kMedium;
    config.search_long = longest >= phy::PreambleClass::kLong;
    config.profile = &profile_named("OFDM Receiver", profile);
    config.keep_constellation = extras.constellation;
    config.keep_channel = extras.channel;
    config.keep_soft_bits = extras.soft_bits;
    config.max_iterations = max_iterations;
    config.decode_threads = decode_threads;
    return config;
}

}  // namespace

ofdm_receiver::sptr ofdm_receiver::make(const std::string& profile, bool pass_block_errors, bool constellation,
                                        unsigned max_iterations, const std::string& longest_preamble,
                                        unsigned decode_threads, bool channel, bool soft_bits, bool bursts) {
    return gnuradio::make_block_sptr<ofdm_receiver_impl>(
        profile, pass_block_errors, max_iterations, longest_preamble, decode_threads,
        ofdm_receiver_impl::Extras{constellation, channel, soft_bits, bursts});
}

ofdm_receiver_impl::ofdm_receiver_impl(const std::string& profile, bool pass_block_errors, unsigned max_iterations,
                                       const std::string& longest_preamble, unsigned decode_threads,
                                       const Extras& extras)
    : gr::block("meshnet_ofdm_receiver", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                gr::io_signature::make(0, 0, 0)),
      config_(make_config(profile, max_iterations, longest_preamble, decode_threads, extras)),
      pass_block_errors_(pass_block_errors),
      extras_(extras),
      tick_samples_(static_cast<std::uint64_t>(std::llround(config_.profile->sample_rate_hz * 1e-3))),
      receiver_(std::make_unique<phy::Receiver>(config_)),
      earlier_(SampleRate::from_hz(config_.profile->sample_rate_hz)),
      clock_(earlier_) {
    for (const auto& port :
         {pdus_port(), events_port(), constellation_port(), channel_port(), soft_bits_port(), bursts_port()}) {
        message_port_register_out(port);
    }
}

bool ofdm_receiver_impl::start() {
    receiver_ =
        std::make_unique<phy::Receiver>(config_);  // a second start() begins anew: the first one's end was final
    index_ = 0;
    held_ = 0;
    finished_ = false;
    power_sum_ = tick_power_ = 0.0;
    recent_.reset();
    if (extras_.bursts) {
        recent_.emplace(kRecentSamples);
    }
    clock_ = earlier_ = SampleClock(clock_.rate());
    clock_from_ = 0;
    keep_counters();
    return gr::block::start();
}

bool ofdm_receiver_impl::stop() {
    finish();
    return gr::block::stop();
}

/// The end of the samples: what can still come out of them does.
void ofdm_receiver_impl::finish() {
    if (finished_) {
        return;
    }
    finished_ = true;
    receiver_->flush();
    publish_frames();
    keep_counters();
}

std::map<std::string, std::uint64_t> ofdm_receiver_impl::counters() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::map<std::string, std::uint64_t> out;
    add_counters(counters_, out);
    out["rates_wrong"] = wrong_rates_;
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

/// The last sample received stays in the buffer, though it has been processed: a block that has consumed all is not
/// called again when its input ends, and what it publishes in stop() comes after the word that it is done, on which its
/// subscribers end.
void ofdm_receiver_impl::forecast(int /*noutput_items*/, gr_vector_int& ninput_items_required) {
    ninput_items_required[0] = held_ > 0 && !detail()->input(0)->done() ? 2 : 1;
}

bool ofdm_receiver_impl::input_ended(std::size_t items) const {
    const auto reader = detail()->input(0);
    return reader->done() && reader->items_available() == static_cast<int>(items);
}

int ofdm_receiver_impl::general_work(int /*noutput_items*/, gr_vector_int& ninput_items,
                                     gr_vector_const_void_star& input_items, gr_vector_void_star& /*output_items*/) {
    const auto n = static_cast<std::size_t>(ninput_items[0]);
    const bool ended = input_ended(n);
    const std::span<const gr_complex> in(static_cast<const gr_complex*>(input_items[0]), n);
    take(in.subspan(held_), nitems_read(0) + held_);
    keep_counters();
    if (ended) {
        finish();
    }
    held_ = ended ? 0 : 1;
    consume(0, static_cast<int>(n - held_));
    return 0;
}

/// `first`: offset of samples[0] in the stream.
void ofdm_receiver_impl::take(std::span<const gr_complex> samples, std::uint64_t first) {
    std::vector<gr::tag_t> tags;
    get_tags_in_range(tags, 0, first, first + samples.size());
    std::stable_sort(tags.begin(), tags.end(), gr::tag_t::offset_compare);
    std::size_t done = 0;
    for (const auto& tag : tags) {
        if (pmt::eqv(tag.key, pmt::mp("rx_rate"))) {
            check_rate(tag.value);
        } else if (pmt::eqv(tag.key, pmt::mp("rx_time"))) {
            const auto at = static_cast<std::size_t>(tag.offset - first);
            push(samples.subspan(done, at - done));
            set_time(tag.value);
            done = at;
        }
    }
    push(samples.subspan(done));
}

void ofdm_receiver_impl::check_rate(const pmt::pmt_t& tag_value) {
    const auto rate = to_real(tag_value);
    if (rate && !(std::abs(*rate / sample_rate() - 1.0) <= kRateTolerance)) {
        ++wrong_rates_;
        std::array<char, 160> line{};
        std::snprintf(line.data(), line.size(),
                      "the samples come at %.9g a second (rx_rate); profile %s needs %.9g: nothing will be received",
                      *rate, std::string(config_.profile->name).c_str(), sample_rate());
        rate_log_.warn(d_logger, line.data());
    }
}

/// Ticks fall on whole milliseconds of samples and frames come out with their last sample, so the events do not depend
/// on how the scheduler cuts the stream.
void ofdm_receiver_impl::push(std::span<const gr_complex> samples) {
    while (!samples.empty()) {
        const std::size_t n = std::min<std::uint64_t>(
            {samples.size(), tick_samples_ - index_ % tick_samples_, std::uint64_t{receiver_->samples_wanted()}});
        receiver_->push(samples.first(n));
        if (recent_) {
            recent_->push(samples.first(n));
        }
        for (const gr_complex& v : samples.first(n)) {
            power_sum_ += static_cast<double>(std::norm(v));
        }
        samples = samples.subspan(n);
        index_ += n;
        publish_frames();
        if (index_ % tick_samples_ == 0) {
            tick_power_ = power_sum_ / static_cast<double>(tick_samples_);
            power_sum_ = 0.0;
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
        const pmt::pmt_t meta = add(describe_frame(*frame, clock_at(frame->sample_index)), "clock",
                                    from_instant(clock_.to_instant(index_)));
        const pmt::pmt_t message = make_pdu(meta, frame->payload);
        last_snr_db_ = static_cast<double>(frame->snr_db);
        last_cfo_hz_ = static_cast<double>(frame->cfo_hz);
        if (config_.keep_constellation) {
            publish_constellation();
        }
        publish_extras(*frame, meta);
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
    if (const double floor = receiver_->noise_floor_dbfs(); std::isfinite(floor)) {
        meta = add(meta, "noise_floor_dbfs", pmt::from_double(floor));
    }
    meta = add(meta, "power_dbfs", pmt::from_double(10.0 * std::log10(std::max(tick_power_, 1e-20))));
    message_port_pub(events_port(), make_pdu(meta, {}));
}

void ofdm_receiver_impl::publish_extras(const phy::Frame& frame, const pmt::pmt_t& meta) {
    if (!frame.channel.empty()) {
        message_port_pub(channel_port(),
                         pmt::cons(meta, pmt::init_c32vector(frame.channel.size(), frame.channel.data())));
    }
    if (!frame.soft_bits.empty()) {
        message_port_pub(soft_bits_port(),
                         pmt::cons(meta, pmt::init_f32vector(frame.soft_bits.size(), frame.soft_bits.data())));
    }
    const std::uint64_t end = frame.sample_index + frame.length_samples;
    if (recent_ && frame.sample_index >= recent_->begin() && end <= recent_->end()) {
        std::vector<gr_complex> samples(frame.length_samples);
        recent_->copy(frame.sample_index, samples);
        message_port_pub(bursts_port(), pmt::cons(meta, pmt::init_c32vector(samples.size(), samples.data())));
    }
}

void ofdm_receiver_impl::publish_constellation() {
    const auto points = receiver_->constellation();
    if (!points.empty()) {
        message_port_pub(constellation_port(),
                         pmt::cons(pmt::make_dict(), pmt::init_c32vector(points.size(), points.data())));
    }
}

}  // namespace gr::meshnet
