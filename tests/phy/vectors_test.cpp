// SPDX-License-Identifier: MIT
// The test vectors of docs/spec/phy.md: bits -> points -> samples, as committed in tests/vectors/. What their columns
// mean is in the specification, "Test vectors".
//
// With MESHNET_WRITE_VECTORS=1 in the environment the files are written anew instead (a change of the waveform: a new
// version of the spec). tests/spec/reference_encoder.py makes the same values from the specification alone.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <numbers>
#include <set>
#include <sstream>

#include "core/random.hpp"
#include "phy/demodulation/block_decoder.hpp"
#include "phy/fec/crc.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/block_encoder.hpp"
#include "phy/waveform/header_codec.hpp"
#include "phy/waveform/whitening.hpp"

namespace meshnet::phy {
namespace {

struct FrameCase {
    std::string profile;
    std::string mode;
    std::size_t bytes = 40;
    unsigned redundancy_version = 0;
};

struct BlockCase {
    std::size_t bytes;
    unsigned bits_per_point;
    std::size_t points;
    unsigned redundancy_version;
};

// Every mode; every profile with each preamble class; every Z table; unequal blocks; redundancy versions; the longest.
std::vector<FrameCase> frame_cases() {
    std::vector<FrameCase> out;
    for (const Mode& mode : modes()) {
        out.push_back({"250k", std::string(mode.name), 40, 0});
    }
    for (const Profile& profile : profiles()) {
        for (const char* mode : {"qpsk-1/5x8", "qpsk-1/5x2", "16qam-1/2"}) {
            out.push_back({std::string(profile.name), mode, 60, 0});
        }
    }
    for (const unsigned version : {1U, 2U, 3U}) {
        out.push_back({"1M", "16qam-2/3", 300, version});
    }
    out.push_back({"500k", "qpsk-1/5x2", 1500, 3});
    out.push_back({"1M", "qpsk-1/2", 1053, 0});   // one block of k = 16 Z
    out.push_back({"1M", "qpsk-1/3", 1054, 0});   // two blocks of equal length
    out.push_back({"2M", "64qam-3/4", 5000, 0});  // five, again equal
    out.push_back({"5M", "64qam-5/6", 5003, 0});  // blocks of unequal length
    out.push_back({"10M", "256qam-3/4", 2107, 0});
    out.push_back({"20M", "256qam-5/6", 24'576, 0});
    return out;
}

// Of each shift table the smallest and the largest Z and one between: k = 16 Z exactly, and one byte less.
std::vector<BlockCase> block_cases() {
    std::vector<BlockCase> out;
    for (const std::size_t z : {8U, 32U, 64U, 72U, 104U, 136U, 144U, 200U, 264U, 272U, 400U, 528U}) {
        const std::size_t bytes = 2 * z - kBlockCrcBits / 8;
        const std::size_t coded = 2 * 16 * z;  // rate 1/2
        out.push_back({bytes, 2, coded / 2, 0});
        out.push_back({bytes - 1, 6, coded / 6 + 1, 0});
    }
    for (const unsigned version : {0U, 1U, 2U, 3U}) {
        out.push_back({1, 2, 80, version});     // mostly filler
        out.push_back({100, 4, 331, version});  // rate 0.62
        out.push_back({40, 2, 3000, version});  // more than once around
    }
    return out;
}

Bytes payload_of(std::size_t bytes) {
    Bytes out(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
        out[i] = static_cast<std::uint8_t>(i % 251);
    }
    return out;
}

std::string packed_hex(std::span<const std::uint8_t> bits) {
    Bytes bytes((bits.size() + 7) / 8);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | ((bits[i] & 1U) << (7 - i % 8)));
    }
    return to_hex(bytes);
}

// count:CRC-24:first 64 bits (fewer if there are no more)
std::string digest(std::span<const std::uint8_t> bits) {
    std::ostringstream out;
    out << bits.size() << ':' << std::hex << std::setw(6) << std::setfill('0') << Crc24::of_bits(bits) << ':'
        << packed_hex(bits.first(std::min<std::size_t>(64, bits.size())));
    return out.str();
}

// Of one part of a frame.
struct Part {
    std::size_t samples = 0;
    double energy = 0.0;
    std::complex<double> projection;  // sum of x[n] exp(-j 2 pi (n^2 mod 509) / 509), n from the part's first sample
    Sample first;
};

struct FrameVector {
    FrameCase of;
    std::string header;   // codeword
    std::string sent;     // header's bits in sending order, whitened
    std::string payload;  // payload's bits in sending order, whitened
    std::array<Part, 4> parts;
};

Part part_of(std::span<const Sample> samples) {
    constexpr std::size_t kPeriod = 509;
    Part out;
    out.samples = samples.size();
    out.first = samples.front();
    for (std::size_t n = 0; n < samples.size(); ++n) {
        const auto turns = static_cast<double>(n * n % kPeriod) / static_cast<double>(kPeriod);
        out.projection += std::complex<double>(samples[n]) * std::polar(1.0, -2.0 * std::numbers::pi * turns);
        out.energy += static_cast<double>(std::norm(samples[n]));
    }
    return out;
}

FrameVector make_vector(const FrameCase& of) {
    const Profile& profile = *find_profile(of.profile);
    const ModeIndex index = *find_mode(of.mode);
    const Mode& mode = modes()[index];
    const Bytes payload = payload_of(of.bytes);
    const auto params = class_params(profile, mode.preamble);
    const std::size_t per_symbol = Grid::data_per_symbol(profile, params.dense_pilots);
    FrameVector v;
    v.of = of;
    Header header;
    header.mode = index;
    header.payload_bytes = static_cast<std::uint16_t>(of.bytes);
    header.redundancy_version = static_cast<std::uint8_t>(of.redundancy_version);
    const auto coded = HeaderCodec().encode(header);
    v.header = packed_hex(coded);
    std::vector<std::uint8_t> bits(2 * per_symbol * header_symbols(profile, mode.preamble));
    for (std::size_t i = 0; i < bits.size(); ++i) {
        bits[i] = coded[HeaderCodec::coded_bit(i)];
    }
    Whitening::apply(bits, 0);
    v.sent = digest(bits);
    const PayloadLayout layout(mode, payload.size(), per_symbol);
    bits.clear();
    BlockEncoder encoder;
    for (std::size_t b = 0; b < layout.blocks(); ++b) {
        std::vector<std::uint8_t> block(layout.block_points(b) * mode.bits_per_symbol);
        encoder.encode(std::span(payload).subspan(layout.block_offset(b), layout.block_bytes(b)), of.redundancy_version,
                       layout.block_points(b), mode.bits_per_symbol, block);
        bits.insert(bits.end(), block.begin(), block.end());
    }
    Whitening::apply(bits, 0);
    v.payload = digest(bits);
    std::vector<Sample> samples;
    Transmitter(profile, false).modulate(index, payload, samples, of.redundancy_version);
    const std::size_t symbol = profile.symbol_samples();
    const std::array<std::size_t, 3> lengths{2 * params.chirp_samples, params.training_symbols * symbol,
                                             header_symbols(profile, mode.preamble) * symbol};
    std::span<const Sample> rest(samples);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        v.parts[i] = part_of(rest.first(lengths[i]));
        rest = rest.subspan(lengths[i]);
    }
    v.parts[3] = part_of(rest);
    return v;
}

// "Payload" up to step 6 for one block, in the order of sending, not whitened.
std::string make_block(const BlockCase& of) {
    std::vector<std::uint8_t> bits(of.points * of.bits_per_point);
    BlockEncoder().encode(payload_of(of.bytes), of.redundancy_version, of.points, of.bits_per_point, bits);
    return digest(bits);
}

const std::string kFolder = std::string(MESHNET_SOURCE_DIR) + "/tests/vectors/";

bool writing() {
    return std::getenv("MESHNET_WRITE_VECTORS") != nullptr;
}

void write(const std::vector<FrameVector>& vectors) {
    std::ofstream out(kFolder + "phy_frames.txt");
    out << "# Frames of docs/spec/phy.md, \"Test vectors\". Per frame a line: profile, mode, bytes, redundancy "
           "version, "
           "header's\n"
           "# codeword, its bits as sent, payload's bits as sent; then a line for each part of it: samples, energy, "
           "projection (re, im),\n"
           "# first sample (re, im).\n";
    constexpr std::array<const char*, 4> kParts{"preamble", "training", "header", "payload"};
    for (const auto& v : vectors) {
        out << v.of.profile << ' ' << v.of.mode << ' ' << v.of.bytes << ' ' << v.of.redundancy_version << ' '
            << v.header << ' ' << v.sent << ' ' << v.payload << '\n';
        for (std::size_t i = 0; i < kParts.size(); ++i) {
            const Part& p = v.parts[i];
            out << "  " << kParts[i] << ' ' << p.samples << std::fixed << std::setprecision(4) << ' ' << p.energy << ' '
                << p.projection.real() << ' ' << p.projection.imag() << std::setprecision(6) << ' ' << p.first.real()
                << ' ' << p.first.imag() << '\n';
        }
    }
}

void write(const std::vector<BlockCase>& cases) {
    std::ofstream out(kFolder + "phy_blocks.txt");
    out << "# Code blocks of docs/spec/phy.md, \"Test vectors\": bytes, bits per point, points P, redundancy version, "
           "then the block's\n"
           "# bits after step 6 of \"Payload\".\n";
    for (const auto& c : cases) {
        out << c.bytes << ' ' << c.bits_per_point << ' ' << c.points << ' ' << c.redundancy_version << ' '
            << make_block(c) << '\n';
    }
}

bool next_line(std::istream& file, std::string& line) {
    while (std::getline(file, line)) {
        if (!line.empty() && line[0] != '#') {
            return true;
        }
    }
    return false;
}

void expect_part(const Part& made, std::istream& file, const std::string& where) {
    std::string line;
    ASSERT_TRUE(next_line(file, line)) << where;
    std::istringstream in(line);
    std::string name;
    Part p;
    double re = 0.0;
    double im = 0.0;
    float first_re = 0.0F;
    float first_im = 0.0F;
    in >> name >> p.samples >> p.energy >> re >> im >> first_re >> first_im;
    ASSERT_FALSE(in.fail()) << where << line;
    EXPECT_EQ(made.samples, p.samples) << where << name;
    EXPECT_NEAR(made.energy, p.energy, 1e-4 * p.energy) << where << name;
    EXPECT_LT(std::abs(made.projection - std::complex<double>(re, im)), 1e-4 * std::sqrt(p.energy * 1e2))
        << where << name;
    EXPECT_LT(std::abs(made.first - Sample(first_re, first_im)), 1e-5F) << where << name;
}

TEST(Vectors, FramesAreWhatTheSpecificationSays) {
    std::vector<FrameVector> made;
    for (const FrameCase& c : frame_cases()) {
        made.push_back(make_vector(c));
    }
    if (writing()) {
        write(made);
    }
    std::ifstream file(kFolder + "phy_frames.txt");
    ASSERT_TRUE(file.is_open());
    for (const FrameVector& v : made) {
        std::string line;
        ASSERT_TRUE(next_line(file, line));
        std::ostringstream expected;
        expected << v.of.profile << ' ' << v.of.mode << ' ' << v.of.bytes << ' ' << v.of.redundancy_version << ' '
                 << v.header << ' ' << v.sent << ' ' << v.payload;
        EXPECT_EQ(expected.str(), line);
        for (const Part& part : v.parts) {
            expect_part(part, file, v.of.profile + " " + v.of.mode + " ");
        }
    }
    std::string line;
    EXPECT_FALSE(next_line(file, line)) << line;
}

TEST(Vectors, BlocksAreWhatTheSpecificationSays) {
    if (writing()) {
        write(block_cases());
    }
    std::ifstream file(kFolder + "phy_blocks.txt");
    ASSERT_TRUE(file.is_open());
    std::string line;
    for (const BlockCase& c : block_cases()) {
        ASSERT_TRUE(next_line(file, line));
        std::ostringstream expected;
        expected << c.bytes << ' ' << c.bits_per_point << ' ' << c.points << ' ' << c.redundancy_version << ' '
                 << make_block(c);
        EXPECT_EQ(expected.str(), line);
    }
    EXPECT_FALSE(next_line(file, line)) << line;
}

// What a second implementation would get wrong unseen if no vector had it.
TEST(Vectors, CoverEveryRule) {
    std::set<std::size_t> tables;
    std::set<std::size_t> exact;  // tables with k = 16 Z
    for (const BlockCase& c : block_cases()) {
        const auto code = LdpcCode::for_info_bits(8 * c.bytes + kBlockCrcBits);
        tables.insert(code.shift_table());
        if (code.filler_bits() == 0) {
            exact.insert(code.shift_table());
        }
    }
    EXPECT_EQ(tables.size(), 4U);
    EXPECT_EQ(exact.size(), 4U);
    std::set<std::string> profiles_with_class;
    std::set<unsigned> versions;
    bool unequal_blocks = false;
    bool unequal_fill = false;
    for (const FrameCase& c : frame_cases()) {
        const Profile& profile = *find_profile(c.profile);
        const Mode& mode = modes()[*find_mode(c.mode)];
        profiles_with_class.insert(c.profile + std::string(to_string(mode.preamble)));
        versions.insert(c.redundancy_version);
        const PayloadLayout layout(mode, c.bytes,
                                   Grid::data_per_symbol(profile, class_params(profile, mode.preamble).dense_pilots));
        unequal_blocks |= layout.block_bytes(0) != layout.block_bytes(layout.blocks() - 1);
        unequal_fill |= layout.block_bytes(0) == layout.block_bytes(layout.blocks() - 1) &&
                        layout.block_points(0) != layout.block_points(layout.blocks() - 1);
    }
    EXPECT_EQ(profiles_with_class.size(), 3 * profiles().size());
    EXPECT_EQ(versions.size(), 4U);
    EXPECT_TRUE(unequal_blocks);
    EXPECT_TRUE(unequal_fill);
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
