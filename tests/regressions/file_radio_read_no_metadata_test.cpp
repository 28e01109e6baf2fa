// SPDX-License-Identifier: MIT
// Fault: `device = "file:..."` played every recording as cf32 at the profile's rate, whatever its metadata said;
// nothing was heard and nothing said.
#include "tests/regressions/foreign_recordings.hpp"

namespace meshnet::station {
namespace {

class FileRadioReadNoMetadata : public ForeignRecordings {
protected:
    /// Frames that a station hears in `device`.
    std::size_t heard(const std::string& device, const std::string& more = "") {
        put("s.toml",
            "[station]\nkey_file = \"k\"\nledger_file = \"l\"\ncontrol_socket = \"s\"\n[radio]\ndevice = \"file:" +
                folder_.path(device) + "\"\n" + more + "[tun]\nenabled = false\n[log]\nlevel = \"debug\"\n");
        last_ = run("timeout 60 $D --config s.toml");
        std::size_t count = 0;
        for (std::size_t at = 0; (at = last_.err.find(": frame ", at)) != std::string::npos; ++at) {
            ++count;
        }
        return count;
    }
    Ran last_;
};

TEST_F(FileRadioReadNoMetadata, SampleTypeRateAndEnding) {
    const std::string frames = two_frames();
    put("r.sigmf-data", frames);
    put("r.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":1000020.5)"));
    EXPECT_EQ(heard("r.sigmf-data"), 2U) << last_.err;
    EXPECT_EQ(heard("r.sigmf-meta"), 2U) << last_.err;
    put("r.sc16", frames);
    EXPECT_EQ(heard("r.sc16"), 2U) << last_.err;
    ASSERT_EQ(
        run("head -c 400 /dev/zero | $C modulate --payload-size 200 --rate 2400000 --format cs16 > x.sigmf-data").code,
        0);
    put("x.sigmf-meta", metadata("ci16_le", R"("core:sample_rate":2.4e6)"));
    EXPECT_EQ(heard("x.sigmf-data"), 2U) << last_.err;
    put("r.iq", frames);
    EXPECT_EQ(heard("r.iq"), 0U);
    EXPECT_EQ(last_.code, 1);
    EXPECT_NE(last_.err.find("write ,format=NAME behind its name"), std::string::npos) << last_.err;
    EXPECT_EQ(heard("r.iq,format=cs16"), 2U) << last_.err;
}

TEST_F(FileRadioReadNoMetadata, InvertedSpectrumAndHint) {
    const std::string frames = two_frames();
    std::string swapped;
    for (std::size_t i = 0; i < frames.size(); i += 4) {
        swapped += frames.substr(i + 2, 2) + frames.substr(i, 2);
    }
    put("swapped.cs16", swapped);
    EXPECT_EQ(heard("swapped.cs16", "invert = true\n"), 2U) << last_.err;
    put("silence.cs16", std::string(80'000, '\0'));
    EXPECT_EQ(heard("silence.cs16"), 0U);
    EXPECT_NE(last_.err.find("no preamble was found in file:"), std::string::npos) << last_.err;
}

}  // namespace
}  // namespace meshnet::station
