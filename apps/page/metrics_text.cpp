// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/page/metrics_text.hpp"

namespace meshnet::page {

namespace {

/// Of a label's value: backslash, quote and newline; of a help text: backslash and newline.
std::string escaped(std::string_view text, bool quotes) {
    std::string out;
    for (const char c : text) {
        if (c == '\\' || (quotes && c == '"')) {
            out += '\\';
        }
        out += c == '\n' ? std::string("\\n") : std::string(1, c);
    }
    return out;
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    // Written with the first sample: a metric without any is left out.
    head_ = "# HELP " + name_ + " " + escaped(help, false) + "\n# TYPE " + name_ + " " + std::string(type) + "\n";
}

void MetricsText::sample(const Labels& labels, const Json& value) {
    if (!value.is_number() && !value.is_boolean()) {
        return;
    }
    text_ += head_ + name_;
    head_.clear();
    const char* joint = "{";
    for (const auto& [label, text] : labels) {
        text_ += joint + std::string(label) + "=\"" + escaped(text, true) + "\"";
        joint = ",";
    }
    text_ += labels.empty() ? " " : "} ";
    text_ += value.is_boolean() ? (value.get<bool>() ? "1" : "0") : value.dump();
    text_ += '\n';
}

}  // namespace meshnet::page
