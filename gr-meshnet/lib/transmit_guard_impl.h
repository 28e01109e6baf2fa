// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/transmit_guard.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/time.hpp"
#include "limited_log.h"
#include "node/sample_clock.hpp"
#include "station/guard/transmit_guard.hpp"

namespace gr::meshnet {

class transmit_guard_impl final : public transmit_guard {
public:
    explicit transmit_guard_impl(const guard_settings& settings);

    bool start() override;
    void forecast(int noutput_items, gr_vector_int& ninput_items_required) override;
    int general_work(int noutput_items, gr_vector_int& ninput_items, gr_vector_const_void_star& input_items,
                     gr_vector_void_star& output_items) override;

    void set_inhibited(bool inhibited) override;
    bool inhibited() const override;
    std::map<std::string, std::uint64_t> counters() const override;
    std::string last_refusal() const override;

private:
    /// A burst that comes in.
    struct Incoming {
        std::vector<gr_complex> samples;
        std::uint64_t first = 0;    // offset of its first sample
        std::uint64_t length = 0;   // by the length tag; 0: until tx_eob
        std::uint64_t dropped = 0;  // samples beyond the longest burst
        std::optional<::meshnet::Instant> at;
        std::optional<double> frequency;
        pmt::pmt_t frequency_tag;
        std::optional<std::uint64_t> id;
    };
    struct Tag {
        std::uint64_t offset;
        pmt::pmt_t key, value;
    };

    void on_events(const pmt::pmt_t& message);
    void on_inhibit(const pmt::pmt_t& message);
    void listen(::meshnet::Instant wall, double power_dbfs);
    void identify(::meshnet::Instant wall);
    [[nodiscard]] ::meshnet::Instant to_wall(::meshnet::Instant radio);
    void take(std::span<const gr_complex> in, std::uint64_t first);
    void on_tag(const gr::tag_t& tag);
    void take_samples(std::span<const gr_complex> in, std::uint64_t first, std::optional<std::uint64_t> end_of_burst);
    void begin(std::uint64_t offset, std::uint64_t length);
    void cut();
    void end_burst();
    void refuse(const std::optional<std::uint64_t>& id, const std::string& sentence, int kind);
    void emit(std::span<const gr_complex> samples, const std::optional<::meshnet::Instant>& at,
              const pmt::pmt_t& frequency, const std::optional<std::uint64_t>& id);
    void emit_zeros(std::uint64_t count);
    bool next_mark(std::uint64_t from);
    [[nodiscard]] std::uint64_t next_output();

    const guard_settings settings_;
    const bool zeros_;
    const pmt::pmt_t length_tag_;  // nil: tx_sob and tx_eob
    const ::meshnet::node::SampleClock clock_;
    double center_hz_;  // where the radio is tuned, as far as tags say

    mutable std::mutex mutex_;  // guards guard_ and last_refusal_: counters are read by other threads
    std::shared_ptr<::meshnet::station::TransmitGuard> guard_;
    std::string last_refusal_;
    std::uint64_t outside_ = 0, cut_ = 0;
    int said_ = -1;
    limited_log log_;

    /// A sign of the identification among zeros.
    struct Mark {
        std::uint64_t first = 0;  // offset in the output
        std::vector<gr_complex> samples;
    };
    std::optional<Mark> mark_;
    std::optional<Incoming> burst_;
    std::vector<gr_complex> pending_;  // judged, and no room for it yet
    std::size_t pending_from_ = 0;
    std::deque<Tag> tags_;

    // The radio's time as nanoseconds since 1970: set when it is first known, and again when it goes back.
    std::optional<::meshnet::Duration> wall_less_radio_;
    ::meshnet::Instant latest_radio_{};
    std::deque<double> heard_;  // powers of the last ticks
};

}  // namespace gr::meshnet
