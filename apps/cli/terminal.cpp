// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/terminal.hpp"

#include <langinfo.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace meshnet::apps {

namespace {

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
}

std::string text_of(int fd) {
    std::string out;
    std::array<char, 4'096> piece;
    ssize_t n = 0;
    while ((n = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(out.size()))) > 0) {
        out.append(piece.data(), static_cast<std::size_t>(n));
    }
    return out;
}

/// Without arrows, function keys and the like: ESC, [ or O, parameters, a final byte (ECMA-48, 5.4).
std::string without_sequences(std::string_view keys) {
    std::string out;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (keys[i] != '\x1b') {
            out += keys[i];
            continue;
        }
        if (i + 1 < keys.size() && (keys[i + 1] == '[' || keys[i + 1] == 'O')) {
            ++i;
            while (i + 1 < keys.size() && (keys[i + 1] < '@' || keys[i + 1] > '~')) {
                ++i;
            }
        }
        ++i;
    }
    return out;
}

bool set(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0';
}

}  // namespace

std::unique_ptr<Terminal> Terminal::open() {
    const char* term = std::getenv("TERM");
    if (::isatty(STDOUT_FILENO) != 1 || term == nullptr || std::string_view(term) == "dumb") {
        return nullptr;
    }
    std::unique_ptr<Terminal> out(new Terminal);
    out->colours_ = !set("NO_COLOR");
    std::setlocale(LC_CTYPE, "");
    out->unicode_ = std::string_view(::nl_langinfo(CODESET)) == "UTF-8";
    std::fflush(stdout);
    termios keys{};
    if (::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &keys) == 0) {
        out->keys_ = keys;
        keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
        keys.c_cc[VMIN] = 0;
        keys.c_cc[VTIME] = 0;
        keys.c_cc[VSUSP] = _POSIX_VDISABLE;  // a stopped program would leave its screen behind
        keys.c_cc[VQUIT] = _POSIX_VDISABLE;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &keys);
    }
    if (::isatty(STDERR_FILENO) == 1) {
        out->said_ = host::UniqueFd{::memfd_create("stderr", MFD_CLOEXEC)};
        out->stderr_ = host::UniqueFd{::dup(STDERR_FILENO)};
        if (out->said_ && out->stderr_) {
            ::dup2(out->said_.get(), STDERR_FILENO);
        }
    }
    write_all(STDOUT_FILENO, "\x1b[?1049h\x1b[?25l\x1b[2J");  // another screen, no cursor
    return out;
}

Terminal::~Terminal() {
    write_all(STDOUT_FILENO, "\x1b[0m\x1b[?25h\x1b[?1049l");
    if (keys_) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &*keys_);
    }
    if (said_ && stderr_) {
        ::dup2(stderr_.get(), STDERR_FILENO);
        write_all(STDERR_FILENO, text_of(said_.get()));
    }
}

TerminalLook Terminal::look() const {
    TerminalLook out;
    out.colours = colours_;
    out.unicode = unicode_;
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        out.columns = size.ws_col;
        out.rows = size.ws_row;
    }
    return out;
}

std::optional<char> Terminal::key() {
    if (!keys_) {
        return std::nullopt;
    }
    if (pressed_.empty()) {
        std::array<char, 64> bytes;
        const ssize_t n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        pressed_ = without_sequences({bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0});
    }
    if (pressed_.empty()) {
        return std::nullopt;
    }
    const char out = pressed_.front();
    pressed_.erase(0, 1);
    return out;
}

bool Terminal::show(const std::vector<std::string>& lines) {
    std::string out;
    for (std::size_t i = 0; i < lines.size(); ++i) {  // cleared before and not behind: that would eat the last column
        out += "\x1b[" + std::to_string(i + 1) + ";1H\x1b[K" + lines[i] + "\x1b[0m";
    }
    if (lines.size() < look().rows) {
        out += "\x1b[" + std::to_string(lines.size() + 1) + ";1H\x1b[J";
    }
    return write_all(STDOUT_FILENO, out);
}

std::string Terminal::last_message() const {
    if (!said_) {
        return {};
    }
    const std::string all = text_of(said_.get());
    const std::size_t end = all.find_last_not_of('\n');
    if (end == std::string::npos) {
        return {};
    }
    const std::size_t before = all.find_last_of('\n', end);
    const std::size_t first = before == std::string::npos ? 0 : before + 1;
    return all.substr(first, end - first + 1);
}

}  // namespace meshnet::apps
