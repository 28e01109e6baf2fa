// SPDX-License-Identifier: MIT
// The test vectors of docs/spec/phy.md: bits -> points -> samples for every mode, as committed in
// tests/vectors/phy_frames.txt.
//
// With MESHNET_WRITE_VECTORS=1 in the environment the file is written anew instead (a change of the waveform: a new
// version of the spec).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "phy/block_decoder.hpp"
#include "phy/fec/crc.hpp"
#include "phy/header_codec.hpp"
#include "phy/transmitter.hpp"

namespace meshnet::phy {
namespace {

std::string packed_hex(std::span<const std::uint8_t> bits) {
    Bytes bytes((bits.size() + 7) / 8);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | ((bits[i] & 1U) << (7 - i % 8)));
    }
    return to_hex(bytes);
}

struct Vector {
    std::string mode;
    std::string header_coded;   // 256 bits
    std::string payload_coded;  // CRC-24 of the packed coded bits of the first block, and their first 64
    std::size_t samples = 0;
    std::vector<Sample> probes;  // samples at 0, 1/16, 2/16, ... of the frame
    double energy = 0.0;
};

// Payload: bytes 0, 1, 2, ... 39. Profile 250k.
Vector make_vector(ModeIndex index) {
    const Mode& mode = modes()[index];
    const Profile& profile = *find_profile("250k");
    Bytes payload(40);
    for (std::size_t i = 0; i < payload.size(); ++i) {
        payload[i] = static_cast<std::uint8_t>(i);
    }
    Vector v;
    v.mode = mode.name;
    HeaderCodec codec;
    v.header_coded = packed_hex(codec.encode({index, 40, 0}));
    const Grid grid(profile);
    const PayloadLayout layout(mode, payload.size(),
                               grid.data_per_symbol(class_params(profile, mode.preamble).dense_pilots));
    std::vector<std::uint8_t> bits(layout.block_points(0) * mode.bits_per_symbol);
    BlockEncoder encoder;
    encoder.encode(payload, 0, layout.block_points(0), mode.bits_per_symbol, bits);
    std::ostringstream coded;
    coded << bits.size() << ':' << std::hex << std::setw(6) << std::setfill('0') << Crc24::of_bits(bits) << ':'
          << packed_hex(std::span<const std::uint8_t>(bits).first(64));
    v.payload_coded = coded.str();
    Transmitter transmitter(profile, false);
    std::vector<Sample> samples;
    transmitter.modulate(index, payload, samples);
    v.samples = samples.size();
    for (std::size_t i = 0; i < 16; ++i) {
        v.probes.push_back(samples[i * samples.size() / 16]);
    }
    for (const Sample s : samples) {
        v.energy += static_cast<double>(std::norm(s));
    }
    return v;
}

const std::string kFile = std::string(MESHNET_SOURCE_DIR) + "/tests/vectors/phy_frames.txt";

void write(const std::vector<Vector>& vectors) {
    std::ofstream out(kFile);
    out << "# Frames of 40 bytes (0, 1, ... 39), profile 250k. Per line: mode, coded header (256 bits, hex), coded "
           "bits of the\n"
           "# payload in sending order (count:CRC-24:first 64, hex), samples, energy, then I and Q of the samples at "
           "0/16 ... 15/16 of\n"
           "# the frame. Samples agree to 1e-5.\n";
    for (const auto& v : vectors) {
        out << v.mode << ' ' << v.header_coded << ' ' << v.payload_coded << ' ' << v.samples << ' '
            << std::setprecision(9) << v.energy;
        for (const Sample s : v.probes) {
            out << ' ' << std::fixed << std::setprecision(6) << s.real() << ' ' << s.imag();
            out.unsetf(std::ios::fixed);
        }
        out << '\n';
    }
}

TEST(Vectors, FramesAreWhatTheSpecificationSays) {
    std::vector<Vector> made;
    for (ModeIndex m = 0; m < modes().size(); ++m) {
        made.push_back(make_vector(m));
    }
    if (std::getenv("MESHNET_WRITE_VECTORS") != nullptr) {
        write(made);
    }
    std::ifstream file(kFile);
    ASSERT_TRUE(file.is_open()) << kFile;
    std::string line;
    std::size_t m = 0;
    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        ASSERT_LT(m, made.size());
        const Vector& v = made[m++];
        std::istringstream in(line);
        std::string mode;
        std::string header;
        std::string coded;
        std::size_t samples = 0;
        double energy = 0.0;
        in >> mode >> header >> coded >> samples >> energy;
        EXPECT_EQ(v.mode, mode);
        EXPECT_EQ(v.header_coded, header) << mode;
        EXPECT_EQ(v.payload_coded, coded) << mode;
        EXPECT_EQ(v.samples, samples) << mode;
        EXPECT_NEAR(v.energy, energy, 1e-4 * energy) << mode;
        for (const Sample s : v.probes) {
            float re = 0.0F;
            float im = 0.0F;
            in >> re >> im;
            EXPECT_NEAR(s.real(), re, 1e-5F) << mode;
            EXPECT_NEAR(s.imag(), im, 1e-5F) << mode;
        }
        EXPECT_FALSE(in.fail()) << mode;
    }
    EXPECT_EQ(m, made.size());
}

}  // namespace
}  // namespace meshnet::phy
