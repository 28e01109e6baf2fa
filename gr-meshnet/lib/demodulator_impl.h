// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/demodulator.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "node/sample_clock.hpp"
#include "phy/demodulation/frame_demodulator.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/profile.hpp"

namespace gr::meshnet {

class demodulator_impl final : public demodulator {
public:
    explicit demodulator_impl(const std::string& profile);

    bool start() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;
    std::uint64_t frames() const override { return frames_; }
    std::uint64_t headers() const override { return headers_; }

private:
    void push(std::span<const gr_complex> samples);
    void begin(const ::meshnet::phy::FrameStart& start);
    void advance();
    void publish(::meshnet::phy::Frame&& frame);

    const ::meshnet::phy::Profile& profile_;
    const ::meshnet::node::SampleClock clock_;
    ::meshnet::phy::DemodulatorShared shared_;
    std::optional<::meshnet::phy::SampleRing> ring_;
    std::vector<::meshnet::phy::FrameDemodulator> demodulators_;
    std::atomic<std::uint64_t> frames_{0}, headers_{0};
};

}  // namespace gr::meshnet
