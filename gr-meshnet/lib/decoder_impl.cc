// SPDX-License-Identifier: GPL-3.0-or-later
#include "decoder_impl.h"

#include <gnuradio/io_signature.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "message_drain.h"
#include "parameters.h"
#include "pdu.h"
#include "phy/frame.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/grid.hpp"

namespace gr::meshnet {

namespace phy = ::meshnet::phy;

decoder::sptr decoder::make(const std::string& profile, unsigned max_iterations, bool pass_block_errors) {
    return gnuradio::make_block_sptr<decoder_impl>(profile, max_iterations, pass_block_errors);
}

decoder_impl::decoder_impl(const std::string& profile, unsigned max_iterations, bool pass_block_errors)
    : gr::block("meshnet_decoder", gr::io_signature::make(0, 0, 0), gr::io_signature::make(0, 0, 0)),
      profile_(profile_named("Decoder", profile)),
      max_iterations_(max_iterations),
      pass_block_errors_(pass_block_errors) {
    require_between("Decoder", "max_iterations", max_iterations, 1, 100);
    message_port_register_in(pmt::mp("soft_bits"));
    set_msg_handler(pmt::mp("soft_bits"), [this](const pmt::pmt_t& m) { on_message(m); });
    message_port_register_out(pmt::mp("pdus"));
}

/// What waits is decoded; whoever is still there hears it.
bool decoder_impl::stop() {
    drain_messages(*this, pmt::mp("soft_bits"), [this](const pmt::pmt_t& m) { on_message(m); });
    return gr::block::stop();
}

void decoder_impl::on_message(const pmt::pmt_t& message) {
    const char* wrong = "not a PDU of soft bits";
    try {
        if (message && pmt::is_pair(message) && pmt::is_f32vector(pmt::cdr(message))) {
            wrong = decode(pmt::car(message), pmt::cdr(message));
        }
    } catch (const std::exception&) {  // pmt throws for values of a kind nobody expects
    }
    if (wrong != nullptr) {
        ++refused_;
        log_.warn(d_logger, std::string("soft bits refused: ") + wrong);
    }
}

const char* decoder_impl::decode(const pmt::pmt_t& meta, const pmt::pmt_t& values) {
    const auto name = read_text(meta, "mode");
    const auto index = name ? phy::find_mode(*name) : std::nullopt;
    const auto bytes = read_count(meta, "payload_bytes");
    const std::uint64_t redundancy = read_count(meta, "redundancy_version").value_or(0);
    if (!index || !bytes || *bytes < 1 || *bytes > phy::kMaxPayloadBytes || redundancy > 3) {
        return "mode, payload_bytes or redundancy_version is missing or impossible";
    }
    const phy::Mode& mode = phy::modes()[*index];
    const std::size_t per_symbol =
        phy::Grid::data_per_symbol(profile_, phy::class_params(profile_, mode.preamble).dense_pilots);
    const phy::PayloadLayout layout(mode, *bytes, per_symbol);
    std::vector<float> llr = pmt::f32vector_elements(values);
    if (llr.size() != layout.symbols() * per_symbol * mode.bits_per_symbol) {
        return "their number is not what mode and payload_bytes say";
    }
    std::replace_if(
        llr.begin(), llr.end(), [](float v) { return !std::isfinite(v); }, 0.0F);

    ::meshnet::Bytes payload(*bytes);
    phy::BlockAssembly assembly;
    std::vector<std::uint32_t> segments;
    std::uint64_t good = 0;
    const float* next = llr.data();
    for (std::size_t b = 0; b < layout.blocks(); ++b) {
        assembly.begin_block(layout.block_points(b), mode.bits_per_symbol);
        for (bool complete = false; !complete; next += mode.bits_per_symbol) {
            complete = assembly.add(next);
        }
        const std::size_t offset = layout.block_offset(b);
        const auto out = std::span<std::uint8_t>(payload).subspan(offset, layout.block_bytes(b));
        const bool right =
            decoder_.decode(assembly.llr, static_cast<unsigned>(redundancy), max_iterations_, out).crc_ok;
        good += right ? 1 : 0;
        segments.push_back(static_cast<std::uint32_t>(offset));
        segments.push_back(static_cast<std::uint32_t>(out.size()));
        segments.push_back(right ? 1 : 0);
    }
    const bool ok = good == layout.blocks();
    ++(ok ? ok_ : bad_);
    if (ok || pass_block_errors_) {
        pmt::pmt_t out = add(meta, "crc_ok", pmt::from_bool(ok));
        out = add(out, "blocks", pmt::from_uint64(layout.blocks()));
        out = add(out, "blocks_ok", pmt::from_uint64(good));
        out = add(out, "segments", pmt::init_u32vector(segments.size(), segments));
        message_port_pub(pmt::mp("pdus"), make_pdu(out, payload));
    }
    return nullptr;
}

}  // namespace gr::meshnet
