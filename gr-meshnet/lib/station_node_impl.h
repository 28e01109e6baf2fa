// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/station_node.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "core/random.hpp"
#include "core/time.hpp"
#include "node/node.hpp"
#include "pdu.h"
#include "radio_line.h"
#include "station/ledger/ledger_sqlite.hpp"

namespace gr::meshnet {

class station_node_impl final : public station_node {
public:
    explicit station_node_impl(const station_settings& settings);

    bool start() override;
    bool stop() override;

    std::string address() const override;
    double time() const override;
    std::vector<station_neighbor> neighbors() const override;
    std::vector<std::string> destinations() const override;
    std::map<std::string, std::uint64_t> counters() const override;

    // Sinks of node::drive().
    void transmit(::meshnet::mac::TxRequest&& request);
    void deliver(::meshnet::Bytes&& packet);
    void persist(::meshnet::net::LedgerBatch&& batch);

private:
    template <class Handler>
    void guarded(Handler&& handler);
    void on_radio(const pmt::pmt_t& message);
    void on_report(const pmt::pmt_t& message);
    void on_ip(const pmt::pmt_t& message);
    bool on_frame(const pdu& in);
    void on_sent();
    void read_ledger();
    void pump();
    void publish_clock();
    void build();

    const station_settings settings_;
    radio_line line_;

    mutable std::mutex mutex_;  // guards all below: handlers run in the block's thread, displays in others
    std::unique_ptr<::meshnet::RandomSource> random_;
    std::unique_ptr<::meshnet::station::SqliteLedger> ledger_;  // null: in memory
    std::unique_ptr<::meshnet::node::Node> node_;
    std::string address_;
    std::uint64_t time_lines_ = 1;
    bool busy_ = false;
    bool started_ = false;
    std::uint64_t refused_ = 0;
    bool ledger_failed_ = false;
};

}  // namespace gr::meshnet
