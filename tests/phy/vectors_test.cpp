// SPDX-License-Identifier: MIT
// The test vectors of docs/spec/phy.md: bits -> points -> samples for every mode, as committed in
// tests/vectors/phy_frames.txt.
//
// With MESHNET_WRITE_VECTORS=1 in the environment the file is written anew instead (a change of the waveform: a new
// version of the spec).
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "core/random.hpp"
#include "phy/demodulation/block_decoder.hpp"
#include "phy/fec/crc.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/block_encoder.hpp"
#include "phy/waveform/header_codec.hpp"

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
    v.header_coded = packed_hex(codec.encode({kWaveformVersion, index, 40, 0}));
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

// "Payload" and "Payload code" of docs/spec/phy.md, written out bit by bit.
std::vector<std::uint8_t> sent_bits(ByteView bytes, unsigned version, std::size_t points, unsigned per_point) {
    std::vector<std::uint8_t> info;
    const auto put = [&info](std::uint32_t value, unsigned count) {
        for (unsigned b = count; b > 0; --b) {
            info.push_back(static_cast<std::uint8_t>((value >> (b - 1)) & 1U));
        }
    };
    for (const std::uint8_t byte : bytes) {
        put(byte, 8);
    }
    put(Crc24::of_bytes(bytes), 24);
    std::uint32_t state = 0x4A80;
    for (auto& bit : info) {
        const std::uint32_t next = ((state >> 14) ^ (state >> 13)) & 1U;
        state = ((state << 1) | next) & 0x7FFFU;
        bit = static_cast<std::uint8_t>(bit ^ next);
    }
    const LdpcCode code = LdpcCode::for_info_bits(info.size());
    std::vector<std::uint8_t> natural(code.mother_bits());
    LdpcEncoder().encode(code, info, natural);
    std::vector<std::vector<std::uint8_t>> columns(LdpcCode::kCols);
    std::size_t at = 0;
    for (std::size_t column = LdpcCode::kPuncturedCols; column < LdpcCode::kCols; ++column) {
        for (std::size_t i = 0; i < code.z(); ++i) {
            if (column >= LdpcCode::kInfoCols || column * code.z() + i < info.size()) {
                columns[column].push_back(natural[at++]);
            }
        }
    }
    EXPECT_EQ(at, natural.size());
    std::vector<std::size_t> order = {2, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 3, 6};
    for (std::size_t column = 20; column < LdpcCode::kCols; ++column) {
        order.push_back(column);
    }
    std::vector<std::uint8_t> word;
    for (const std::size_t column : order) {
        word.insert(word.end(), columns[column].begin(), columns[column].end());
    }
    std::vector<std::uint8_t> out;
    const std::size_t coded = points * per_point;
    for (std::size_t j = 0; j < points; ++j) {
        for (std::size_t b = 0; b < per_point; ++b) {
            const std::size_t e = b * points + j * point_stride(points) % points;
            out.push_back(word[(version * coded + e) % word.size()]);
        }
    }
    return out;
}

TEST(Payload, BitsGoWhereTheSpecificationSaysAndComeBack) {
    BlockEncoder encoder;
    BlockDecoder decoder;
    Rng rng(5);
    for (const std::size_t length : {1U, 2U, 13U, 29U, 30U, 61U, 200U, 1000U, 1053U}) {
        Bytes bytes(length);
        for (auto& byte : bytes) {
            byte = static_cast<std::uint8_t>(rng.below(256));
        }
        const LdpcCode code = LdpcCode::for_info_bits(8 * length + kBlockCrcBits);
        for (const unsigned per_point : {2U, 4U, 6U, 8U}) {
            // From a tenth more than can be decoded to twice around the circular buffer.
            for (const std::size_t coded :
                 {code.min_coded_bits() * 11 / 10 + 16, code.mother_bits() / 2, 2 * code.mother_bits() + 5}) {
                const std::size_t points = coded / per_point + 1;
                std::vector<std::uint8_t> bits(points * per_point);
                for (const unsigned version : {0U, 1U, 2U, 3U}) {
                    encoder.encode(bytes, version, points, per_point, bits);
                    ASSERT_EQ(bits, sent_bits(bytes, version, points, per_point))
                        << length << " bytes, " << per_point << " bits per point, version " << version;
                }
                encoder.encode(bytes, 0, points, per_point, bits);
                BlockAssembly assembly;
                assembly.begin_block(points, per_point);
                for (std::size_t j = 0; j < points; ++j) {
                    std::array<float, 8> llr{};
                    for (unsigned b = 0; b < per_point; ++b) {
                        llr[b] = bits[j * per_point + b] != 0 ? -3.0F : 3.0F;
                    }
                    EXPECT_EQ(assembly.add(llr.data()), j + 1 == points);
                }
                Bytes back(length);
                const auto block = decoder.decode(std::span<const float>(assembly.llr).first(bits.size()), 0, 25, back);
                EXPECT_TRUE(block.crc_ok) << length << " bytes, " << per_point << " bits per point";
                EXPECT_EQ(back, bytes);
            }
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
