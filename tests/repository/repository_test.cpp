// SPDX-License-Identifier: MIT
// Rules about the source tree itself: who may include whom, what protocol code may not touch, a licence in every file.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = MESHNET_SOURCE_DIR;

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<fs::path> files_below(const fs::path& folder, const std::set<std::string>& extensions) {
    std::vector<fs::path> out;
    if (!fs::exists(folder)) {
        return out;
    }
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() && extensions.count(entry.path().extension().string()) != 0) {
            out.push_back(entry.path());
        }
    }
    std::sort(out.begin(), out.end());
    return out;
}

const std::set<std::string> kCode{".hpp", ".h", ".cpp", ".cc", ".inc"};

// Our own includes in a text: the part before the first slash of every "a/b.hpp".
std::set<std::string> parts_included(const std::string& text) {
    static const std::regex include(R"(#\s*include\s*"([a-z_\-]+)/([a-z0-9_/]+)\.)");
    std::set<std::string> out;
    for (auto it = std::sregex_iterator(text.begin(), text.end(), include); it != std::sregex_iterator(); ++it) {
        std::string part = (*it)[1];
        if (part == "station" && (*it)[2] == "node") {
            part = "node";
        }
        out.insert(part);
    }
    return out;
}

// core <- phy | mac | net      node <- mac, net      meshnetd, gr-meshnet, sim <- node, phy
// (gr-meshnet's Station Node keeps its keys and ledger with the station's own code.)
TEST(Repository, WhoIncludesWhom) {
    const std::map<std::string, std::set<std::string>> allowed{
        {"core", {"core"}},
        {"phy", {"core", "phy"}},
        {"mac", {"core", "mac"}},
        {"net", {"core", "net"}},
        {"node", {"core", "mac", "net", "node"}},
        {"sim", {"core", "phy", "mac", "net", "node", "sim"}},
        {"station", {"core", "phy", "mac", "net", "node", "sim", "station"}},
        {"gr-meshnet", {"core", "phy", "mac", "net", "node", "sim", "station", "gnuradio"}},
    };
    std::size_t checked = 0;
    for (const std::string folder : {"core", "phy", "mac", "net", "sim", "station", "gr-meshnet"}) {
        for (const auto& path : files_below(kRoot / folder, kCode)) {
            const bool is_node = folder == "station" && path.stem() == "node";
            const auto& ok = allowed.at(is_node ? "node" : folder);
            for (const auto& part : parts_included(read(path))) {
                EXPECT_TRUE(ok.count(part) != 0) << path << " includes something of " << part << "/";
            }
            ++checked;
        }
    }
    EXPECT_GT(checked, 50U);
}

TEST(Repository, TheCheckAboveSeesAnIntruder) {
    EXPECT_EQ(parts_included("#include \"mac/mac.hpp\"\n#include <vector>\n#include \"node/node.hpp\"\n"),
              (std::set<std::string>{"mac", "node"}));
}

// Protocol code knows no clock, socket, file, log or global randomness: they are injected.
TEST(Repository, ProtocolCodeTouchesNothingOutside) {
    const std::regex forbidden(
        R"(system_clock|steady_clock|gettimeofday|clock_gettime|sleep_for|usleep|std::rand\b|random_device|)"
        R"(#\s*include\s*<(sys/socket|sys/time|unistd|fstream|iostream|thread|spdlog)|\bprintf\s*\(|std::c(out|err)\b)");
    for (const std::string folder : {"core", "phy", "mac", "net"}) {
        for (const auto& path : files_below(kRoot / folder, kCode)) {
            const std::string text = read(path);
            std::smatch match;
            EXPECT_FALSE(std::regex_search(text, match, forbidden)) << path << ": " << match.str();
        }
    }
}

TEST(Repository, EveryFileNamesItsLicence) {
    const std::map<std::string, std::string> licence{{"core", "MIT"},
                                                     {"phy", "MIT"},
                                                     {"mac", "MIT"},
                                                     {"net", "MIT"},
                                                     {"sim", "MIT"},
                                                     {"station", "GPL-3.0-or-later"},
                                                     {"gr-meshnet", "GPL-3.0-or-later"},
                                                     {"tests", ""},
                                                     {"bench", ""},
                                                     {"tools", ""},
                                                     {"grc", ""},
                                                     {"cmake", ""}};
    const std::set<std::string> extensions{".hpp", ".h", ".cpp", ".cc", ".inc", ".py", ".sh", ".cmake", ".yml"};
    for (const auto& [folder, id] : licence) {
        for (const auto& path : files_below(kRoot / folder, extensions)) {
            const std::string head = read(path).substr(0, 400);
            const auto at = head.find("SPDX-License-Identifier: ");
            ASSERT_NE(at, std::string::npos) << path << " has no SPDX line";
            const bool is_node = folder == "station" && path.stem() == "node";
            const std::string expected = is_node ? "MIT" : id;
            if (!expected.empty() && path.extension() != ".cmake") {
                EXPECT_EQ(head.compare(at + 25, expected.size(), expected), 0) << path << ": expected " << expected;
            }
        }
    }
}

TEST(Repository, NoFlagsThatHideNanOrTieTheBuildToOneMachine) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot)) {
        const auto text_path = entry.path().string();
        if (text_path.find("/build/") != std::string::npos || text_path.find("/.git/") != std::string::npos) {
            continue;
        }
        const auto name = entry.path().filename();
        if (name == "CMakeLists.txt" || entry.path().extension() == ".cmake" || name == "CMakePresets.json") {
            const std::string text = read(entry.path());
            EXPECT_EQ(text.find("-ffast-math"), std::string::npos) << entry.path();
            EXPECT_EQ(text.find("-march=native"), std::string::npos) << entry.path();
            EXPECT_EQ(text.find("-DNDEBUG"), std::string::npos) << entry.path() << ": asserts stay on in production";
        }
    }
}

}  // namespace
