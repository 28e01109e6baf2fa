// SPDX-License-Identifier: MIT
// Rules about the source tree itself, as data: which folder may use which, what protocol code may not touch, the
// licence of every folder, formatting. docs/architecture.md draws the same arrows for people.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MESHNET_SOURCE_DIR;

struct Room {
    std::string name;
    std::string licence;                  // of its source files
    std::vector<std::string> uses;        // rooms it may include, besides itself
    std::vector<std::string> files = {};  // without endings; empty: the folder of that name, less deeper rooms
};

// The table, in order: a room uses only rooms above it, so that no circle can be written down.
const std::vector<Room>& rooms() {
    static const std::string kMit = "MIT", kGpl = "GPL-3.0-or-later";
    static const std::vector<Room> table{
        {"core", kMit, {}},
        {"host", kMit, {"core"}},
        {"phy values", kMit, {"core"}, {"phy/frame", "phy/modes", "phy/profile", "phy/sample"}},
        {"phy/dsp", kMit, {"core", "phy values"}},
        {"phy/fec", kMit, {"core"}},
        {"phy/waveform", kMit, {"core", "phy values", "phy/dsp", "phy/fec"}},
        {"phy/estimation", kMit, {"core", "phy values", "phy/dsp", "phy/waveform"}},
        {"phy/demodulation", kMit, {"core", "phy values", "phy/dsp", "phy/fec", "phy/waveform", "phy/estimation"}},
        {"phy/cancellation",
         kMit,
         {"core", "phy values", "phy/dsp", "phy/waveform", "phy/estimation", "phy/demodulation"}},
        {"phy",
         kMit,
         {"core", "phy values", "phy/dsp", "phy/waveform", "phy/estimation", "phy/demodulation", "phy/cancellation"}},
        {"mac", kMit, {"core"}},
        {"net values",
         kMit,
         {"core"},
         {"net/certificate", "net/checked_text", "net/credit_limits", "net/crypto", "net/identity",
          "net/identity_secrets", "net/master_key", "net/node_id", "net/packet_format", "net/payment/amount",
          "net/payment/hash_chain", "net/payment/settlement_policy", "net/spend_budget", "net/token_bucket"}},
        {"net/payment", kMit, {"core", "net values"}},
        {"net", kMit, {"core", "net values", "net/payment"}},
        {"bitcoin", kMit, {"core"}},
        {"node", kMit, {"core", "phy values", "phy", "mac", "net values", "net/payment", "net"}},
        {"sim/channel", kMit, {"core", "phy values"}},
        {"sim/propagation", kMit, {}},
        {"sim",
         kMit,
         {"core", "host", "phy values", "phy", "mac", "net values", "net/payment", "net", "node", "sim/channel",
          "sim/propagation"}},
        {"station/ledger", kGpl, {"core", "host", "net values", "net/payment"}},
        {"station/settle", kGpl, {"core", "host", "net values", "net/payment", "net", "station/ledger"}},
        {"station/guard", kGpl, {"core", "host", "phy values", "phy/dsp"}},
        {"station/radio", kGpl, {"core", "host", "phy values", "phy", "mac", "node", "sim", "station/guard"}},
        {"station/meshair", kGpl, {"core", "host", "phy values", "sim/channel", "sim"}},
        {"station settings",
         kGpl,
         {"core", "host", "phy values", "phy", "mac", "net values", "node", "station/guard", "station/radio"},
         {"station/config", "station/config_keys", "station/credit_keys", "station/ip_prefix", "station/key_file",
          "station/settlement_keys"}},
        {"station/control",
         kGpl,
         {"core", "host", "phy values", "phy/dsp", "phy", "mac", "net values", "net/payment", "net", "node",
          "station/guard", "station/ledger", "station/settle", "station/radio", "station settings"}},
        {"station",
         kGpl,
         {"core", "host", "phy values", "phy", "mac", "net values", "net/payment", "net", "node", "station/guard",
          "station/ledger", "station/settle", "station/radio", "station settings", "station/control"}},
        {"apps/transfer", kGpl, {"core", "net values"}},
        {"apps/control", kGpl, {"core", "host", "station settings"}},
        {"apps/page",
         kGpl,
         {"core", "host", "phy values", "mac", "net values", "net", "station/ledger", "station/guard", "station/radio",
          "station settings", "station/control", "apps/control"}},
        {"apps/cli",
         kGpl,
         {"core", "host", "phy values", "phy/dsp", "phy", "mac", "net values", "node", "sim/propagation",
          "station/guard", "station/ledger", "station/settle", "station/radio", "station settings", "station/control",
          "apps/transfer", "apps/control"}},
        {"apps", kGpl, {"core", "host", "net values", "sim", "station settings", "station"}},
        {"gr-meshnet",
         kGpl,
         {"core", "phy values", "phy/dsp", "phy/waveform", "phy/estimation", "phy/demodulation", "phy", "mac",
          "net values", "net/payment", "net", "node", "sim/channel", "sim", "station/guard", "station/radio",
          "station/ledger", "station settings"}},
        {"lab",
         kMit,
         {"core", "phy values", "phy/dsp", "phy/fec", "phy/waveform", "phy/estimation", "phy/demodulation", "phy",
          "net values", "sim/channel", "sim"}},
    };
    return table;
}
// Rooms that nothing includes and that may include whatever they measure.
const std::map<std::string, std::string> kOutermost{
    {"tests", "MIT"}, {"bench", "MIT"}, {"tools", ""}, {"grc", ""}, {"cmake", ""}};

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> files_below(const fs::path& folder, const std::set<std::string>& extensions) {
    std::vector<fs::path> out;
    for (auto it = fs::recursive_directory_iterator(folder); it != fs::recursive_directory_iterator(); ++it) {
        const std::string name = it->path().filename().string();
        if (it->is_directory() && (name == "build" || name == ".git")) {
            it.disable_recursion_pending();
        } else if (it->is_regular_file() && extensions.contains(it->path().extension().string())) {
            out.push_back(it->path());
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

const std::set<std::string> kCode{".hpp", ".h", ".cpp", ".cc", ".inc"};

std::string below_root(const fs::path& path) {
    return fs::relative(path, kRoot).generic_string();
}

/// The room of a file, given below the root ("phy/waveform/grid.hpp"), or "" if none is its room.
std::string room_of(const std::string& file) {
    const std::string stem = file.substr(0, file.rfind('.'));
    std::string best;
    for (const Room& room : rooms()) {
        if (std::find(room.files.begin(), room.files.end(), stem) != room.files.end()) {
            return room.name;
        }
        if (file.starts_with(room.name + "/") && room.name.size() > best.size()) {
            best = room.name;
        }
    }
    return best;
}

/// Our own files that a text includes, below the root.
std::vector<std::string> includes_of(const std::string& text) {
    static const std::regex include(R"(#\s*include\s*"([a-z][a-z0-9_\-]*/[a-z0-9_/\-]+\.[a-z]+)\")");
    std::vector<std::string> out;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), include); it != std::sregex_iterator(); ++it) {
        out.push_back((*it)[1]);
    }
    return out;
}

/// One line for each include that the table does not allow to a file of that room.
std::vector<std::string> wrong_includes(const std::string& file, const std::string& text) {
    std::vector<std::string> out;
    const std::string room = room_of(file);
    const auto row = std::find_if(rooms().begin(), rooms().end(), [&](const Room& r) { return r.name == room; });
    if (row == rooms().end()) {
        return {file + " stands in no room of the table"};
    }
    for (const std::string& included : includes_of(text)) {
        const std::string other = room_of(included);
        if (other != room && std::find(row->uses.begin(), row->uses.end(), other) == row->uses.end()) {
            out.push_back(file + " includes " + included + ", but " + room + " may not use " +
                          (other.empty() ? "what is outside the table" : other));
        }
    }
    return out;
}

bool is_outermost(const std::string& file) {
    return kOutermost.contains(file.substr(0, file.find('/')));
}

TEST(Repository, WhoUsesWhom) {
    std::size_t checked = 0;
    for (const auto& path : files_below(kRoot, kCode)) {
        const std::string file = below_root(path);
        if (is_outermost(file)) {
            continue;
        }
        for (const std::string& line : wrong_includes(file, read(path))) {
            ADD_FAILURE() << line;
        }
        ++checked;
    }
    EXPECT_GT(checked, 200U);
}

TEST(Repository, ARoomUsesOnlyRoomsAboveIt) {
    std::set<std::string> above;
    for (const Room& room : rooms()) {
        for (const std::string& used : room.uses) {
            EXPECT_TRUE(above.contains(used)) << room.name << " uses " << used << ", which stands below it";
        }
        above.insert(room.name);
    }
}

TEST(Repository, TheCheckOfIncludesSeesAnIntruder) {
    EXPECT_EQ(wrong_includes("mac/mac.cpp", "#include \"core/time.hpp\"\n#include <vector>\n").size(), 0U);
    EXPECT_EQ(wrong_includes("mac/mac.cpp", "#include \"net/router.hpp\"\n").size(), 1U);
    EXPECT_EQ(wrong_includes("phy/dsp/fft.cpp", "#include \"phy/waveform/grid.hpp\"\n").size(), 1U);
    EXPECT_EQ(wrong_includes("phy/dsp/fft.cpp", "#include \"phy/sample.hpp\"\n").size(), 0U);
    EXPECT_EQ(wrong_includes("sim/world.cpp", "#include \"station/tun.hpp\"\n").size(), 1U);
    EXPECT_EQ(wrong_includes("lab/genie.cpp", "#include \"tests/phy/modem_harness.hpp\"\n").size(), 1U);
    EXPECT_EQ(wrong_includes("attic/old.cpp", "").size(), 1U);
}

// Headers may not include one another in a circle, in a room or across rooms.
TEST(Repository, HeadersFormNoCircle) {
    std::map<std::string, std::vector<std::string>> graph;
    for (const auto& path : files_below(kRoot, {".hpp", ".h"})) {
        graph[below_root(path)] = includes_of(read(path));
    }
    std::set<std::string> finished;
    std::vector<std::string> way;
    const auto visit = [&](const auto& self, const std::string& file) -> void {
        if (const auto on_way = std::find(way.begin(), way.end(), file); on_way != way.end()) {
            std::string circle;
            for (auto it = on_way; it != way.end(); ++it) {
                circle += *it + " -> ";
            }
            ADD_FAILURE() << circle << file;
            return;
        }
        if (!graph.contains(file) || !finished.insert(file).second) {
            return;
        }
        way.push_back(file);
        finished.erase(file);
        for (const std::string& next : graph[file]) {
            self(self, next);
        }
        way.pop_back();
        finished.insert(file);
    };
    for (const auto& [file, unused] : graph) {
        visit(visit, file);
    }
    EXPECT_GT(finished.size(), 100U);
}

// Protocol code knows no clock, socket, file, log or global randomness: they are injected. Threads it has where frames
// are the same with any number of them (decode_workers_test).
TEST(Repository, ProtocolCodeTouchesNothingOutside) {
    const std::regex forbidden(
        R"(system_clock|steady_clock|gettimeofday|clock_gettime|sleep_for|usleep|std::rand\b|random_device|)"
        R"(#\s*include\s*<(sys/socket|sys/time|unistd|fstream|iostream|thread|spdlog)|\bprintf\s*\(|std::c(out|err)\b)");
    for (const std::string folder : {"core", "phy", "mac", "net", "bitcoin", "node"}) {
        for (const auto& path : files_below(kRoot / folder, kCode)) {
            std::string text = read(path);
            if (path.stem() == "decode_workers") {
                text = std::regex_replace(text, std::regex("#include <thread>"), "");
            }
            std::smatch match;
            EXPECT_FALSE(std::regex_search(text, match, forbidden)) << path << ": " << match.str();
        }
    }
}

TEST(Repository, EveryFileNamesItsLicence) {
    const std::set<std::string> extensions{".hpp", ".h", ".cpp", ".cc", ".inc", ".py", ".sh", ".cmake", ".yml", ".txt"};
    const auto licence_of = [](const std::string& file) -> std::string {
        if (const auto outer = kOutermost.find(file.substr(0, file.find('/'))); outer != kOutermost.end()) {
            return file.starts_with("tests/gr/") ? "" : outer->second;
        }
        const std::string room = room_of(file);
        const auto row = std::find_if(rooms().begin(), rooms().end(), [&](const Room& r) { return r.name == room; });
        return row == rooms().end() ? "" : row->licence;
    };
    std::size_t checked = 0;
    for (const auto& path : files_below(kRoot, extensions)) {
        const std::string file = below_root(path);
        const bool data = path.extension() == ".txt" && path.filename() != "CMakeLists.txt";
        if (data || file.starts_with("tests/fuzz/corpus/")) {
            continue;
        }
        ++checked;
        const std::string head = read(path).substr(0, 400);
        const auto at = head.find("SPDX-License-Identifier: ");
        if (at == std::string::npos) {
            ADD_FAILURE() << file << " has no SPDX line";
            continue;
        }
        const std::string expected = licence_of(file);
        EXPECT_EQ(head.compare(at + 25, expected.size(), expected), 0) << file << ": expected " << expected;
    }
    EXPECT_GT(checked, 300U);
}

// The field's words, so that an engineer finds things by the terms he knows. Left what this project used to say, right
// what docs/glossary.md explains; that page alone may name the old ones.
struct OldWord {
    const char* pattern;
    const char* instead;
};
constexpr OldWord kOldWords[] = {
    {R"(told the channel|\b[Tt]ruths?\b|\btell_|\btold_)", "genie-aided, ideal CSI"},
    {R"(channels? that moves?|[Mm]oving channel|MovingChannel)", "time-varying channel"},
    {R"(channel that stands still|stands still)", "static"},
    {R"(turn(ed)? back by|\bturn_back)", "derotate"},
    {R"([Ll]ook(s|ing|ed)? back)", "fixed-interval (RTS) smoothing, smooth backwards"},
    {R"(strange[_ ]power)", "residual interference power"},
    {R"(frame (that lies )?beneath|second[_ ]search)", "successive interference cancellation, SIC pass"},
    {R"(leak(s|ing)? (of carriers )?into one another)", "inter-carrier interference (ICI)"},
    {R"(outlasts? the prefix)", "delay spread beyond the cyclic prefix"},
    {R"(\bsurer\b|\bsurest\b)", "more reliable"},
    {R"([Mm]other word)", "mother codeword"},
    {R"([Dd]elivery word)", "payword"},
    {R"(\bby chance\b|more than chance)", "significance"},
    {R"(\b[Ss]labs?\b|\bkSlab)", "window (block) of symbols"},
    {R"(handed[_ ](up|on)\b)", "delivered, forwarded"},
    {R"([Dd]amaged frame|[Ww]hole frame)", "frame with block errors, error-free frame"},
    {R"(\b[Dd]eaf\b)", "half-duplex blind"},
    {R"(\bdear(er)?\b)", "expensive"},
    {R"(\b[Aa]nchors?\b)", "baseline, root"},
};

TEST(Repository, TheFieldsWords) {
    std::vector<std::pair<std::regex, const char*>> patterns;
    for (const OldWord& word : kOldWords) {
        patterns.emplace_back(std::regex(word.pattern, std::regex::optimize), word.instead);
    }
    std::size_t checked = 0;
    for (const auto& path : files_below(kRoot, {".hpp", ".h", ".cpp", ".cc", ".py", ".sh", ".md", ".txt", ".cmake",
                                                ".in", ".grc", ".toml", ".json"})) {
        const std::string file = below_root(path);
        if (file == "docs/glossary.md" || file == "tests/repository/repository_test.cpp" ||
            file.starts_with("LICENSES/") || file.starts_with("tests/fuzz/corpus/")) {
            continue;
        }
        ++checked;
        std::istringstream text(read(path));
        std::size_t number = 0;
        for (std::string line; std::getline(text, line);) {
            ++number;
            if (line.size() > 2'000 || line.find("bbox_to_anchor") != std::string::npos ||
                line.find("text-anchor") != std::string::npos ||
                line.find("rotation_mode=\"anchor\"") != std::string::npos) {  // matplotlib's and SVG's own words
                continue;
            }
            for (const auto& [pattern, instead] : patterns) {
                std::smatch match;
                if (std::regex_search(line, match, pattern)) {
                    ADD_FAILURE() << file << ':' << number << ": '" << match.str() << "'; write: " << instead;
                }
            }
        }
    }
    EXPECT_GT(checked, 300U);
}

/// docs/architecture.md, "Where to change what".
std::string table_of_changes() {
    const std::string page = read(kRoot / "docs/architecture.md");
    const auto begin = page.find("\n## Where to change what\n");
    return begin == std::string::npos ? "" : page.substr(begin, page.find("\n## ", begin + 1) - begin);
}

TEST(Repository, TheTableOfChangesNamesFilesThatExist) {
    const std::string table = table_of_changes();
    const std::regex path(R"(`([a-z_\-]+/[A-Za-z0-9_\-/.]*)`)");
    std::size_t checked = 0;
    for (auto it = std::sregex_iterator(table.begin(), table.end(), path); it != std::sregex_iterator(); ++it) {
        EXPECT_TRUE(fs::exists(kRoot / (*it)[1].str())) << (*it)[1];
        ++checked;
    }
    EXPECT_GT(checked, 25U);
}

TEST(Repository, TheTableOfChangesNamesEveryHeaderOfCounters) {
    const std::string table = table_of_changes();
    std::size_t checked = 0;
    for (const auto& path : files_below(kRoot, {".hpp"})) {
        if (read(path).find("static_assert(visits_every_counter<") != std::string::npos) {
            EXPECT_NE(table.find('`' + below_root(path) + '`'), std::string::npos) << below_root(path);
            ++checked;
        }
    }
    EXPECT_GT(checked, 5U);
}

// Layout is decided by .clang-format, not by reviewers.
TEST(Repository, EveryFileIsFormatted) {
    std::string command = "cd '" + kRoot.string() + "' && clang-format-14 --dry-run";
    for (const auto& path : files_below(kRoot, kCode)) {
        command += " '" + below_root(path) + "'";
    }
    command +=
        " 2>&1 | grep -a ': warning: ' | cut -d: -f1 | sort -u; clang-format-14 --version >/dev/null || echo "
        "'install the package clang-format-14'";
    FILE* pipe = ::popen(command.c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    std::string unformatted;
    char buffer[4096];
    while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) {
        unformatted += buffer;
    }
    ::pclose(pipe);
    EXPECT_EQ(unformatted, "") << "run clang-format-14 -i on these";
}

TEST(Repository, NoFlagsThatHideNanOrTieTheBuildToOneMachine) {
    for (const auto& path : files_below(kRoot, {".txt", ".cmake", ".json"})) {
        const auto name = path.filename();
        if (name == "CMakeLists.txt" || path.extension() == ".cmake" || name == "CMakePresets.json") {
            const std::string text = read(path);
            EXPECT_EQ(text.find("-ffast-math"), std::string::npos) << path;
            EXPECT_EQ(text.find("-march=native"), std::string::npos) << path;
            EXPECT_EQ(text.find("-DNDEBUG"), std::string::npos) << path << ": asserts stay on in production";
        }
    }
}

}  // namespace
