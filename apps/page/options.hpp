// SPDX-License-Identifier: GPL-3.0-or-later
// The command line of meshnet-page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/control/control_client.hpp"
#include "core/result.hpp"

namespace meshnet::page {

inline constexpr std::uint16_t kDefaultPort = 8470;

struct Options {
    apps::ControlTarget target;
    std::uint16_t port = kDefaultPort;
    std::string token_file;    ///< empty: page.token beside the control socket
    std::string history_file;  ///< empty: page-history.sqlite beside the ledger
    bool no_history = false;
    bool open_metrics = false;
    bool show_url = false;  ///< print the address with the token and end
    std::string dygraphs = "/usr/share/javascript/dygraphs";
};

/// What follows from the options and the station's configuration.
struct Places {
    std::string socket, token_file;
    std::string history_file;  ///< empty: no history
    std::string ledger_file;   ///< empty: as the daemon says
};
/// Error: the configuration cannot be read (one line).
[[nodiscard]] Result<Places> places_of(const Options& options);

/// Reads the command line. An exit code if the program must end (0 after --help and --version, 2 for a wrong line, of
/// which one line was printed), or nothing.
[[nodiscard]] std::optional<int> read_options(int argc, char** argv, Options& options);

}  // namespace meshnet::page
