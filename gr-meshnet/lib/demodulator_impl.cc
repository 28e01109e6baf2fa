// SPDX-License-Identifier: GPL-3.0-or-later
#include "demodulator_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <utility>

#include "frame_meta.h"
#include "parameters.h"
#include "pdu.h"
#include "phy/demodulation/receiver_chain.hpp"
#include "stage_format.h"

namespace gr::meshnet {

namespace {

namespace phy = ::meshnet::phy;
using State = phy::FrameDemodulator::State;

constexpr std::size_t kAtOnce = 4;          // overlapping frames
constexpr unsigned kIterations = 1;         // the decoder comes later; the demodulator's own is not asked
constexpr std::uint64_t kSameArrival = 32;  // samples: detections nearer together are of one arrival

}  // namespace

demodulator::sptr demodulator::make(const std::string& profile) {
    return gnuradio::make_block_sptr<demodulator_impl>(profile);
}

demodulator_impl::demodulator_impl(const std::string& profile)
    : gr::sync_block("meshnet_demodulator", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                     gr::io_signature::make(0, 0, 0)),
      profile_(profile_named("Demodulator", profile)),
      clock_(::meshnet::node::SampleRate::from_hz(profile_.sample_rate_hz)),
      shared_(profile_) {
    shared_.keep_channel = true;
    shared_.keep_soft_bits = true;
    message_port_register_out(pmt::mp("soft_bits"));
    message_port_register_out(pmt::mp("channel"));
}

bool demodulator_impl::start() {
    ring_.emplace(phy::ReceiverChain::shortest_ring(profile_));
    ring_->push(std::vector<phy::Sample>(kStageOrigin));
    demodulators_.clear();
    for (std::size_t i = 0; i < kAtOnce; ++i) {
        demodulators_.emplace_back(shared_);
    }
    frames_ = headers_ = 0;
    return gr::sync_block::start();
}

int demodulator_impl::work(int noutput_items, gr_vector_const_void_star& input_items,
                           gr_vector_void_star& /*output_items*/) {
    const std::span<const gr_complex> in(static_cast<const gr_complex*>(input_items[0]),
                                         static_cast<std::size_t>(noutput_items));
    std::vector<gr::tag_t> tags;
    get_tags_in_window(tags, 0, 0, in.size(), preamble_key());
    std::stable_sort(tags.begin(), tags.end(), gr::tag_t::offset_compare);
    std::size_t done = 0;
    for (const auto& tag : tags) {
        const auto after = static_cast<std::size_t>(tag.offset - nitems_read(0)) + 1;
        push(in.subspan(done, after - done));
        done = after;
        if (const auto start = read_start(tag.value)) {
            begin(*start);
            advance();
        }
    }
    push(in.subspan(done));
    return noutput_items;
}

void demodulator_impl::push(std::span<const gr_complex> samples) {
    while (!samples.empty()) {
        const std::size_t n = std::min(samples.size(), kStageStep - ring_->end() % kStageStep);
        ring_->push(samples.first(n));
        samples = samples.subspan(n);
        advance();
    }
}

void demodulator_impl::begin(const phy::FrameStart& start) {
    if (start.sample_index < ring_->begin() || start.sample_index >= ring_->end()) {
        return;  // not of this stream
    }
    for (const auto& d : demodulators_) {
        const std::uint64_t other = d.frame_start().sample_index;
        const std::uint64_t distance = std::max(other, start.sample_index) - std::min(other, start.sample_index);
        if (d.state() != State::kIdle && distance < kSameArrival) {
            return;
        }
    }
    const auto idle = std::find_if(demodulators_.begin(), demodulators_.end(),
                                   [](const auto& d) { return d.state() == State::kIdle; });
    if (idle != demodulators_.end()) {
        ++frames_;
        idle->start(start);
    }
}

void demodulator_impl::advance() {
    for (auto& d : demodulators_) {
        if (d.state() == State::kIdle) {
            continue;
        }
        const bool had_header = d.header_ok();
        d.advance(*ring_, kIterations);
        headers_ += d.header_ok() && !had_header ? 1 : 0;
        if (d.state() == State::kDone) {
            publish(d.take());
        } else if (d.finished()) {
            d.release();
        }
    }
}

void demodulator_impl::publish(phy::Frame&& frame) {
    frame.sample_index -= std::min(frame.sample_index, kStageOrigin);
    const auto soft_bits = pmt::init_f32vector(frame.soft_bits.size(), frame.soft_bits.data());
    const auto channel = pmt::init_c32vector(frame.channel.size(), frame.channel.data());
    pmt::pmt_t meta = describe_frame(frame, clock_);
    for (const char* key : {"crc_ok", "blocks_ok", "segments"}) {
        meta = pmt::dict_delete(meta, pmt::mp(key));
    }
    message_port_pub(pmt::mp("soft_bits"), pmt::cons(meta, soft_bits));
    message_port_pub(pmt::mp("channel"), pmt::cons(meta, channel));
}

}  // namespace gr::meshnet
