// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/svg_plot.hpp"

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <memory>

#include "host/text.hpp"

namespace meshnet::apps {

namespace {

constexpr double kWidth = 860, kHeight = 560, kLeft = 70, kRight = 150, kTop = 46, kBottom = 56;
constexpr double kLineHeight = 11.0;  // of the levels' names

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
    char text[512];
    std::snprintf(text, sizeof text, pattern, values...);
    return text;
}

std::string text_at(double x, double y, int size, const char* align, const std::string& colour,
                    const std::string& text) {
    return format("<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" text-anchor=\"%s\" fill=\"", x, y, size, align) +
           colour + "\">" + escaped(text) + "</text>\n";
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
    return format("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" ", x1, y1, x2, y2) + style + "/>\n";
}

/// 1, 2 or 5 times a power of ten: about `count` steps fill `span`.
double step_of(double span, double count) {
    const double rough = span / count;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= rough) {
            return factor * power;
        }
    }
    return 10.0 * power;
}

/// From the plot's units to the picture's.
struct Frame {
    const SvgPlot& plot;
    [[nodiscard]] double x(double v) const {
        return kLeft + (v - plot.x_min) / (plot.x_max - plot.x_min) * (kWidth - kLeft - kRight);
    }
    [[nodiscard]] double y(double v) const {
        return kHeight - kBottom - (v - plot.y_min) / (plot.y_max - plot.y_min) * (kHeight - kTop - kBottom);
    }
};

std::string grid(const SvgPlot& p, const Frame& at) {
    const std::string thin = "stroke=\"#dddddd\" stroke-width=\"1\"";
    std::string out;
    const double dx = step_of(p.x_max - p.x_min, 10);
    for (double i = std::ceil(p.x_min / dx); i * dx <= p.x_max; ++i) {
        out += line(at.x(i * dx), kTop, at.x(i * dx), kHeight - kBottom, thin);
        out += text_at(at.x(i * dx), kHeight - kBottom + 16, 12, "middle", "#333333", format("%.6g", i * dx));
    }
    const double dy = step_of(p.y_max - p.y_min, 12);
    for (double i = std::ceil(p.y_min / dy); i * dy <= p.y_max; ++i) {
        out += line(kLeft, at.y(i * dy), kWidth - kRight, at.y(i * dy), thin);
        out += text_at(kLeft - 6, at.y(i * dy) + 4, 12, "end", "#333333", format("%.6g", i * dy));
    }
    return out;
}

/// Lines, and names that do not cover one another.
std::string level_lines(const SvgPlot& p, const Frame& at) {
    std::vector<SvgPlot::Level> sorted;
    for (const auto& level : p.levels) {
        if (level.y >= p.y_min && level.y <= p.y_max) {
            sorted.push_back(level);
        }
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.y < b.y; });
    std::vector<double> rows;
    for (const auto& level : sorted) {  // from below upwards
        const double wanted = at.y(level.y);
        rows.push_back(rows.empty() ? wanted : std::min(wanted, rows.back() - kLineHeight));
    }
    double limit = kTop;
    for (std::size_t i = rows.size(); i-- > 0;) {  // what went over the top comes down again
        rows[i] = std::max(rows[i], limit);
        limit = rows[i] + kLineHeight;
    }
    std::string out;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
        const auto& level = sorted[i];
        const std::string stroke = "stroke=\"" + level.colour + "\" stroke-width=\"1\"";
        out += line(kLeft, at.y(level.y), kWidth - kRight, at.y(level.y),
                    stroke + (level.dashed ? " stroke-dasharray=\"5 4\"" : ""));
        out += line(kWidth - kRight, at.y(level.y), kWidth - kRight + 14, rows[i], stroke);
        out += text_at(kWidth - kRight + 17, rows[i] + 4, 10, "start", level.colour, level.name);
    }
    return out;
}

/// The curve in pieces that lie within the plot: cut here, as not every program that shows SVG knows clip paths.
std::string curve_line(const SvgPlot::Curve& c, const SvgPlot& p, const Frame& at) {
    std::string out, piece;
    const auto end_piece = [&] {
        if (!piece.empty()) {
            out += "<polyline fill=\"none\" stroke=\"" + c.colour +
                   format("\" stroke-width=\"%.1f\" points=\"", c.width) + piece + "\"/>\n";
        }
        piece.clear();
    };
    const auto add = [&](double x, double y) { piece += format("%.1f,%.1f ", at.x(x), at.y(y)); };
    for (std::size_t i = 1; i < c.points.size(); ++i) {
        const double x1 = c.points[i - 1].first, y1 = c.points[i - 1].second;
        const double x2 = c.points[i].first, y2 = c.points[i].second;
        if (!std::isfinite(y1) || !std::isfinite(y2) || std::min(y1, y2) >= p.y_max || std::max(y1, y2) <= p.y_min) {
            end_piece();
            continue;
        }
        const auto x_at = [&](double y) { return x1 + (y - y1) / (y2 - y1) * (x2 - x1); };
        const auto cut = [&](double x, double y) {
            const double inside = std::clamp(y, p.y_min, p.y_max);
            return std::pair(inside == y ? x : x_at(inside), inside);
        };
        const auto [from_x, from_y] = cut(x1, y1);
        const auto [to_x, to_y] = cut(x2, y2);
        if (piece.empty()) {
            add(from_x, from_y);
        }
        add(to_x, to_y);
        if (to_y != y2) {
            end_piece();
        }
    }
    end_piece();
    return out;
}

}  // namespace

std::string SvgPlot::render() const {
    assert(x_min < x_max && y_min < y_max);
    const Frame at{*this};
    std::string out = format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
        "font-family=\"sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
        kWidth, kHeight, kWidth, kHeight);
    const std::string box = format("x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"", kLeft, kTop,
                                   kWidth - kLeft - kRight, kHeight - kTop - kBottom);
    out += grid(*this, at) + level_lines(*this, at);
    if (!marked_name.empty() && marked_x >= x_min && marked_x <= x_max) {
        out += line(at.x(marked_x), kTop, at.x(marked_x), kHeight - kBottom,
                    "stroke=\"#555555\" stroke-width=\"1.5\" stroke-dasharray=\"2 3\"");
        out += text_at(at.x(marked_x) + 4, kTop + 14, 12, "start", "#555555", marked_name);
    }
    double row =
        kHeight - kBottom - 10.0 - 16.0 * static_cast<double>(curves.size() - std::min<std::size_t>(curves.size(), 1));
    for (const Curve& c : curves) {
        out += curve_line(c, *this, at);
        out += line(kLeft + 10, row - 4, kLeft + 34, row - 4,
                    "stroke=\"" + c.colour + format("\" stroke-width=\"%.1f\"", c.width));
        out += text_at(kLeft + 40, row, 12, "start", "#333333", c.name);
        row += 16.0;
    }
    out += "<rect " + box + " fill=\"none\" stroke=\"#333333\"/>\n";
    out += text_at(kLeft, kTop - 16, 15, "start", "#111111", title);
    out += text_at((kLeft + kWidth - kRight) / 2, kHeight - 14, 13, "middle", "#111111", x_label);
    out += format("<text transform=\"translate(20 %.0f) rotate(-90)\" font-size=\"13\" text-anchor=\"middle\">",
                  (kTop + kHeight - kBottom) / 2) +
           escaped(y_label) + "</text>\n";
    return out + "</svg>\n";
}

Status SvgPlot::write(const std::string& path) const {
    struct Close {
        void operator()(std::FILE* f) const { std::fclose(f); }
    };
    const std::string text = render();
    std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "we"));
    if (!file || std::fwrite(text.data(), 1, text.size(), file.get()) != text.size() || std::fflush(file.get()) != 0) {
        return host::system_error(path + " cannot be written", errno);
    }
    return Ok{};
}

}  // namespace meshnet::apps
