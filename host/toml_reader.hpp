// SPDX-License-Identifier: MIT
// TOML configuration files: one reader, one way to report what is wrong.
//
//     text -> read_toml(text, source, [](TomlTable& root) { ... root.text("name", name); ... }) -> value or
//     "FILE:LINE: section.key must be a number, 0 to 5 (dB)"
//
// A reader asks a table for the keys it knows; finish() refuses the others by name. Any bytes at all may be given.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace meshnet::host {
[[noreturn]] inline void not_toml() {
    throw std::logic_error("a bracket, a quote or an equals sign is out of place");
}
}  // namespace meshnet::host

// toml++ 3.3 has asserts that the bytes of a file can reach ("[[|" is enough): here they become exceptions, which
// read_toml() turns into one line. All of a program must see the same definition: include this and never toml++ itself.
#define TOML_ASSERT(expression)                         \
    do {                                                \
        if (!(expression)) ::meshnet::host::not_toml(); \
    } while (false)
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

namespace meshnet::host {

/// Longest file that is read.
inline constexpr std::size_t kMaxTomlBytes = 1'048'576;

/// One wrong thing in a file. Thrown by TomlTable, turned into an Error by read_toml().
struct TomlFault {
    std::string message;
};

/// Bounds of a number, both included, and what to add to the message when it is outside: a unit, an example.
struct TomlRange {
    double low = -std::numeric_limits<double>::infinity();
    double high = std::numeric_limits<double>::infinity();
    std::string hint = {};
};

/// One table of a file. Each read leaves its output as it is if the key is not there, and throws TomlFault if its value
/// is of another type or out of range.
class TomlTable {
public:
    /// `name`: how messages call the table, "" for the file itself: keys are then called "key", else "name.key".
    TomlTable(const toml::table& table, std::string name, const std::string& source)
        : table_(table), name_(std::move(name)), source_(source) {}

    /// Each returns true if the key was there.
    bool text(std::string_view key, std::string& out, const std::string& hint = {});
    bool number(std::string_view key, double& out, const TomlRange& range = {});
    bool integer(std::string_view key, std::int64_t& out, const TomlRange& range = {});
    bool flag(std::string_view key, bool& out);
    bool text_list(std::string_view key, std::vector<std::string>& out, const std::string& hint = {});

    bool number(std::string_view key, std::optional<double>& out) {
        double value = 0.0;
        const bool found = number(key, value);
        out = found ? std::optional(value) : out;
        return found;
    }
    template <class Integer>
    bool integer(std::string_view key, Integer& out, const TomlRange& range) {
        std::int64_t value = 0;
        const bool found = integer(key, value, range);
        out = found ? static_cast<Integer>(value) : out;
        return found;
    }

    /// The table [key]; nothing if it is not there.
    [[nodiscard]] std::optional<TomlTable> section(std::string_view key);
    /// The tables of [[key]], called "key" in messages; none if it is not there.
    [[nodiscard]] std::vector<TomlTable> tables(std::string_view key);
    /// The value of `key` whatever it is, or nullptr; to be judged by the caller.
    [[nodiscard]] const toml::node* find(std::string_view key);

    /// Throws if the table has a key that nobody asked for.
    void finish() const;
    /// Throws "FILE:LINE: table.key WHAT", with `joint` in between; the line of the table if the key is not there.
    [[noreturn]] void fail(std::string_view key, const std::string& what, const char* joint = " ") const;
    [[noreturn]] void fail_here(const std::string& what) const;

private:
    [[nodiscard]] std::string place(const toml::source_region& region) const;
    [[nodiscard]] std::string label(std::string_view key) const;

    const toml::table& table_;
    std::string name_;
    const std::string& source_;
    std::vector<std::string> known_;
};

/// Parses `text`. Only ASCII reaches the parser (toml++ 3.3 classifies some other characters by undefined behaviour);
/// lines that are all comment may hold any bytes. Throws TomlFault.
[[nodiscard]] toml::table parse_toml(std::string_view text, const std::string& source);

/// Parses `text` and calls `read(root table)`, which may throw TomlFault or std::invalid_argument. The error is one
/// line that begins with `source`.
template <class Read>
[[nodiscard]] auto read_toml(std::string_view text, const std::string& source, Read&& read)
    -> Result<decltype(read(std::declval<TomlTable&>()))> {
    try {
        const toml::table table = parse_toml(text, source);
        TomlTable root(table, "", source);
        return read(root);
    } catch (const TomlFault& fault) {
        return Error{ErrorCode::kInvalidData, fault.message};
    } catch (const std::invalid_argument& error) {
        return Error{ErrorCode::kInvalidArgument, source + ": " + error.what()};
    }
}

}  // namespace meshnet::host
