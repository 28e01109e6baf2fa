// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/monitor_screen.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "phy/modes.hpp"

namespace meshnet::apps {

namespace {

constexpr std::string_view kShades = " .:-=+*#%@";
// Of the 256 colours of terminals, from the noise to the strongest: black, blue, green, yellow, red, white.
constexpr std::array<int, 26> kColours{16, 17, 18, 19, 20,  21,  27,  33,  39,  45,  51,  50,  49,
                                       48, 47, 46, 82, 118, 154, 190, 226, 220, 214, 208, 196, 231};

template <class... Values>
std::string say(const char* pattern, Values... values) {
    char text[320];
    std::snprintf(text, sizeof text, pattern, values...);
    return text;
}

/// At most `columns` characters, printable ASCII only.
std::string cut(std::string text, std::size_t columns) {
    for (char& c : text) {
        c = c >= ' ' && c <= '~' ? c : '?';
    }
    return text.substr(0, columns);
}

/// 0 to `steps` - 1.
std::size_t step_of(float db, double lowest_db, double range_db, std::size_t steps) {
    const double share = (static_cast<double>(db) - lowest_db) / range_db;
    const double step = std::floor(share * static_cast<double>(steps));
    return static_cast<std::size_t>(std::clamp(step, 0.0, static_cast<double>(steps - 1)));
}

std::string bold(const std::string& text, const TerminalLook& look) {
    return look.colours ? "\x1b[1m" + text + "\x1b[0m" : text;
}

/// Two rows of the spectrum in one line: the upper half of each character is the newer one.
std::string half_blocks(const SpectrumRow* newer, const SpectrumRow* older, std::size_t columns, double lowest,
                        double range) {
    const auto colour = [&](const SpectrumRow* row, std::size_t i) {
        return row == nullptr ? kColours[0] : kColours[step_of((*row)[i], lowest, range, kColours.size())];
    };
    std::string out;
    int upper = -1;
    int lower = -1;
    for (std::size_t i = 0; i < columns; ++i) {
        const int new_upper = colour(newer, i);
        const int new_lower = colour(older, i);
        if (new_upper != upper || new_lower != lower) {
            out += say("\x1b[38;5;%d;48;5;%dm", new_upper, new_lower);
            upper = new_upper;
            lower = new_lower;
        }
        out += "\u2580";
    }
    return out;
}

std::string background(const SpectrumRow& row, double lowest, double range) {
    std::string out;
    int now = -1;
    for (const float db : row) {
        const int next = kColours[step_of(db, lowest, range, kColours.size())];
        if (next != now) {
            out += say("\x1b[48;5;%dm", next);
            now = next;
        }
        out += ' ';
    }
    return out;
}

/// `lines` of text, the newest on top.
std::vector<std::string> waterfall(const ChannelView& view, std::size_t lines, const MonitorStatus& status,
                                   const TerminalLook& look) {
    const double lowest = lowest_db(view, ChannelView::kBins);
    const std::size_t per_line = look.colours && look.unicode ? 2 : 1;
    std::vector<SpectrumRow> rows;
    for (const SpectrumRow& row : view.rows()) {
        if (rows.size() == lines * per_line) {
            break;
        }
        rows.push_back(resample_row(row, look.columns));
    }
    const auto at = [&rows](std::size_t i) { return i < rows.size() ? &rows[i] : nullptr; };
    std::vector<std::string> out;
    for (std::size_t i = 0; i < lines; ++i) {
        if (per_line == 2) {
            out.push_back(half_blocks(at(2 * i), at(2 * i + 1), look.columns, lowest, status.range_db));
        } else if (i >= rows.size()) {
            out.emplace_back();
        } else if (look.colours) {
            out.push_back(background(rows[i], lowest, status.range_db));
        } else {
            out.push_back(spectrum_text(rows[i], look.columns, lowest, status.range_db));
        }
    }
    return out;
}

/// Frequencies under the waterfall: left, middle, right.
std::string axis(const ChannelView& view, const MonitorStatus& status, std::size_t columns) {
    const auto label = [&](double offset_hz) {
        return status.centre_hz > 0.0 ? say("%.3f", (status.centre_hz + offset_hz) * 1e-6)
                                      : say("%+.1f", offset_hz * 1e-3);
    };
    const std::string unit = status.centre_hz > 0.0 ? " MHz" : " kHz";
    std::string out(columns, ' ');
    const auto put = [&out](std::size_t at, const std::string& text) {
        if (at + text.size() <= out.size()) {
            out.replace(at, text.size(), text);
        }
    };
    const std::string left = "|" + label(-view.rate_hz() / 2);
    const std::string middle = "|" + label(0.0) + unit;
    const std::string right = label(view.rate_hz() / 2) + "|";
    put(0, left);
    put(columns / 2, columns > 50 ? middle : "|");
    if (columns > left.size() + middle.size() + right.size() + 4) {
        put(columns - right.size(), right);
    }
    return out;
}

std::string status_line(const ChannelView& view, const MonitorStatus& s) {
    const auto floor = view.noise_floor_dbfs();
    std::string out = "noise " + (floor ? say("%.1f dBFS", *floor) : std::string("-")) +
                      say("  busy %.0f %% (all: %.0f %%)  frames %llu, with errors %llu", 100.0 * view.busy_lately(),
                          100.0 * view.busy(), static_cast<unsigned long long>(view.frames_heard()),
                          static_cast<unsigned long long>(view.frames_with_errors()));
    out += say("  lost %llu", static_cast<unsigned long long>(s.samples_lost));
    if (s.radio.overruns > 0) out += say("  overruns %llu", static_cast<unsigned long long>(s.radio.overruns));
    if (s.radio.lock_losses > 0) out += say("  lock losses %llu", static_cast<unsigned long long>(s.radio.lock_losses));
    return out;
}

constexpr const char* kFrameHead = "    time/s mode           snr   cfo/Hz    ppm bytes blocks  who";

std::string frame_row(const HeardFrame& h) {
    const phy::Frame& f = h.frame;
    return say("%10.3f %-13.13s %5.1f %+8.0f %+6.2f %5zu %3zu/%-3zu ", h.place.time_s,
               std::string(phy::modes()[f.mode].name).c_str(), static_cast<double>(f.snr_db),
               static_cast<double>(f.cfo_hz), static_cast<double>(f.sfo_ppm), h.bytes, blocks_ok(f), f.blocks.size()) +
           h.who();
}

std::string footer(const ChannelView& view, const MonitorStatus& s, std::size_t waterfall_rows) {
    if (s.paused) {
        return "PAUSED: space goes on, q quits";
    }
    if (!s.message.empty()) {
        return s.message;
    }
    return say("q quit  + - time span (%.3g s, %.0f ms a row)  [ ] range (%.0f dB)  space pause",
               view.row_seconds() * static_cast<double>(waterfall_rows), view.row_seconds() * 1e3, s.range_db);
}

}  // namespace

double lowest_db(const ChannelView& view, std::size_t bins) {
    const double noise = view.noise_floor_dbfs().value_or(-60.0);
    return noise - 10.0 * std::log10(static_cast<double>(bins)) - 1.0;
}

std::string spectrum_text(const SpectrumRow& row, std::size_t columns, double lowest, double range_db) {
    std::string out;
    for (const float db : resample_row(row, columns)) {
        out += kShades[step_of(db, lowest, range_db, kShades.size())];
    }
    return out;
}

std::string heard_text(const HeardFrame& h) {
    std::string out = frame_text(h.frame, h.place, h.bytes);
    const std::string who = h.who();
    return who.empty() ? out : out + "  " + who;
}

std::vector<std::string> station_lines(const ChannelView& view, std::size_t most) {
    std::vector<std::string> out;
    if (view.stations().empty() || most < 2) {
        return out;
    }
    using Row = std::pair<std::optional<mac::StationId>, const HeardStation*>;
    std::vector<Row> sorted;
    for (const auto& [id, station] : view.stations()) {
        sorted.emplace_back(id, &station);
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const Row& a, const Row& b) { return a.second->last_s > b.second->last_s; });
    out.emplace_back("station    frames  blocks lost   snr/dB (mean)   cfo/Hz  heard");
    for (const auto& [id, s] : sorted) {
        if (out.size() == most) {
            break;
        }
        out.push_back(say("%-9s %7llu %6llu of %-6llu %5.1f (%5.1f) %+9.0f  %.1f s ago",
                          id ? station_text(*id).c_str() : "unnamed", static_cast<unsigned long long>(s->frames),
                          static_cast<unsigned long long>(s->blocks_lost), static_cast<unsigned long long>(s->blocks),
                          s->snr_db, s->mean_snr_db(), s->cfo_hz, view.seconds() - s->last_s));
    }
    return out;
}

std::vector<std::string> monitor_screen(const ChannelView& view, const MonitorStatus& status,
                                        const TerminalLook& look) {
    const std::size_t columns = look.columns;
    std::vector<std::string> out;
    const auto full = [&] { return out.size() >= look.rows; };
    const auto add = [&](const std::string& text) {
        if (!full()) {
            out.push_back(cut(text, columns));
        }
    };
    out.push_back(bold(cut(status.source + say("  %.1f s", view.seconds()), columns), look));
    add(status_line(view, status));
    // Two lines above, axis, head of the frames and footer; the rest is shared.
    const std::size_t left = look.rows > 5 ? look.rows - 5 : 0;
    const auto stations = station_lines(view, std::clamp<std::size_t>(left / 4, 2, 12));
    const std::size_t for_stations = std::min(stations.size(), left);
    const std::size_t for_frames = std::min<std::size_t>((left - for_stations) * 2 / 5, 20);
    const std::size_t for_waterfall = left - for_stations - for_frames;
    for (const std::string& line : waterfall(view, for_waterfall, status, look)) {
        if (!full()) {
            out.push_back(line);
        }
    }
    add(axis(view, status, columns));
    if (left > 0) {
        add(kFrameHead);
        for (std::size_t i = 0; i < for_frames; ++i) {
            if (i >= view.frames().size()) {
                add("");
                continue;
            }
            const HeardFrame& h = view.frames()[i];
            const std::string line = cut(frame_row(h), columns);
            out.push_back(look.colours && !h.frame.ok() ? "\x1b[31m" + line + "\x1b[0m" : line);
        }
        for (std::size_t i = 0; i < for_stations; ++i) {
            add(stations[i]);
        }
    }
    const std::size_t rows_a_line = look.colours && look.unicode ? 2 : 1;
    add(footer(view, status, for_waterfall * rows_a_line));
    return out;
}

}  // namespace meshnet::apps
