// SPDX-License-Identifier: GPL-3.0-or-later
#include "stage_format.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "pdu.h"
#include "phy/modes.hpp"

namespace gr::meshnet {

namespace phy = ::meshnet::phy;

const pmt::pmt_t& preamble_key() {
    static const pmt::pmt_t key = pmt::mp("preamble");
    return key;
}

pmt::pmt_t describe_start(const phy::FrameStart& start) {
    const std::uint64_t index = start.sample_index - std::min(start.sample_index, kStageOrigin);
    pmt::pmt_t out = add(pmt::make_dict(), "sample_index", pmt::from_uint64(index));
    out = add(out, "fraction", pmt::from_double(start.fraction));
    out = add(out, "preamble", pmt::mp(std::string(phy::to_string(start.preamble))));
    out = add(out, "cfo", pmt::from_double(start.cfo_cycles_per_sample));
    out = add(out, "metric", pmt::from_double(static_cast<double>(start.metric)));
    out = add(out, "margin", pmt::from_double(static_cast<double>(start.margin)));
    out = add(out, "power", pmt::from_double(static_cast<double>(start.power)));
    return add(out, "inverted", pmt::from_bool(start.inverted));
}

std::optional<phy::FrameStart> read_start(const pmt::pmt_t& value) {
    const auto index = read_count(value, "sample_index");
    const auto name = read_text(value, "preamble");
    const auto preamble = name ? phy::parse_preamble_class(*name) : phy::parse_preamble_class("");
    const auto cfo = read_real(value, "cfo");
    if (!index || *index > (std::uint64_t{1} << 60U) || !preamble || !cfo || std::abs(*cfo) > 0.5) {
        return std::nullopt;
    }
    phy::FrameStart start;
    start.sample_index = *index + kStageOrigin;
    start.fraction = std::clamp(read_real(value, "fraction").value_or(0.0), -0.5, 0.5);
    start.preamble = *preamble;
    start.inverted = read_bool(value, "inverted").value_or(false);
    start.cfo_cycles_per_sample = *cfo;
    start.metric = static_cast<float>(std::clamp(read_real(value, "metric").value_or(1.0), 0.0, 1.0));
    start.margin = static_cast<float>(std::clamp(read_real(value, "margin").value_or(1.0), 1.0, 1e6));
    start.power = static_cast<float>(std::clamp(read_real(value, "power").value_or(1.0), 0.0, 1e6));
    return start;
}

}  // namespace gr::meshnet
