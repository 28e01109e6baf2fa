// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli: what its files share. Every command returns the exit code: 0 fine, 1 it failed, 2 the question was
// wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace meshnet::apps {

/// Writes `meshnet-cli: LINE` on stderr and gives `code` back.
int complain(const std::string& line, int code);

/// Where the daemon is.
struct ControlTarget {
    std::string socket;  ///< empty: the one named in `config`, or else the default
    std::string config;
};

// Asking a daemon (meshnet_cli_control.cpp).
int show_status(const ControlTarget& target, bool json);
int show_neighbours(const ControlTarget& target, bool json);
int show_routes(const ControlTarget& target, bool json);
int show_flows(const ControlTarget& target, bool json);
int show_or_set_price(const ControlTarget& target, std::optional<std::uint64_t> msat_per_mib, bool json);
int watch_status(const ControlTarget& target, std::uint32_t interval_ms);
int stop_daemon(const ControlTarget& target);

// The ledger, asked of the daemon or read from the file (meshnet_cli_ledger.cpp).
int show_ledger(const ControlTarget& target, const std::string& file, std::uint32_t limit, bool json);

// Files through a station without TUN (meshnet_cli_transfer.cpp).
struct TransferOptions {
    std::string file;        ///< send: what; receive: where (a folder or a file)
    std::string to;          ///< send: the other station's IPv6 address; empty: whoever asks
    std::string from;        ///< receive: ask this station; empty: wait for one that sends
    double timeout_s = 120;  ///< without progress
    bool json = false;
};
int send_file(const ControlTarget& target, const TransferOptions& options);
int receive_file(const ControlTarget& target, const TransferOptions& options);

// The modem on files and pipes (meshnet_cli_modem.cpp).
struct ModemOptions {
    std::string profile = "1M";
    std::string mode = "qpsk-1/2";
    std::string format;      ///< cf32, cs8, cs16; empty: by the file's ending
    std::string file = "-";  ///< demodulate: input
    std::string output;      ///< modulate: samples; demodulate: payload
    double rate_hz = 0.0;    ///< 0: the profile's
    std::size_t payload_size = 1'500;
    double gap_ms = 2.0;  ///< silence around frames
    bool json = false;
};
int modulate(const ModemOptions& options);
int demodulate(const ModemOptions& options);
int list_modes(const std::string& profile, bool json);
int list_profiles(bool json);

}  // namespace meshnet::apps
