// SPDX-License-Identifier: MIT
// Fault: meshnetd --record wrote its metadata at the end only, so that a kill lost rate and gaps, and a full disk left
// an empty file that made the recording unreadable. An existing file was overwritten without a word.
#include "tests/regressions/foreign_recordings.hpp"

namespace meshnet::station {
namespace {

class KilledRecordingHadNoMetadata : public ForeignRecordings {
protected:
    KilledRecordingHadNoMetadata() {
        put("long.cs16", std::string(60'000'000, '\0'));
        put("s.toml",
            "[station]\nkey_file = \"k\"\nledger_file = \"l\"\ncontrol_socket = \"s\"\n[radio]\ndevice = \"file:" +
                folder_.path("long.cs16") + "\"\n[tun]\nenabled = false\n");
    }
};

TEST_F(KilledRecordingHadNoMetadata, Killed) {
    run("timeout -s KILL 2 $D --config s.toml --record r.cf32");
    const std::string about = get("r.cf32.sigmf-meta");
    EXPECT_NE(about.find("\"core:sample_rate\": 1000000.0"), std::string::npos) << about;
    EXPECT_NE(about.find("\"core:global_index\": 0"), std::string::npos) << about;
    EXPECT_EQ(run("$C demodulate r.cf32").code, 0);
}

TEST_F(KilledRecordingHadNoMetadata, DiskFull) {
    // A limit of the file's size stands for the disk; SIGXFSZ is ignored, so that the write fails.
    const auto ran = run("ulimit -f 1000; trap '' XFSZ; timeout 4 $D --config s.toml --record r.cf32");
    std::size_t lines = 0;
    for (std::size_t at = 0; (at = ran.err.find("recording ended", at)) != std::string::npos; ++at) {
        ++lines;
    }
    EXPECT_EQ(lines, 1U) << ran.err;
    EXPECT_NE(ran.err.find("stopping"), std::string::npos) << "the station goes on until it is stopped: " << ran.err;
    const auto back = run("$C demodulate r.cf32");
    EXPECT_EQ(back.code, 0) << back.err;
    EXPECT_EQ(back.err.find("warning"), std::string::npos) << back.err;
}

TEST_F(KilledRecordingHadNoMetadata, AnExistingFileIsKept) {
    put("r.cf32", "precious");
    const auto refused = run("timeout 5 $D --config s.toml --record r.cf32");
    EXPECT_EQ(refused.code, 1);
    EXPECT_NE(refused.err.find("r.cf32 is there already; choose another name, or give --force"), std::string::npos)
        << refused.err;
    EXPECT_EQ(get("r.cf32"), "precious");
    run("timeout -s KILL 2 $D --config s.toml --record r.cf32 --force");
    EXPECT_GT(get("r.cf32").size(), 8U);
    put("m.cf32", "precious");
    const auto kept = run("echo x | $C modulate --output m.cf32");
    EXPECT_EQ(kept.code, 1);
    EXPECT_EQ(get("m.cf32"), "precious");
    EXPECT_EQ(run("echo x | $C modulate --output m.cf32 --force").code, 0);
    EXPECT_GT(get("m.cf32").size(), 8U);
}

}  // namespace
}  // namespace meshnet::station
