// SPDX-License-Identifier: MIT
// The tables of the specification are the ones that the code uses: the base graph (docs/spec/ldpc_graph.txt), and the
// profiles and modes of docs/spec/phy.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "phy/fec/ldpc_code.hpp"
#include "phy/fec/ldpc_tables.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"

namespace meshnet::phy {
namespace {

struct Text {
    std::map<std::string, std::vector<std::size_t>> values;
    std::vector<std::vector<std::size_t>> entries;  // check, column, four shifts
};

Text read_text() {
    std::ifstream file(std::string(MESHNET_SOURCE_DIR) + "/docs/spec/ldpc_graph.txt");
    EXPECT_TRUE(file.is_open());
    Text out;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::istringstream in(line);
        std::string name;
        in >> name;
        std::vector<std::size_t> numbers;
        for (std::size_t n = 0; in >> n;) {
            numbers.push_back(n);
        }
        EXPECT_TRUE(in.eof()) << line;
        if (name == "entry") {
            out.entries.push_back(numbers);
        } else {
            EXPECT_TRUE(out.values.emplace(name, numbers).second) << line;
        }
    }
    return out;
}

TEST(LdpcGraph, TextAndTablesAgree) {
    using Numbers = std::vector<std::size_t>;
    const Text text = read_text();
    const std::map<std::string, Numbers> expected{
        {"checks", {ldpc_tables::kRows}},
        {"columns", {LdpcCode::kCols}},
        {"information_columns", {ldpc_tables::kInfoCols}},
        {"unsent_columns", {ldpc_tables::kPuncturedCols}},
        {"core_checks", {ldpc_tables::kCoreRows}},
        {"z_step", {ldpc_tables::kZStep}},
        {"largest_z", Numbers(ldpc_tables::kLastZ.begin(), ldpc_tables::kLastZ.end())},
    };
    EXPECT_EQ(text.values, expected);
    ASSERT_EQ(text.entries.size(), ldpc_tables::kEntries.size());
    for (std::size_t i = 0; i < text.entries.size(); ++i) {
        const auto& entry = ldpc_tables::kEntries[i];
        Numbers numbers{entry.row, entry.col};
        numbers.insert(numbers.end(), entry.shift.begin(), entry.shift.end());
        EXPECT_EQ(text.entries[i], numbers) << "entry " << i;
    }
}

// The encoder's shortcut for the core: the closing parity column has shift 0 in the middle of its three checks and one
// common shift in the others, so that the sum of the core's checks leaves one unknown.
TEST(LdpcGraph, TheCoreIsSolvedAsTheSpecificationSays) {
    const Text text = read_text();
    std::map<std::size_t, std::vector<std::vector<std::size_t>>> core;  // parity column -> (check, shifts)
    for (const auto& e : text.entries) {
        if (e[0] < ldpc_tables::kCoreRows && e[1] >= ldpc_tables::kInfoCols) {
            core[e[1]].push_back({e[0], e[2], e[3], e[4], e[5]});
        }
    }
    ASSERT_EQ(core.size(), ldpc_tables::kCoreRows);
    const auto& closing = core[ldpc_tables::kInfoCols];
    ASSERT_EQ(closing.size(), 3U);
    EXPECT_EQ(closing[1], (std::vector<std::size_t>{ldpc_tables::kCloseRow, 0, 0, 0, 0}));
    EXPECT_EQ(std::vector(closing[0].begin() + 1, closing[0].end()),
              std::vector(closing[2].begin() + 1, closing[2].end()));
    for (std::size_t column = 17; column < 20; ++column) {
        const std::vector<std::vector<std::size_t>> expected{{column - 17, 0, 0, 0, 0}, {column - 16, 0, 0, 0, 0}};
        EXPECT_EQ(core[column], expected);
    }
}

// Lines of the page that are rows of a table and begin with these cells.
std::size_t rows_that_begin_with(const std::string& cells) {
    std::ifstream page(std::string(MESHNET_SOURCE_DIR) + "/docs/spec/phy.md");
    EXPECT_TRUE(page.is_open());
    std::size_t count = 0;
    for (std::string line; std::getline(page, line);) {
        count += line.starts_with(cells) ? 1 : 0;
    }
    return count;
}

TEST(SpecTables, ModesOfTextAndCodeAgree) {
    for (std::size_t m = 0; m < modes().size(); ++m) {
        const Mode& mode = modes()[m];
        std::ostringstream row;
        row << "| " << m << " | " << mode.name << " | " << mode.bits_per_symbol << " | " << mode.rate_num << '/'
            << mode.rate_den << " | " << mode.spread << " | " << to_string(mode.preamble) << " | " << std::fixed
            << std::setprecision(1) << static_cast<double>(mode.required_snr_db) << " dB |";
        EXPECT_EQ(rows_that_begin_with(row.str()), 1U) << row.str();
    }
}

TEST(SpecTables, LevelsOfTextAndCodeAgree) {
    for (const Mode& mode : modes()) {
        if (mode.bits_per_symbol == 2) {
            continue;
        }
        std::ostringstream row;
        row << "| " << mode.name << " |";
        for (const std::uint16_t amplitude : mode.amplitudes) {
            row << ' ' << amplitude;
        }
        row << " |";
        EXPECT_EQ(rows_that_begin_with(row.str()), 1U) << row.str();
    }
}

TEST(SpecTables, ProfilesOfTextAndCodeAgree) {
    for (const Profile& p : profiles()) {
        std::ostringstream row;
        const bool mega = p.sample_rate_hz >= 1e6;
        row << "| " << p.name << " | " << p.sample_rate_hz / (mega ? 1e6 : 1e3) << (mega ? " MS/s" : " kS/s") << " | "
            << p.fft_size << " | " << p.cyclic_prefix << " | " << p.carriers << " | ";
        EXPECT_EQ(rows_that_begin_with(row.str()), 1U) << row.str();
    }
}

}  // namespace
}  // namespace meshnet::phy
