// SPDX-License-Identifier: GPL-3.0-or-later
// Columns for people, made from JSON values.
#pragma once

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace meshnet::apps {

/// A JSON value as a person writes it; null is "-".
inline std::string cell(const nlohmann::ordered_json& v) {
    if (v.is_null()) return "-";
    if (v.is_string()) return v.get<std::string>();
    if (v.is_boolean()) return v.get<bool>() ? "yes" : "no";
    return v.dump();
}

/// A number with so many decimals; null is "-".
inline std::string fixed(const nlohmann::ordered_json& v, int decimals) {
    if (!v.is_number()) return cell(v);
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, v.get<double>());
    return text;
}

/// Left-aligned columns as wide as their widest cell.
class Table {
public:
    explicit Table(std::vector<std::string> head) { rows_.push_back(std::move(head)); }
    void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
    /// Prints on stdout; `if_empty` instead of a table without rows.
    void print(const char* if_empty) const {
        if (rows_.size() == 1) {
            std::puts(if_empty);
            return;
        }
        std::vector<std::size_t> width(rows_.front().size(), 0);
        for (const auto& r : rows_) {
            for (std::size_t i = 0; i < r.size(); ++i) width[i] = std::max(width[i], r[i].size());
        }
        for (const auto& r : rows_) {
            std::string line;
            for (std::size_t i = 0; i < r.size(); ++i) {
                line += r[i];
                if (i + 1 < r.size()) line += std::string(width[i] - r[i].size() + 2, ' ');
            }
            std::puts(line.c_str());
        }
    }

private:
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace meshnet::apps
