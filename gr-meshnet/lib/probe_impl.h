// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/probe.h>

#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>

namespace gr::meshnet {

class probe_impl final : public probe {
public:
    probe_impl(unsigned window, unsigned interval_ms, unsigned history);

    bool start() override;
    bool stop() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;

    double snr_db() const override;
    double error_rate() const override;
    double cfo_hz() const override;
    std::uint64_t frames() const override;
    std::string summary() const override;

private:
    struct Reading {
        double snr_db, error_rate, cfo_hz;
    };
    using handler = void (probe_impl::*)(const pmt::pmt_t&);
    void take(handler how, const pmt::pmt_t& message);
    void on_event(const pmt::pmt_t& message);
    void on_points(const pmt::pmt_t& message);
    void on_channel(const pmt::pmt_t& message);
    [[nodiscard]] Reading reading() const;
    void publish_history();

    const unsigned window_, interval_ms_, history_;
    mutable std::mutex mutex_;  // guards all below
    double snr_db_ = std::numeric_limits<double>::quiet_NaN();
    double cfo_hz_ = std::numeric_limits<double>::quiet_NaN();
    std::deque<bool> good_;  // of the last frames
    std::size_t bad_ = 0;    // of them
    std::uint64_t frames_ = 0;
    unsigned ticks_ = 0;
    std::deque<Reading> readings_;  // to be written
    std::deque<Reading> past_;      // the last `history_`
};

}  // namespace gr::meshnet
