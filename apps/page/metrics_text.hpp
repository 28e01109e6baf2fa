// SPDX-License-Identifier: GPL-3.0-or-later
// Writes Prometheus' text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace meshnet::page {

class MetricsText {
public:
    using Json = nlohmann::ordered_json;
    using Labels = std::vector<std::pair<std::string_view, std::string>>;

    /// Begins a metric; its samples follow. `type`: "counter" or "gauge".
    void family(std::string_view name, std::string_view type, std::string_view help);
    /// A value of the metric begun last: a number or a Boolean; anything else, as null, is left out.
    void sample(const Labels& labels, const Json& value);
    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_, name_, head_;
};

}  // namespace meshnet::page
