// SPDX-License-Identifier: GPL-3.0-or-later
// The whole terminal as a screen, given back as it was: contents, cursor, keys, and what was said on stderr meanwhile.
#pragma once

#include <termios.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/unique_fd.hpp"

namespace meshnet::apps {

/// What a terminal can show.
struct TerminalLook {
    std::size_t columns = 80, rows = 24;
    bool colours = true;  ///< 256 of them; NO_COLOR is not set (https://no-color.org)
    bool unicode = true;  ///< the locale's characters are UTF-8
};

class Terminal {
public:
    /// Takes the terminal that standard output is over; null if it is none or a dumb one. At most one at a time.
    [[nodiscard]] static std::unique_ptr<Terminal> open();
    ~Terminal();
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// As it is now: windows change.
    [[nodiscard]] TerminalLook look() const;
    /// A key that was pressed, without waiting; keys of several bytes are swallowed.
    [[nodiscard]] std::optional<char> key();
    /// Shows `lines`, each no wider than the screen. False: the terminal is gone.
    [[nodiscard]] bool show(const std::vector<std::string>& lines);
    /// The last line that was said on stderr; "" if none.
    [[nodiscard]] std::string last_message() const;

private:
    Terminal() = default;

    std::optional<termios> keys_;   // as they were
    host::UniqueFd stderr_, said_;  // as it was; what takes its place
    std::string pressed_;           // keys not handed out yet
    bool colours_ = true, unicode_ = true;
};

}  // namespace meshnet::apps
