// SPDX-License-Identifier: MIT
// meshnet-cli and meshnetd on recordings in a folder of the test's own.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/temporary_folder.hpp"

namespace meshnet::station {

class ForeignRecordings : public ::testing::Test {
protected:
    struct Ran {
        int code = -1;
        std::string out, err;
    };
    ForeignRecordings() {
        ::setenv("D", MESHNETD, 1);
        ::setenv("C", MESHNET_CLI, 1);
    }
    /// A shell command in the folder; $D is meshnetd, $C is meshnet-cli.
    Ran run(const std::string& command) {
        const std::string all = "cd " + folder_.path("") + " && { " + command + "; } > out 2> err < /dev/null";
        const int status = std::system(all.c_str());  // NOLINT(cert-env33-c): a fixed command of this test
        return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), get("out"), get("err")};
    }
    std::string get(const std::string& name) {
        std::ifstream file(folder_.path(name), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    void put(const std::string& name, const std::string& content) {
        std::ofstream(folder_.path(name), std::ios::binary) << content;
    }
    /// Two frames at 1 Msample/s as little-endian 16-bit integers.
    std::string two_frames() {
        const auto made = run("head -c 400 /dev/zero | $C modulate --payload-size 200 --format cs16 > frames");
        EXPECT_EQ(made.code, 0) << made.err;
        return get("frames");
    }
    static std::string metadata(const std::string& datatype, const std::string& global,
                                const std::string& captures = "[]") {
        return R"({"global":{"core:version":"1.2.0","core:datatype":")" + datatype + "\"," + global +
               R"(},"captures":)" + captures + R"(,"annotations":[]})";
    }
    void expect_two_frames(const std::string& arguments) {
        const auto ran = run("$C demodulate " + arguments);
        EXPECT_EQ(ran.code, 0) << arguments << ": " << ran.err;
        EXPECT_NE(ran.out.find("2 frames, 2 without error"), std::string::npos) << arguments << ": " << ran.out;
    }
    /// Exit code not 0 and one line that names `what`.
    void expect_refused(const std::string& arguments, const std::string& what) {
        const auto ran = run("$C demodulate " + arguments);
        EXPECT_NE(ran.code, 0) << arguments;
        EXPECT_NE(ran.err.find(what), std::string::npos) << arguments << ": " << ran.err;
        EXPECT_EQ(ran.err.find('\n') + 1, ran.err.size()) << "one line: " << ran.err;
    }

    /// The 16-bit samples in another format.
    template <class Convert>
    static std::string converted(const std::string& cs16, Convert convert) {
        std::string out;
        for (std::size_t i = 0; i + 1 < cs16.size(); i += 2) {
            std::int16_t v = 0;
            std::memcpy(&v, cs16.data() + i, 2);
            out += convert(v);
        }
        return out;
    }
    template <class T>
    static std::string bytes_of(T value, bool big_endian = false) {
        std::string out(sizeof value, '\0');
        std::memcpy(out.data(), &value, sizeof value);
        return big_endian ? std::string(out.rbegin(), out.rend()) : out;
    }

    test::TemporaryFolder folder_;
};

}  // namespace meshnet::station
