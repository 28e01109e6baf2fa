// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gnuradio/meshnet/router.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "core/random.hpp"
#include "core/time.hpp"
#include "mac/mac.hpp"
#include "net/router.hpp"
#include "pdu.h"
#include "station/ledger/ledger_sqlite.hpp"

namespace gr::meshnet {

class router_impl final : public router {
public:
    router_impl(std::uint64_t seed, const std::string& state_dir, std::uint64_t price_msat_per_mib, double answer_s);

    bool start() override;
    bool stop() override;
    std::uint32_t station() const override;
    std::string address() const override;
    std::vector<std::string> destinations() const override;
    std::vector<std::uint32_t> sessions() const override;
    std::map<std::string, std::uint64_t> counters() const override;

private:
    template <class Handler>
    void guarded(Handler&& handler);
    void on_mac(const pmt::pmt_t& message);
    void on_clock(const pdu& in, ::meshnet::Instant clock);
    void on_event(const ::meshnet::mac::Event& event);
    void on_ip(const pmt::pmt_t& message);
    void send_frames();
    void read_ledger();
    void persist(::meshnet::net::LedgerBatch&& batch);
    void step();
    void build();

    const std::uint64_t seed_;
    const std::string state_dir_;
    const std::uint64_t price_msat_per_mib_;
    const ::meshnet::Duration answer_;

    mutable std::mutex mutex_;  // guards all below
    std::unique_ptr<::meshnet::RandomSource> random_;
    std::unique_ptr<::meshnet::station::SqliteLedger> ledger_;  // null: in memory
    std::unique_ptr<::meshnet::net::Router> router_;
    std::uint32_t station_ = 0;
    ::meshnet::Instant now_{};
    std::map<::meshnet::net::NeighborId, std::size_t> room_;
    std::uint64_t refused_ = 0;
    bool ledger_failed_ = false;
    bool started_ = false;
};

}  // namespace gr::meshnet
