// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/ofdm_transmitter.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <vector>

#include "core/time.hpp"
#include "node/sample_clock.hpp"
#include "pdu.h"
#include "phy/transmitter.hpp"

namespace gr::meshnet {

class ofdm_transmitter_impl final : public ofdm_transmitter {
public:
    enum class Idle { kNone, kZeros, kClocked };

    ofdm_transmitter_impl(const std::string& profile, const std::string& mode, const std::string& idle,
                          std::uint64_t gap, const std::string& length_tag);

    bool start() override;
    int work(int noutput_items, gr_vector_const_void_star& input_items, gr_vector_void_star& output_items) override;

    void set_mode(const std::string& mode) override;
    std::string mode() const override;
    double sample_rate() const override { return transmitter_.profile().sample_rate_hz; }
    std::map<std::string, std::uint64_t> counters() const override;

private:
    struct Request {
        ::meshnet::Bytes payload;
        ::meshnet::phy::ModeIndex mode = 0;
        std::optional<::meshnet::Instant> at;
        std::optional<std::uint64_t> id;
    };
    struct Burst {
        Request request;
        std::uint64_t start = 0;  // our own sample index
        std::size_t next = 0;     // of samples_, not yet written
    };

    void on_message(const pmt::pmt_t& message);
    void accept(pdu&& in);
    void report(const char* outcome, const std::optional<std::uint64_t>& id, pmt::pmt_t details);
    void refuse(const std::optional<std::uint64_t>& id, const std::string& reason);
    std::size_t step(std::uint64_t index, std::size_t room, gr_complex* out);
    std::size_t write_burst(std::uint64_t index, std::size_t room, gr_complex* out);
    void begin_next(std::uint64_t index);
    void tag_start(std::uint64_t index);

    const Idle idle_;
    const std::uint64_t gap_;
    const pmt::pmt_t length_tag_;  // nil: tx_sob and tx_eob
    ::meshnet::phy::Transmitter transmitter_;
    const ::meshnet::node::SampleClock clock_;
    std::atomic<::meshnet::phy::ModeIndex> mode_;

    std::deque<Request> queue_;
    std::size_t queued_bytes_ = 0;
    std::optional<Burst> burst_;
    std::vector<::meshnet::phy::Sample> samples_;  // of burst_
    std::uint64_t gap_left_ = 0;
    std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();  // samples that may be written

    std::atomic<std::uint64_t> sent_{0}, late_{0}, refused_{0}, samples_sent_{0};
};

}  // namespace gr::meshnet
