// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/virtual_air.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/air.hpp"

namespace gr::meshnet {

class virtual_air_impl final : public virtual_air {
public:
    explicit virtual_air_impl(::meshnet::sim::Air::Config config);

    bool start() override;
    void forecast(int noutput_items, gr_vector_int& ninput_items_required) override;
    int general_work(int noutput_items, gr_vector_int& ninput_items, gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override;
    double snr_db(unsigned from, unsigned to) const override;
    std::uint64_t samples(unsigned station) const override;

private:
    struct Port {
        std::vector<gr_complex> sent;   // read, and not yet on the air
        std::uint64_t sent_first = 0;   // index of sent[0]
        std::vector<gr_complex> heard;  // and no room for it yet
        std::size_t heard_from = 0;
        std::atomic<std::uint64_t> samples{0};
    };
    [[nodiscard]] std::uint64_t needed(std::size_t station) const;
    [[nodiscard]] bool drained() const;
    void send(std::size_t station);
    void advance();

    const ::meshnet::sim::Air::Config config_;
    const ::meshnet::sim::Air at_start_;
    const std::uint64_t step_samples_;
    std::unique_ptr<::meshnet::sim::Air> air_;
    std::vector<std::unique_ptr<Port>> ports_;
    std::uint64_t bursts_ = 0;
};

}  // namespace gr::meshnet
