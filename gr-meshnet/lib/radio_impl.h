// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/radio.h>

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "limited_log.h"
#include "node/sample_clock.hpp"
#include "phy/profile.hpp"
#include "station/radio/radio.hpp"

namespace gr::meshnet {

class radio_impl final : public radio {
public:
    radio_impl(const std::string& profile, const std::string& device, const std::string& config);

    bool start() override;
    bool stop() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;
    double sample_rate() const override { return profile_.sample_rate_hz; }
    std::map<std::string, std::uint64_t> counters() const override;

private:
    void on_burst(const pmt::pmt_t& message);
    void wait();
    bool receive();
    void report(const std::optional<std::uint64_t>& id, const char* outcome, pmt::pmt_t details);
    void report(const ::meshnet::station::TxReport& done);

    const ::meshnet::phy::Profile& profile_;
    std::unique_ptr<::meshnet::station::Radio> radio_;  // the block's thread alone
    const ::meshnet::node::SampleClock clock_;
    std::vector<gr_complex> pending_;  // received, and no room for it yet
    std::size_t pending_from_ = 0;
    std::uint64_t first_index_ = 0;  // of pending_[0]
    std::uint64_t next_index_ = 0;   // the radio's, after the last sample received
    bool tag_wanted_ = true;         // the next sample begins a stretch
    bool over_ = false;
    std::map<std::uint64_t, std::optional<std::uint64_t>> ids_;  // ours -> the user's
    std::uint64_t next_id_ = 1;
    limited_log log_;
    std::atomic<std::uint64_t> samples_{0}, gaps_{0}, sent_{0}, late_{0}, refused_{0};
    mutable std::mutex mutex_;  // guards driver_counters_
    ::meshnet::station::RadioCounters driver_counters_;
    std::optional<::meshnet::mac::RadioTiming> timing_;  // as last reported
};

}  // namespace gr::meshnet
