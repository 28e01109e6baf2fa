// SPDX-License-Identifier: GPL-3.0-or-later
// A whole station: radio, node, ledger, TUN and control socket around one poll loop.
//
//     radio -> RadioLink -> Node -> TUN | attached host          Node -> ledger thread -> Node (persisted)
//
// One thread runs everything but the ledger's writes. Protocol time is the radio's sample clock; wall time only watches
// that samples flow: a radio that gives none for 2 s is closed and opened again, every second, until it is back.
#pragma once

#include <memory>
#include <string>

#include "core/result.hpp"
#include "station/config.hpp"

namespace meshnet::station {

/// Where the received samples are kept; an empty path: nowhere.
struct RecordTo {
    std::string path;
    bool force = false;  ///< replaces a recording of that name
};

class Daemon {
public:
    /// Opens everything `config` names, in the order control socket, key, ledger, radio, TUN. The error is one line.
    [[nodiscard]] static Result<std::unique_ptr<Daemon>> start(const Config& config, const RecordTo& record);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Runs until SIGTERM, SIGINT, the control command `stop` or the end of a recording; then everything is on disk and
    /// closed. Error: something it cannot run without is gone for good (one line).
    [[nodiscard]] Status run();

private:
    struct Impl;
    explicit Daemon(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::station
