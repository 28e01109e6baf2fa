// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/contention_mac.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>

#include "core/random.hpp"
#include "mac/mac.hpp"
#include "pdu.h"
#include "radio_line.h"

namespace gr::meshnet {

class contention_mac_impl final : public contention_mac {
public:
    explicit contention_mac_impl(const mac_settings& settings);

    bool start() override;
    std::uint32_t station() const override { return station_; }
    double time() const override;
    std::vector<std::uint32_t> neighbors() const override;
    std::map<std::string, std::uint64_t> counters() const override;

private:
    template <class Handler>
    void guarded(Handler&& handler);
    void on_radio(const pmt::pmt_t& message);
    void on_report(const pmt::pmt_t& message);
    void on_sdu(const pmt::pmt_t& message);
    void step();
    void publish(const ::meshnet::mac::Event& event);
    void publish_clock();
    void build();

    const mac_settings settings_;
    const std::uint32_t station_;
    radio_line line_;

    mutable std::mutex mutex_;  // guards all below: handlers run in the block's thread, displays in others
    std::unique_ptr<::meshnet::RandomSource> random_;
    std::unique_ptr<::meshnet::mac::Mac> mac_;
    std::set<::meshnet::mac::StationId> up_;
    std::uint64_t time_lines_ = 1, refused_ = 0;
    bool busy_ = false;
    bool started_ = false;
};

}  // namespace gr::meshnet
