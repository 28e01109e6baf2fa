// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/synchronizer.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "phy/dsp/sample_gate.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/profile.hpp"

namespace gr::meshnet {

class synchronizer_impl final : public synchronizer {
public:
    synchronizer_impl(const std::string& profile, const std::string& longest_preamble);

    bool start() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;
    std::uint64_t detections() const override { return detections_; }

private:
    const ::meshnet::phy::Profile& profile_;
    const ::meshnet::phy::PreambleClass longest_;
    ::meshnet::phy::SampleGate gate_;
    std::optional<::meshnet::phy::SampleRing> ring_;
    std::vector<::meshnet::phy::FrameSynchronizer> synchronizers_;
    std::vector<::meshnet::phy::FrameStart> found_;
    std::atomic<std::uint64_t> detections_{0};
};

}  // namespace gr::meshnet
