// SPDX-License-Identifier: MIT
// Fault: every file whose ending was neither .cs8 nor .cs16 was read as cf32: 0 frames, exit code 0, and a warning of
// samples that are not numbers.
#include "tests/regressions/foreign_recordings.hpp"
#include "tests/support/wav_file.hpp"

namespace meshnet::station {
namespace {

using UnknownEndingsWereCf32 = ForeignRecordings;

TEST_F(UnknownEndingsWereCf32, NamesOfOtherPrograms) {
    const std::string frames = two_frames();
    const std::string cu8 =
        converted(frames, [](auto v) { return bytes_of(static_cast<std::uint8_t>(v / 256 + 128)); });
    const std::string cs8 = converted(frames, [](auto v) { return bytes_of(static_cast<std::int8_t>(v / 256)); });
    for (const char* name : {"rtl.cu8", "rtl.u8", "urh.complex16u"}) {
        put(name, cu8);
        expect_two_frames(name);
    }
    for (const char* name : {"uhd.sc16", "x.ci16", "x.SC16"}) {
        put(name, frames);
        expect_two_frames(name);
    }
    put("x.s8", cs8);
    expect_two_frames("x.s8");
    for (const char* name : {"hackrf.iq", "gqrx.raw", "x.dat", "x.bin", "x"}) {
        put(name, cs8);
        expect_refused(name, "give --format NAME, one of cf32");
        expect_two_frames(std::string(name) + " --format cs8");
    }
}

TEST_F(UnknownEndingsWereCf32, Wav) {
    test::WavFile wav;
    wav.samples = two_frames();
    for (const char* form : {"RIFF", "RF64"}) {
        wav.form = form;
        put("sdrsharp_IQ.wav", wav.bytes());
        expect_two_frames("sdrsharp_IQ.wav");
    }
    wav.form = "RIFF";
    wav.channels = 1;
    put("audio.wav", wav.bytes());
    expect_refused("audio.wav", "1 channel(s); IQ has 2");
    put("packed.cf32", "\x1f\x8b\x08 gzip");
    expect_refused("packed.cf32", "is compressed by gzip");
}

TEST_F(UnknownEndingsWereCf32, AFileWithoutAPreambleIsHintedAt) {
    put("noise.cf32", two_frames());  // 16-bit integers
    const auto wrong = run("$C demodulate noise.cf32");
    EXPECT_NE(wrong.err.find("--format"), std::string::npos) << wrong.err;
    put("nan.cf32", std::string(80'000, '\xff'));
    const auto nan = run("$C demodulate nan.cf32");
    EXPECT_EQ(nan.code, 1);
    EXPECT_NE(nan.err.find("most samples of nan.cf32 are not numbers when read as cf32 (its ending)"),
              std::string::npos)
        << nan.err;
    put("silence.cs16", std::string(80'000, '\0'));
    const auto silence = run("$C demodulate silence.cs16");
    EXPECT_EQ(silence.code, 0);
    EXPECT_NE(silence.err.find("hint: no preamble was found; silence.cs16 was read as cs16"), std::string::npos)
        << silence.err;
}

TEST_F(UnknownEndingsWereCf32, SwappedIAndQ) {
    const std::string frames = two_frames();
    std::string swapped;
    for (std::size_t i = 0; i < frames.size(); i += 4) {
        swapped += frames.substr(i + 2, 2) + frames.substr(i, 2);
    }
    put("swapped.cs16", swapped);
    expect_two_frames("swapped.cs16 --swap-iq");
    expect_two_frames("swapped.cs16");  // found without it too
}

}  // namespace
}  // namespace meshnet::station
