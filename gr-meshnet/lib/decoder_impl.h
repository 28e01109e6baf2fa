// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/decoder.h>

#include <atomic>
#include <cstdint>

#include "limited_log.h"
#include "phy/demodulation/block_decoder.hpp"
#include "phy/profile.hpp"

namespace gr::meshnet {

class decoder_impl final : public decoder {
public:
    decoder_impl(const std::string& profile, unsigned max_iterations, bool pass_block_errors);

    bool stop() override;
    std::uint64_t frames_ok() const override { return ok_; }
    std::uint64_t frames_bad() const override { return bad_; }
    std::uint64_t refused() const override { return refused_; }

private:
    void on_message(const pmt::pmt_t& message);
    /// What is wrong with it, or nothing.
    [[nodiscard]] const char* decode(const pmt::pmt_t& meta, const pmt::pmt_t& values);

    const ::meshnet::phy::Profile& profile_;
    const unsigned max_iterations_;
    const bool pass_block_errors_;
    ::meshnet::phy::BlockDecoder decoder_;
    limited_log log_;
    std::atomic<std::uint64_t> ok_{0}, bad_{0}, refused_{0};
};

}  // namespace gr::meshnet
