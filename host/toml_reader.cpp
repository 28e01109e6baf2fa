// SPDX-License-Identifier: MIT
#include "host/toml_reader.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>

#include "core/names.hpp"

namespace meshnet::host {
namespace {

std::string number_text(double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.15g", v);
    return buffer;
}

/// ", 0 to 5 (dB), for example loss = 3"
std::string range_text(const TomlRange& range) {
    std::string out;
    if (std::isfinite(range.low) || std::isfinite(range.high)) {
        out = ", " + number_text(range.low) + " to " + number_text(range.high);
    }
    return out + range.hint;
}

std::string ascii_only(std::string_view text, const std::string& source) {
    std::string out(text);
    std::size_t line = 1;
    bool comment = false;
    bool blank = true;
    for (char& c : out) {
        if (c == '\n') {
            ++line;
            comment = false;
            blank = true;
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            if (!comment) {
                throw TomlFault{source + ":" + std::to_string(line) +
                                ": only ASCII characters may stand here; others belong in lines that begin with #"};
            }
            c = '?';
        } else if (c != ' ' && c != '\t') {
            comment = comment || (blank && c == '#');
            blank = false;
        }
    }
    return out;
}

}  // namespace

bool TomlTable::text(std::string_view key, std::string& out, const std::string& hint) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return false;
    }
    if (!node->is_string()) {
        fail(key, "must be a text in quotes" + hint);
    }
    out = node->ref<std::string>();
    if (out.find('\0') != std::string::npos) {
        fail(key, "must not contain a zero byte");
    }
    return true;
}

bool TomlTable::number(std::string_view key, double& out, const TomlRange& range) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return false;
    }
    const auto value = node->is_number() ? node->value<double>() : std::nullopt;
    if (!value || !std::isfinite(*value) || *value < range.low || *value > range.high) {
        fail(key, "must be a number" + range_text(range));
    }
    out = *value;
    return true;
}

bool TomlTable::integer(std::string_view key, std::int64_t& out, const TomlRange& range) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return false;
    }
    const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
    if (!value || static_cast<double>(*value) < range.low || static_cast<double>(*value) > range.high) {
        fail(key, "must be a whole number" + range_text(range));
    }
    out = *value;
    return true;
}

bool TomlTable::flag(std::string_view key, bool& out) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return false;
    }
    if (!node->is_boolean()) {
        fail(key, "must be true or false");
    }
    out = node->ref<bool>();
    return true;
}

bool TomlTable::text_list(std::string_view key, std::vector<std::string>& out, const std::string& hint) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return false;
    }
    const toml::array* array = node->as_array();
    if (array == nullptr || !std::all_of(array->begin(), array->end(), [](const auto& e) { return e.is_string(); })) {
        fail(key, "must be a list of texts" + hint);
    }
    out.clear();
    for (const auto& element : *array) {
        out.push_back(element.ref<std::string>());
    }
    return true;
}

std::optional<TomlTable> TomlTable::section(std::string_view key) {
    const toml::node* node = find(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    if (node->as_table() == nullptr) {
        fail(key, "is a section; write [" + std::string(key) + "] on a line of its own and its keys below");
    }
    return TomlTable(*node->as_table(), std::string(key), source_);
}

std::vector<TomlTable> TomlTable::tables(std::string_view key) {
    std::vector<TomlTable> out;
    const toml::node* node = find(key);
    if (node == nullptr) {
        return out;
    }
    const toml::array* array = node->as_array();
    if (array == nullptr || !std::all_of(array->begin(), array->end(), [](const auto& e) { return e.is_table(); })) {
        fail(key, "must be an array of tables, as in [[" + std::string(key) + "]]");
    }
    for (const auto& element : *array) {
        out.emplace_back(*element.as_table(), std::string(key), source_);
    }
    return out;
}

const toml::node* TomlTable::find(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
}

void TomlTable::finish() const {
    for (const auto& [key, node] : table_) {
        const std::string_view name = key.str();
        if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
            const Error unknown = unknown_name(node.is_table() && name_.empty() ? "section" : "key", name, known_);
            throw TomlFault{place(key.source()) + (name_.empty() ? "" : "[" + name_ + "] ") + unknown.message};
        }
    }
}

void TomlTable::fail(std::string_view key, const std::string& what, const char* joint) const {
    const toml::node* node = table_.get(key);
    throw TomlFault{place(node != nullptr ? node->source() : table_.source()) + label(key) + joint + what};
}

void TomlTable::fail_here(const std::string& what) const {
    throw TomlFault{place(table_.source()) + what};
}

std::string TomlTable::place(const toml::source_region& region) const {
    return source_ + ":" + std::to_string(region.begin.line) + ": ";
}

std::string TomlTable::label(std::string_view key) const {
    return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

toml::table parse_toml(std::string_view text, const std::string& source) {
    if (text.size() > kMaxTomlBytes) {
        throw TomlFault{source + ": larger than 1 MiB; this is no configuration file"};
    }
    const std::string ascii = ascii_only(text, source);
    try {
        return toml::parse(ascii, source);
    } catch (const toml::parse_error& e) {
        throw TomlFault{source + ":" + std::to_string(e.source().begin.line) +
                        ": not TOML: " + std::string(e.description())};
    } catch (const std::exception& e) {
        throw TomlFault{source + ": not TOML: " + e.what()};
    }
}

}  // namespace meshnet::host
