// SPDX-License-Identifier: GPL-3.0-or-later
// Curves and level lines as an SVG file, which every browser shows: no program beside ours is needed.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace meshnet::apps {

struct SvgPlot {
    struct Curve {
        std::string name;
        std::string colour;  ///< as SVG writes it: "#1f5fa8"
        double width = 2.0;
        std::vector<std::pair<double, double>> points;
    };
    struct Level {
        std::string name;  ///< stands at the right end
        std::string colour;
        double y = 0.0;
        bool dashed = false;
    };

    std::string title, x_label, y_label;
    double x_min = 0.0, x_max = 1.0, y_min = 0.0, y_max = 1.0;  ///< what lies outside is cut off
    std::vector<Curve> curves;
    std::vector<Level> levels;
    double marked_x = 0.0;    ///< a vertical line, if within
    std::string marked_name;  ///< empty: no line

    /// The file's text. Precondition: x_min < x_max, y_min < y_max, all of them finite.
    [[nodiscard]] std::string render() const;
    /// Error: it cannot be written.
    [[nodiscard]] Status write(const std::string& path) const;
};

}  // namespace meshnet::apps
