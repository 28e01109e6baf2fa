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
#include "limited_log.h"
#include "node/sample_clock.hpp"
#include "pdu.h"
#include "phy/transmitter.hpp"

namespace gr::meshnet {

class ofdm_transmitter_impl final : public ofdm_transmitter {
public:
    enum class Idle { kNone, kZeros, kClocked, kMessage };

    struct Limits {
        std::uint64_t pad_front, pad_tail, pad_multiple, queue_pdus;
        double queue_seconds;
    };

    ofdm_transmitter_impl(const std::string& profile, const std::string& mode, const std::string& idle,
                          std::uint64_t gap, const std::string& length_tag, const Limits& limits);

    bool start() override;
    bool stop() override;
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
        std::uint64_t air_samples = 0;
        pmt::pmt_t frequency, gain;  // null: none
    };
    struct Burst {
        Request request;
        std::uint64_t start = 0;  // our own sample index of its first sample, padding included
        std::size_t next = 0;     // of samples_, not yet written
    };

    /// A burst handed to a radio that has said nothing of it yet.
    struct OnAir {
        std::optional<std::uint64_t> id;
        std::optional<::meshnet::Instant> at;
    };

    void on_message(const pmt::pmt_t& message);
    void on_async(const pmt::pmt_t& message);
    void accept(pdu&& in);
    [[nodiscard]] std::optional<std::string> read_radio_settings(const pmt::pmt_t& meta, Request& request) const;
    [[nodiscard]] std::optional<std::string> queue_full(const Request& request) const;
    void take_from_queue(Request& out);
    void report_late(const std::optional<std::uint64_t>& id, pmt::pmt_t details, const std::string& why);
    void render(const Request& request);
    void publish_burst(const Request& request);
    void report(const char* outcome, const std::optional<std::uint64_t>& id, pmt::pmt_t details);
    void refuse(const std::optional<std::uint64_t>& id, const std::string& reason);
    std::size_t step(std::uint64_t index, std::size_t room, gr_complex* out);
    std::size_t write_burst(std::uint64_t index, std::size_t room, gr_complex* out);
    void begin_next(std::uint64_t index);
    void tag_start(std::uint64_t index);

    const Idle idle_;
    const std::uint64_t gap_;
    const Limits limits_;
    const pmt::pmt_t length_tag_;  // nil: tx_sob and tx_eob
    ::meshnet::phy::Transmitter transmitter_;
    const ::meshnet::node::SampleClock clock_;
    std::atomic<::meshnet::phy::ModeIndex> mode_;

    std::deque<Request> queue_;
    std::size_t queued_bytes_ = 0;
    std::uint64_t queued_samples_ = 0;
    std::optional<Burst> burst_;
    std::vector<::meshnet::phy::Sample> samples_;  // of burst_, padding included
    std::uint64_t frame_samples_ = 0;              // of them, those of the frame
    std::deque<OnAir> on_air_;                     // the oldest first; without idle samples only
    std::uint64_t gap_left_ = 0;
    std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();  // samples that may be written

    limited_log refused_log_, late_log_;
    std::atomic<std::uint64_t> sent_{0}, late_{0}, refused_{0}, flushed_{0}, underflows_{0}, samples_sent_{0};
};

}  // namespace gr::meshnet
