// SPDX-License-Identifier: GPL-3.0-or-later
// What is served under which path, behind the guard.
//
//     /  /page.css  /page.js ...  the page          /events   live values (server-sent events)
//     /dygraphs/...               Debian's charts   /history  points of the history   /money  sums of the ledger
//     /metrics                    for Prometheus    /signal   waterfall, constellation, bursts
#pragma once

#include <atomic>
#include <string>

#include "apps/page/history_keeper.hpp"
#include "apps/page/loopback_server.hpp"
#include "apps/page/metrics.hpp"
#include "apps/page/money.hpp"
#include "apps/page/request_guard.hpp"
#include "apps/page/station_watch.hpp"

namespace meshnet::page {

class Site {
public:
    /// All live longer than the site. `dygraphs`: folder with dygraph.min.js and dygraph.min.css.
    Site(LoopbackServer& server, const RequestGuard& guard, StationWatch& watch, HistoryKeeper& keeper,
         std::string dygraphs);

private:
    /// True: go on to the handler of the path.
    bool admit(const httplib::Request& request, httplib::Response& response) const;
    void events(httplib::Response& response);
    void add_files();
    void add_data();

    LoopbackServer& server_;
    const RequestGuard& guard_;
    StationWatch& watch_;
    HistoryKeeper& keeper_;
    std::string dygraphs_;
    std::atomic<int> listeners_{0};  // of /events
};

/// The data of one event: how the daemon does, and its views.
[[nodiscard]] std::string live_json(const StationState& state, std::chrono::system_clock::time_point now);

}  // namespace meshnet::page
