// SPDX-License-Identifier: MIT
#include "host/toml_reader.hpp"

#include <gtest/gtest.h>

namespace meshnet::host {
namespace {

struct Values {
    std::string name;
    double gain_db = 1.5;
    int count = 7;
    bool on = false;
    std::vector<std::string> list;
    std::vector<std::string> places;
};

Values read(TomlTable& root) {
    Values v;
    root.text("name", v.name, ", for example name = \"x\"");
    if (auto radio = root.section("radio")) {
        radio->number("gain_db", v.gain_db, {0.0, 40.0, " (dB)"});
        radio->integer("count", v.count, {1, 9});
        radio->flag("on", v.on);
        radio->text_list("list", v.list);
        radio->finish();
    }
    for (TomlTable& place : root.tables("place")) {
        place.text("name", v.places.emplace_back());
        place.finish();
    }
    root.finish();
    return v;
}

std::string message(std::string_view text) {
    const auto values = read_toml(text, "f.toml", read);
    return values ? "accepted" : values.error().message;
}

TEST(TomlReader, ReadsWhatIsThereAndKeepsTheRest) {
    const auto v =
        read_toml("name = \"a\"\n[radio]\ngain_db = 3\non = true\nlist = [\"x\", \"y\"]\n[[place]]\nname = \"p\"\n",
                  "f.toml", read);
    ASSERT_TRUE(v.ok()) << v.error().message;
    EXPECT_EQ(v->name, "a");
    EXPECT_EQ(v->gain_db, 3.0);
    EXPECT_EQ(v->count, 7);
    EXPECT_TRUE(v->on);
    EXPECT_EQ(v->list, (std::vector<std::string>{"x", "y"}));
    EXPECT_EQ(v->places, (std::vector<std::string>{"p"}));
}

TEST(TomlReader, ReportsFileLineKeyAndWhatWouldBeRight) {
    EXPECT_EQ(message("name = 3\n"), "f.toml:1: name must be a text in quotes, for example name = \"x\"");
    EXPECT_EQ(message("[radio]\ngain_db = 41\n"), "f.toml:2: radio.gain_db must be a number, 0 to 40 (dB)");
    EXPECT_EQ(message("[radio]\ngain_db = nan\n"), "f.toml:2: radio.gain_db must be a number, 0 to 40 (dB)");
    EXPECT_EQ(message("[radio]\ncount = 0\n"), "f.toml:2: radio.count must be a whole number, 1 to 9");
    EXPECT_EQ(message("[radio]\non = 1\n"), "f.toml:2: radio.on must be true or false");
    EXPECT_EQ(message("[radio]\nlist = [1]\n"), "f.toml:2: radio.list must be a list of texts");
    EXPECT_EQ(message("radio = 1\n"),
              "f.toml:1: radio is a section; write [radio] on a line of its own and its keys below");
    EXPECT_EQ(message("place = 1\n"), "f.toml:1: place must be an array of tables, as in [[place]]");
    EXPECT_EQ(message("[radio]\n\ngian_db = 1\n"),
              "f.toml:3: [radio] unknown key 'gian_db'; did you mean 'gain_db'? known are gain_db count on list");
    EXPECT_EQ(message("[ratio]\n"),
              "f.toml:1: unknown section 'ratio'; did you mean 'radio'? known are name radio place");
    EXPECT_EQ(message("name = \"k\xc3\xbcste\"\n"),
              "f.toml:1: only ASCII characters may stand here; others belong in lines that begin with #");
    EXPECT_EQ(message("# \xc2\xb5\n"), "accepted");
}

TEST(TomlReader, AnyBytesGiveOneLine) {
    for (const std::string text : {"[[|", "[`a]", "a = = 3", "name = \"a\\u0000b\""}) {
        const std::string line = message(text);
        EXPECT_EQ(line.rfind("f.toml", 0), 0U) << line;
        EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    }
    EXPECT_NE(message("a = " + std::string(100'000, '[')), "accepted");
    EXPECT_EQ(message(std::string(kMaxTomlBytes + 1, ' ')), "f.toml: larger than 1 MiB; this is no configuration file");
}

}  // namespace
}  // namespace meshnet::host
