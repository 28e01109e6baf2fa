// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/ofdm_receiver.h>

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "limited_log.h"
#include "node/sample_clock.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/receiver.hpp"

namespace gr::meshnet {

class ofdm_receiver_impl final : public ofdm_receiver {
public:
    /// What leaves beside the frames.
    struct Extras {
        bool constellation, channel, soft_bits, bursts;
    };

    ofdm_receiver_impl(const std::string& profile, bool pass_block_errors, unsigned max_iterations,
                       const std::string& longest_preamble, unsigned decode_threads, const Extras& extras);

    bool start() override;
    bool stop() override;
    void forecast(int noutput_items, gr_vector_int& ninput_items_required) override;
    int general_work(int noutput_items, gr_vector_int& ninput_items, gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override;

    double sample_rate() const override { return config_.profile->sample_rate_hz; }
    std::map<std::string, std::uint64_t> counters() const override;
    double last_snr_db() const override { return last_snr_db_; }
    double last_cfo_hz() const override { return last_cfo_hz_; }
    std::string summary() const override;

private:
    void take(std::span<const gr_complex> samples, std::uint64_t first);
    void push(std::span<const gr_complex> samples);
    void finish();
    void publish_frames();
    void publish_tick();
    void publish_constellation();
    void publish_extras(const ::meshnet::phy::Frame& frame, const pmt::pmt_t& meta);
    void check_rate(const pmt::pmt_t& tag_value);
    [[nodiscard]] bool input_ended(std::size_t items) const;
    void set_time(const pmt::pmt_t& tag_value);
    const ::meshnet::node::SampleClock& clock_at(std::uint64_t index) const;
    void keep_counters();

    const ::meshnet::phy::Receiver::Config config_;
    const bool pass_block_errors_;
    const Extras extras_;
    const std::uint64_t tick_samples_;  // one millisecond
    std::unique_ptr<::meshnet::phy::Receiver> receiver_;
    std::uint64_t index_ = 0;  // samples pushed
    std::size_t held_ = 0;     // of them, those not yet consumed: the last one, until the input ends
    bool finished_ = false;
    std::optional<::meshnet::phy::SampleRing> recent_;  // samples, for `bursts`
    double power_sum_ = 0.0;                            // of the tick under way
    double tick_power_ = 0.0;                           // mean |sample|^2 of the last tick

    // Sample index -> time: before and since the last rx_time.
    ::meshnet::node::SampleClock earlier_, clock_;
    std::uint64_t clock_from_ = 0;

    limited_log rate_log_;
    std::atomic<std::uint64_t> wrong_rates_{0};
    mutable std::mutex mutex_;  // guards counters_
    ::meshnet::phy::ReceiverCounters counters_;
    std::atomic<double> last_snr_db_{std::numeric_limits<double>::quiet_NaN()};
    std::atomic<double> last_cfo_hz_{std::numeric_limits<double>::quiet_NaN()};
};

}  // namespace gr::meshnet
