// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/config.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "host/toml.hpp"
#include "node/phy_model.hpp"
#include "phy/profile.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kMaxConfigBytes = 1 << 20;

std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text.substr(0, 64)) {
        out += (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) ? '?' : c;
    }
    return out + "\"";
}

std::string number_text(double v) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.15g", v);
    return buffer;
}

std::string range_text(const ConfigKey& key) {
    const std::string unit = key.unit.empty() ? "" : " (" + std::string(key.unit) + ")";
    return number_text(key.min) + " to " + number_text(key.max) + unit;
}

/// What the key wants, with an example that would be accepted.
std::string wanted(const ConfigKey& key) {
    const std::string example = ", for example " + std::string(key.name) + " = " + std::string(key.example);
    switch (key.kind) {
        case ConfigKey::Kind::kText:
            return "must be a text in quotes" + example;
        case ConfigKey::Kind::kNumber:
            return "must be a number, " + range_text(key) + example;
        case ConfigKey::Kind::kInteger:
            return "must be a whole number, " + range_text(key) + example;
        case ConfigKey::Kind::kFlag:
            return "must be true or false";
        case ConfigKey::Kind::kTextList:
            break;
    }
    return "must be a list of texts" + example;
}

Result<ConfigValue> read_value(const ConfigKey& key, const toml::node& node) {
    ConfigValue out;
    const Error wrong{wanted(key)};
    switch (key.kind) {
        case ConfigKey::Kind::kText:
            if (!node.is_string()) return wrong;
            out.text = node.ref<std::string>();
            if (out.text.find('\0') != std::string::npos) return Error{"must not contain a zero byte"};
            return out;
        case ConfigKey::Kind::kFlag:
            if (!node.is_boolean()) return wrong;
            out.flag = node.ref<bool>();
            return out;
        case ConfigKey::Kind::kNumber:
            if (!node.is_number()) return wrong;
            out.number = node.is_integer() ? static_cast<double>(node.ref<std::int64_t>()) : node.ref<double>();
            if (!(out.number >= key.min && out.number <= key.max)) return wrong;
            return out;
        case ConfigKey::Kind::kInteger:
            if (!node.is_integer()) return wrong;
            out.integer = node.ref<std::int64_t>();
            if (static_cast<double>(out.integer) < key.min || static_cast<double>(out.integer) > key.max) return wrong;
            return out;
        case ConfigKey::Kind::kTextList:
            break;
    }
    const auto* array = node.as_array();
    if (array == nullptr) return wrong;
    for (const auto& element : *array) {
        if (!element.is_string()) return wrong;
        out.list.push_back(element.ref<std::string>());
    }
    return out;
}

std::string at(const std::string& source, const toml::source_region& region) {
    return source + ":" + std::to_string(region.begin.line) + ": ";
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates,
                         std::string_view what) {
    if (const auto near = nearest_word(word, candidates)) {
        return "; did you mean " + quoted(*near) + "?";
    }
    std::string all;
    for (const auto& c : candidates) {
        all += (all.empty() ? "" : ", ") + std::string(c);
    }
    return "; the " + std::string(what) + " are " + all;
}

Status apply_section(Config& config, std::string_view section, const toml::table& table, const std::string& source) {
    std::vector<std::string_view> names;
    for (const auto& key : config_keys()) {
        if (key.section == section) names.push_back(key.name);
    }
    for (const auto& [name, node] : table) {
        const auto keys = config_keys();
        const auto key = std::find_if(keys.begin(), keys.end(), [&, n = name.str()](const ConfigKey& k) {
            return k.section == section && k.name == n;
        });
        const std::string where = at(source, name.source());
        if (key == keys.end()) {
            return Error{where + "unknown key " + quoted(name.str()) + " in [" + std::string(section) + "]" +
                         did_you_mean(name.str(), names, "keys")};
        }
        const std::string label = std::string(section) + "." + std::string(key->name) + " ";
        auto value = read_value(*key, node);
        if (!value) {
            return Error{where + label + value.error().message};
        }
        if (auto stored = key->store(config, *value); !stored) {
            return Error{where + label + stored.error().message};
        }
    }
    return Ok{};
}

/// Hides from the parser what is not ASCII: toml++ 3.3 classifies some other characters by undefined behaviour. Lines
/// that are all comment may hold any bytes. Error: the line of the first that stands elsewhere.
Result<std::string> ascii_only(std::string_view text, const std::string& source) {
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
                return Error{source + ":" + std::to_string(line) +
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

Status check_together(const Config& c, const std::string& source) {
    if (c.max_window_bytes < c.initial_window_bytes) {
        return Error{source + ": net.max_window_kib is below net.initial_window_kib; raise it to at least " +
                     std::to_string(c.initial_window_bytes / 1024)};
    }
    const auto* profile = phy::find_profile(c.profile);
    const auto first = node::first_mode(c.longest_preamble);
    // The least a MAC can work with (docs/spec/mac.md): a request of 400 bytes in its most robust mode within one
    // burst.
    const double least_ms =
        1e3 * static_cast<double>(phy::frame_samples(*profile, first, 400)) / profile->sample_rate_hz;
    if (to_seconds(c.mac.max_burst) * 1e3 < least_ms) {
        return Error{source + ": mac.max_burst_ms is shorter than the " +
                     std::to_string(static_cast<int>(std::ceil(least_ms))) + " ms that 400 bytes take in mode " +
                     std::string(phy::modes()[first].name) + " of profile " + c.profile +
                     "; raise it, or choose a shorter radio.longest_preamble"};
    }
    if (const auto fixed = phy::find_mode(c.fixed_mode); fixed && *fixed < first) {
        return Error{source + ": mac.fixed_mode " + c.fixed_mode +
                     " has a longer preamble than radio.longest_preamble allows"};
    }
    if (c.control_socket.size() > 107) {
        return Error{source + ": station.control_socket is longer than the 107 characters a Unix socket path can have"};
    }
    return Ok{};
}

}  // namespace

std::optional<std::string_view> nearest_word(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > 64) {
        return std::nullopt;
    }
    std::optional<std::string_view> best;
    std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
    for (const auto candidate : candidates) {
        // Damerau-Levenshtein distance, adjacent swaps only (F. J. Damerau, CACM 7 (1964)).
        std::vector<std::vector<std::size_t>> d(word.size() + 1, std::vector<std::size_t>(candidate.size() + 1));
        for (std::size_t i = 0; i <= word.size(); ++i) {
            for (std::size_t j = 0; j <= candidate.size(); ++j) {
                if (i == 0 || j == 0) {
                    d[i][j] = i + j;
                    continue;
                }
                const std::size_t replace = d[i - 1][j - 1] + (word[i - 1] == candidate[j - 1] ? 0 : 1);
                d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replace});
                if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1]) {
                    d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
                }
            }
        }
        if (const std::size_t distance = d[word.size()][candidate.size()]; distance < best_distance) {
            best_distance = distance;
            best = candidate;
        }
    }
    return best;
}

Result<Config> parse_config(std::string_view text, const std::string& source) {
    if (text.size() > kMaxConfigBytes) {
        return Error{source + ": larger than 1 MiB; this is no configuration file"};
    }
    const auto ascii = ascii_only(text, source);
    if (!ascii) {
        return ascii.error();
    }
    toml::table root;
    try {
        root = toml::parse(*ascii, source);
    } catch (const toml::parse_error& e) {
        return Error{at(source, e.source()) + "not TOML: " + std::string(e.description())};
    } catch (const std::exception& e) {
        return Error{source + ": not TOML: " + std::string(e.what())};
    }
    std::vector<std::string_view> sections;
    for (const auto& key : config_keys()) {
        if (sections.empty() || sections.back() != key.section) sections.push_back(key.section);
    }
    Config config;
    for (const auto& [name, node] : root) {
        const std::string where = at(source, name.source());
        if (std::find(sections.begin(), sections.end(), name.str()) == sections.end()) {
            return Error{where + "unknown section " + quoted(name.str()) +
                         did_you_mean(name.str(), sections, "sections")};
        }
        const auto* table = node.as_table();
        if (table == nullptr) {
            return Error{where + quoted(name.str()) + " is a section; write [" + std::string(name.str()) +
                         "] on a line of its own and its keys below"};
        }
        if (auto applied = apply_section(config, name.str(), *table, source); !applied) {
            return applied.error();
        }
    }
    if (auto together = check_together(config, source); !together) {
        return together.error();
    }
    return config;
}

Result<Config> load_config(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error{path + ": cannot be opened: " + std::error_code(errno, std::generic_category()).message() +
                     "; meshnetd --print-config writes an example"};
    }
    std::string text(kMaxConfigBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad() || (file.fail() && !file.eof())) {
        return Error{path + ": cannot be read"};
    }
    text.resize(static_cast<std::size_t>(file.gcount()));
    auto config = parse_config(text, path);
    if (config) {
        const auto folder = std::filesystem::path(path).parent_path();
        const auto anchor = [&](std::string& p) { p = (folder / p).string(); };
        anchor(config->key_file);
        anchor(config->ledger_file);
        anchor(config->control_socket);
        if (config->control_socket.size() > 107) {
            return Error{path +
                         ": station.control_socket is longer than the 107 characters a Unix socket path can have"};
        }
    }
    return config;
}

std::string example_config() {
    std::ostringstream out;
    out << "# A meshnet station. Every key has a default, shown here; leave out what you do not change.\n"
           "# Try it:  meshnetd --config FILE --check\n";
    std::string_view section;
    for (const auto& key : config_keys()) {
        if (key.section != section) {
            section = key.section;
            out << "\n[" << section << "]\n";
        }
        std::istringstream doc{std::string(key.doc)};
        for (std::string line; std::getline(doc, line);) {
            out << "# " << line << '\n';
        }
        if (key.kind == ConfigKey::Kind::kNumber || key.kind == ConfigKey::Kind::kInteger) {
            out << "# " << range_text(key) << '\n';
        }
        out << key.name << " = " << key.example << '\n';
    }
    return out.str();
}

}  // namespace meshnet::station
