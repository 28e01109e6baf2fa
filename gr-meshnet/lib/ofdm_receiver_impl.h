// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/ofdm_receiver.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>

#include "node/sample_clock.hpp"
#include "phy/receiver.hpp"

namespace gr::meshnet {

class ofdm_receiver_impl final : public ofdm_receiver {
public:
    ofdm_receiver_impl(const std::string& profile, bool pass_block_errors, bool constellation, unsigned max_iterations,
                       const std::string& longest_preamble, unsigned decode_threads);

    bool start() override;
    bool stop() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;

    double sample_rate() const override { return config_.profile->sample_rate_hz; }
    std::map<std::string, std::uint64_t> counters() const override;
    double last_snr_db() const override { return last_snr_db_; }
    double last_cfo_hz() const override { return last_cfo_hz_; }
    std::string summary() const override;

private:
    void push(std::span<const gr_complex> samples);
    void publish_frames();
    void publish_tick();
    void publish_constellation();
    void set_time(const pmt::pmt_t& tag_value);
    const ::meshnet::node::SampleClock& clock_at(std::uint64_t index) const;
    void keep_counters();

    const ::meshnet::phy::Receiver::Config config_;
    const bool pass_block_errors_;
    const std::uint64_t tick_samples_;  // one millisecond
    std::unique_ptr<::meshnet::phy::Receiver> receiver_;
    std::uint64_t index_ = 0;  // samples pushed

    // Sample index -> time: before and since the last rx_time.
    ::meshnet::node::SampleClock earlier_, clock_;
    std::uint64_t clock_from_ = 0;

    mutable std::mutex mutex_;  // guards counters_
    ::meshnet::phy::ReceiverCounters counters_;
    std::atomic<double> last_snr_db_{std::numeric_limits<double>::quiet_NaN()};
    std::atomic<double> last_cfo_hz_{std::numeric_limits<double>::quiet_NaN()};
};

}  // namespace gr::meshnet
