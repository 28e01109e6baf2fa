// SPDX-License-Identifier: GPL-3.0-or-later
#include "synchronizer_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <span>

#include "parameters.h"
#include "phy/demodulation/receiver_chain.hpp"
#include "stage_format.h"

namespace gr::meshnet {

namespace phy = ::meshnet::phy;

synchronizer::sptr synchronizer::make(const std::string& profile, const std::string& longest_preamble) {
    return gnuradio::make_block_sptr<synchronizer_impl>(profile, longest_preamble);
}

synchronizer_impl::synchronizer_impl(const std::string& profile, const std::string& longest_preamble)
    : gr::sync_block("meshnet_synchronizer", gr::io_signature::make(1, 1, sizeof(gr_complex)),
                     gr::io_signature::make(1, 1, sizeof(gr_complex))),
      profile_(profile_named("Synchronizer", profile)),
      longest_(preamble_named("Synchronizer", longest_preamble)) {
    message_port_register_out(pmt::mp("detections"));
}

bool synchronizer_impl::start() {
    ring_.emplace(phy::ReceiverChain::shortest_ring(profile_));
    ring_->push(std::vector<phy::Sample>(kStageOrigin));
    synchronizers_.clear();
    for (const auto preamble : {phy::PreambleClass::kShort, phy::PreambleClass::kMedium, phy::PreambleClass::kLong}) {
        if (preamble <= longest_) {
            synchronizers_.emplace_back(profile_, preamble);
        }
    }
    detections_ = 0;
    return gr::sync_block::start();
}

int synchronizer_impl::work(int noutput_items, gr_vector_const_void_star& input_items,
                            gr_vector_void_star& output_items) {
    const std::span<const gr_complex> in(static_cast<const gr_complex*>(input_items[0]),
                                         static_cast<std::size_t>(noutput_items));
    const std::span<gr_complex> out(static_cast<gr_complex*>(output_items[0]), in.size());
    gate_.pass(in, out);
    for (std::size_t done = 0; done < out.size();) {
        const std::size_t n = std::min(out.size() - done, kStageStep - ring_->end() % kStageStep);
        ring_->push(out.subspan(done, n));
        done += n;
        if (ring_->end() % kStageStep != 0) {
            continue;
        }
        found_.clear();
        for (auto& s : synchronizers_) {
            s.advance(*ring_, found_);
        }
        for (const phy::FrameStart& start : found_) {
            const pmt::pmt_t what = describe_start(start);
            add_item_tag(0, nitems_written(0) + done - 1, preamble_key(), what, pmt::mp(alias()));
            message_port_pub(pmt::mp("detections"), what);
            ++detections_;
        }
    }
    return noutput_items;
}

}  // namespace gr::meshnet
