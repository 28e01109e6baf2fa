// SPDX-License-Identifier: GPL-3.0-or-later
// What a daemon gives up before it hears its first byte: capabilities, other programs, other processes' memory, a
// readable image of its own. Why so and not otherwise: docs/decisions/0016-process-hardening.md.
#pragma once

#include <string>
#include <vector>

#include "core/result.hpp"

namespace meshnet::station {

struct Config;

/// What a process still needs afterwards.
struct SandboxNeeds {
    struct Place {
        std::string path;
        bool write = false;  ///< else: read; of a folder: search
    };

    std::string user;           ///< name to run as, which only root can choose; empty: as it is
    bool net_admin = false;     ///< CAP_NET_ADMIN is kept where it is there: the TUN is repaired at run time
    bool realtime = false;      ///< threads of a radio's driver may ask for real-time priority
    std::vector<Place> places;  ///< what will be opened; root keeps CAP_DAC_OVERRIDE only if one needs it
};

/// What a station with this configuration needs; `recording` is the file its samples are written to, or "".
[[nodiscard]] SandboxNeeds sandbox_needs(const Config& config, const std::string& recording);

/// Takes the calling process's rights down to `needs`; for good. Precondition: it has one thread, and no secret yet.
/// The lines say what could not be had here, each with the reason. An error only if `needs.user` cannot be become.
[[nodiscard]] Result<std::vector<std::string>> enter_sandbox(const SandboxNeeds& needs);

}  // namespace meshnet::station
