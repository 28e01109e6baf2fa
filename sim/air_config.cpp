// SPDX-License-Identifier: MIT
#include "sim/air_config.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <fstream>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "host/toml.hpp"

namespace meshnet::sim {
namespace {

constexpr std::size_t kMaxFileBytes = 1'048'576;

/// Levenshtein distance, for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t corner = row[0];
        row[0] = i;
        for (std::size_t k = 1; k <= b.size(); ++k) {
            const std::size_t change = corner + (a[i - 1] == b[k - 1] ? 0U : 1U);
            corner = row[k];
            row[k] = std::min({row[k] + 1, row[k - 1] + 1, change});
        }
    }
    return row.back();
}

/// One wrong thing in the file. Thrown and caught within this file only.
struct Fault {
    std::string message;
};

/// Reads the keys of one table by name and, at the end, refuses those nobody asked for.
class TableReader {
public:
    TableReader(const toml::table& table, std::string section, const std::string& file)
        : table_(table), section_(std::move(section)), file_(file) {}

    template <class Number>
    void number(const char* key, Number& out) {
        if (const toml::node* node = find(key)) {
            out = read_number(*node, key);
        }
    }
    void number(const char* key, std::optional<double>& out) {
        if (const toml::node* node = find(key)) {
            out = read_number(*node, key);
        }
    }
    template <class Integer>
    void integer(const char* key, Integer& out, std::int64_t low, std::int64_t high) {
        if (const toml::node* node = find(key)) {
            const auto value = node->is_integer() ? node->value<std::int64_t>() : std::nullopt;
            if (!value || *value < low || *value > high) {
                fail(*node, "'" + std::string(key) + "' must be a whole number within " + std::to_string(low) + ".." +
                                std::to_string(high));
            }
            out = static_cast<Integer>(*value);
        }
    }
    void flag(const char* key, bool& out) {
        if (const toml::node* node = find(key)) {
            const auto value = node->is_boolean() ? node->value<bool>() : std::nullopt;
            if (!value) {
                fail(*node, "'" + std::string(key) + "' must be true or false");
            }
            out = *value;
        }
    }
    void text(const char* key, std::string& out) {
        if (const toml::node* node = find(key)) {
            const auto value = node->is_string() ? node->value<std::string>() : std::nullopt;
            if (!value) {
                fail(*node, "'" + std::string(key) + "' must be a text in quotes");
            }
            out = *value;
        }
    }
    /// The tables of an array of tables; none if the key is not there.
    std::vector<const toml::table*> tables(const char* key) {
        std::vector<const toml::table*> out;
        if (const toml::node* node = find(key)) {
            const toml::array* array = node->as_array();
            if (array == nullptr) {
                fail(*node, "'" + std::string(key) + "' must be an array of tables, as in [[" + key + "]]");
            }
            for (const toml::node& element : *array) {
                if (element.as_table() == nullptr) {
                    fail(element, "'" + std::string(key) + "' must be an array of tables, as in [[" + key + "]]");
                }
                out.push_back(element.as_table());
            }
        }
        return out;
    }
    const toml::node* find(const char* key) {
        known_.emplace_back(key);
        return table_.get(key);
    }
    void finish() const {
        for (const auto& [key, node] : table_) {
            const std::string name(key.str());
            if (std::find(known_.begin(), known_.end(), name) != known_.end()) {
                continue;
            }
            const auto nearest = std::min_element(known_.begin(), known_.end(), [&](const auto& a, const auto& b) {
                return edit_distance(a, name) < edit_distance(b, name);
            });
            std::string hint;
            if (name.size() <= 64 && edit_distance(*nearest, name) <= 3) {
                hint = "did you mean '" + *nearest + "'?";
            } else {
                hint = "known are";
                for (const std::string& known : known_) {
                    hint += " " + known;
                }
            }
            throw Fault{place(key.source()) + "unknown key '" + name.substr(0, 64) + "' in " + section_ + "; " + hint};
        }
    }
    [[noreturn]] void fail(const toml::node& node, const std::string& what) const {
        throw Fault{place(node.source()) + what + " (in " + section_ + ")"};
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw Fault{place(table_.source()) + what + " (in " + section_ + ")"};
    }

private:
    double read_number(const toml::node& node, const char* key) const {
        const auto value = node.is_number() ? node.value<double>() : std::nullopt;
        if (!value || !std::isfinite(*value)) {
            fail(node, "'" + std::string(key) + "' must be a number");
        }
        return *value;
    }
    [[nodiscard]] std::string place(const toml::source_region& region) const {
        return file_ + ":" + std::to_string(region.begin.line) + ": ";
    }

    const toml::table& table_;
    std::string section_;
    const std::string& file_;
    std::vector<std::string> known_;
};

AirStation read_station(TableReader reader) {
    AirStation s;
    double switch_time_us = static_cast<double>(s.switch_time.count()) * 1e-3;
    reader.text("name", s.name);
    reader.number("x_m", s.x_m);
    reader.number("y_m", s.y_m);
    reader.number("height_m", s.height_m);
    reader.number("vx_mps", s.vx_mps);
    reader.number("vy_mps", s.vy_mps);
    reader.number("tx_power_dbm", s.tx_power_dbm);
    reader.number("antenna_gain_dbi", s.antenna_gain_dbi);
    reader.number("noise_figure_db", s.noise_figure_db);
    reader.number("full_scale_dbm", s.full_scale_dbm);
    reader.number("clock_ppm", s.clock_ppm);
    reader.number("switch_time_us", switch_time_us);
    reader.flag("full_duplex", s.full_duplex);
    reader.integer("adc_bits", s.adc_bits, 0, 24);
    reader.finish();
    if (s.name.empty()) {
        reader.fail("a station needs a 'name'");
    }
    if (!(switch_time_us >= 0.0 && switch_time_us <= 1e6)) {
        reader.fail("'switch_time_us' must be within 0..1e6");
    }
    s.switch_time = from_seconds(switch_time_us * 1e-6);
    return s;
}

std::size_t station_index(const TableReader& reader, const toml::node& node, const std::vector<AirStation>& stations) {
    const auto name = node.value<std::string>();
    std::string known;
    for (std::size_t i = 0; i < stations.size(); ++i) {
        if (node.is_string() && name && stations[i].name == *name) {
            return i;
        }
        known += (known.empty() ? "" : ", ") + stations[i].name;
    }
    reader.fail(node, "no station is called " + (name ? "'" + name->substr(0, 64) + "'" : std::string("that")) +
                          "; there are: " + known);
}

/// One [[link]]: two AirLinks with `between`, one with `from` and `to`.
std::vector<AirLink> read_link(TableReader reader, const std::vector<AirStation>& stations, const std::string& file) {
    AirLink l;
    const toml::node* const between = reader.find("between");
    const toml::node* const from = reader.find("from");
    const toml::node* const to = reader.find("to");
    reader.flag("blocked", l.blocked);
    reader.flag("ignore_horizon", l.ignore_horizon);
    reader.number("distance_m", l.distance_m);
    reader.number("receding_mps", l.receding_mps);
    reader.number("loss_db", l.loss_db);
    reader.number("extra_loss_db", l.extra_loss_db);
    reader.number("sea_reflection", l.sea_reflection);
    for (const toml::table* table : reader.tables("echo")) {
        AirEcho echo;
        TableReader echo_reader(*table, "echo of [[link]]", file);
        echo_reader.number("delay_s", echo.delay_s);
        echo_reader.number("gain_db", echo.gain_db);
        echo_reader.number("phase_turns", echo.phase_turns);
        echo_reader.finish();
        l.echoes.push_back(echo);
    }
    reader.finish();
    if (between != nullptr && from == nullptr && to == nullptr) {
        const toml::array* const pair = between->as_array();
        if (pair == nullptr || pair->size() != 2) {
            reader.fail(*between, R"('between' must be two names, as in between = ["coast", "ship"])");
        }
        l.from = station_index(reader, (*pair)[0], stations);
        l.to = station_index(reader, (*pair)[1], stations);
        AirLink back = l;
        std::swap(back.from, back.to);
        return {l, back};
    }
    if (between != nullptr || from == nullptr || to == nullptr) {
        reader.fail("a link needs either 'between' (both directions) or 'from' and 'to' (one direction)");
    }
    l.from = station_index(reader, *from, stations);
    l.to = station_index(reader, *to, stations);
    return {l};
}

AirFile read_file(const toml::table& root, const std::string& file) {
    AirFile out;
    TableReader reader(root, "the file", file);
    reader.number("sample_rate_hz", out.air.sample_rate_hz);
    reader.number("carrier_hz", out.air.carrier_hz);
    reader.integer("seed", out.air.seed, 0, std::numeric_limits<std::int64_t>::max());
    reader.text("socket", out.socket);
    const auto stations = reader.tables("station");
    const auto links = reader.tables("link");
    reader.finish();
    if (stations.empty()) {
        reader.fail("at least one [[station]] is needed");
    }
    for (const toml::table* table : stations) {
        out.air.stations.push_back(read_station(TableReader(*table, "[[station]]", file)));
    }
    for (const toml::table* table : links) {
        for (AirLink& l : read_link(TableReader(*table, "[[link]]", file), out.air.stations, file)) {
            out.air.links.push_back(std::move(l));
        }
    }
    if (out.air.stations.size() > Air::kMaxStations) {
        reader.fail("at most 256 stations");
    }
    (void)Air(out.air);  // judges the values; throws std::invalid_argument
    return out;
}

/// Only ASCII reaches the parser: toml++ 3.3 classifies some other characters by undefined behaviour (U+FEBF is one).
/// Lines that are all comment may hold any bytes.
std::string ascii_only(std::string_view text, const std::string& file) {
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
                throw Fault{file + ":" + std::to_string(line) +
                            ": only ASCII characters may stand here; others belong in lines that begin with '#'"};
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

Result<AirFile> parse_air_config(std::string_view text, const std::string& file) {
    if (text.size() > kMaxFileBytes) {
        return Error{file + ": larger than 1 MiB"};
    }
    try {
        return read_file(toml::parse(ascii_only(text, file), file), file);
    } catch (const toml::parse_error& error) {
        return Error{file + ":" + std::to_string(error.source().begin.line) + ": " + std::string(error.description())};
    } catch (const Fault& fault) {
        return Error{fault.message};
    } catch (const std::exception& error) {
        return Error{file + ": " + error.what()};
    }
}

Result<AirFile> load_air_config(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return Error{"cannot read " + path};
    }
    std::string text(kMaxFileBytes + 1, '\0');
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (in.bad()) {
        return Error{"cannot read " + path};
    }
    text.resize(static_cast<std::size_t>(in.gcount()));
    return parse_air_config(text, path);
}

}  // namespace meshnet::sim
