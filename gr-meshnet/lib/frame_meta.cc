// SPDX-License-Identifier: GPL-3.0-or-later
#include "frame_meta.h"

#include <algorithm>
#include <string>
#include <vector>

#include "pdu.h"
#include "phy/modes.hpp"

namespace gr::meshnet {

namespace phy = ::meshnet::phy;

pmt::pmt_t describe_frame(const phy::Frame& frame, const ::meshnet::node::SampleClock& clock) {
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
    meta = add(meta, "redundancy_version", pmt::from_uint64(frame.redundancy_version));
    meta = add(meta, "waveform_version", pmt::from_uint64(frame.version));
    meta = add(meta, "payload_bytes", pmt::from_uint64(frame.payload.size()));
    meta = add(meta, "inverted", pmt::from_bool(frame.inverted));
    meta = add(meta, "crc_ok", pmt::from_bool(frame.ok()));
    meta = add(meta, "blocks", pmt::from_uint64(frame.blocks.size()));
    meta = add(meta, "blocks_ok", pmt::from_uint64(good));
    return add(meta, "segments", pmt::init_u32vector(segments.size(), segments));
}

}  // namespace gr::meshnet
