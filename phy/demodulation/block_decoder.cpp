// SPDX-License-Identifier: MIT
#include "phy/demodulation/block_decoder.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numeric>

#include "phy/fec/crc.hpp"
#include "phy/fec/rate_matching.hpp"
#include "phy/waveform/scrambler.hpp"

namespace meshnet::phy {
namespace {

// The information columns with most checks. What they say is said by many, so they may be received less surely.
constexpr std::size_t kLate[2] = {3, 6};

// Where the bits of information column `column` start in the mother word.
std::size_t column_start(const LdpcCode& code, std::size_t column) noexcept {
    const std::size_t bits = std::min(code.info_bits(), column * code.z());
    return bits - std::min(bits, LdpcCode::kPuncturedCols * code.z());
}

// Mother word -> sending order: the late columns behind the core's parity. And back.
template <class T>
class SendingOrder {
public:
    static void apply(const LdpcCode& code, std::span<T> word, std::vector<T>& kept) {
        const Places p(code, word.size());
        kept.assign(word.begin() + p.first, word.begin() + p.first_end);
        kept.insert(kept.end(), word.begin() + p.second, word.begin() + p.second_end);
        auto to = std::copy(word.begin() + p.first_end, word.begin() + p.second, word.begin() + p.first);
        to = std::copy(word.begin() + p.second_end, word.begin() + p.core_end, to);
        std::copy(kept.begin(), kept.end(), to);
    }
    static void undo(const LdpcCode& code, std::span<T> word, std::vector<T>& kept) {
        const Places p(code, word.size());
        const auto late = (p.first_end - p.first) + (p.second_end - p.second);
        kept.assign(word.begin() + p.core_end - late, word.begin() + p.core_end);
        const auto second = kept.begin() + (p.first_end - p.first);
        auto from = word.begin() + p.core_end - late;
        std::copy_backward(from - (p.core_end - p.second_end), from, word.begin() + p.core_end);
        from -= p.core_end - p.second_end;
        std::copy(second, kept.end(), word.begin() + p.second);
        std::copy_backward(from - (p.second - p.first_end), from, word.begin() + p.second);
        std::copy(kept.begin(), second, word.begin() + p.first);
    }

private:
    struct Places {
        std::ptrdiff_t first, first_end, second, second_end, core_end;
        Places(const LdpcCode& code, std::size_t length) noexcept
            : first(at(code, kLate[0])),
              first_end(at(code, kLate[0] + 1)),
              second(at(code, kLate[1])),
              second_end(at(code, kLate[1] + 1)),
              core_end(static_cast<std::ptrdiff_t>(code.min_coded_bits())) {
            assert(length >= code.min_coded_bits());
            static_cast<void>(length);
        }
        static std::ptrdiff_t at(const LdpcCode& code, std::size_t column) noexcept {
            return static_cast<std::ptrdiff_t>(column_start(code, column));
        }
    };
};

// Length of mother word that has all of a transmission: the sending order mixes what comes before min_coded_bits().
std::size_t mother_bits_of(const LdpcCode& code, unsigned redundancy_version, std::size_t coded_bits) noexcept {
    return std::max(code.min_coded_bits(), mother_bits_needed(code, redundancy_version, coded_bits));
}

}  // namespace

std::size_t point_stride(std::size_t points) noexcept {
    if (points < 3) {
        return 1;
    }
    std::size_t stride = static_cast<std::size_t>(static_cast<double>(points) * 0.6180339887498949);
    stride = std::max<std::size_t>(stride, 1);
    while (std::gcd(stride, points) != 1) {
        ++stride;
    }
    return stride % points;
}

BlockEncoder::BlockEncoder() : info_(LdpcCode::kMaxInfoBits), mother_(LdpcCode::kMaxMotherBits) {}

void BlockEncoder::encode(ByteView bytes, unsigned redundancy_version, std::size_t points, unsigned bits_per_symbol,
                          std::span<std::uint8_t> out) {
    assert(!bytes.empty() && bytes.size() <= kMaxBlockBytes && out.size() == points * bits_per_symbol);
    const std::size_t info_bits = 8 * bytes.size() + kBlockCrcBits;
    const std::uint32_t crc = Crc24::of_bytes(bytes);
    const std::array<std::uint8_t, 3> tail{static_cast<std::uint8_t>(crc >> 16), static_cast<std::uint8_t>(crc >> 8),
                                           static_cast<std::uint8_t>(crc)};
    for (std::size_t i = 0; i < bytes.size() + 3; ++i) {
        const unsigned byte = (i < bytes.size() ? bytes[i] : tail[i - bytes.size()]) ^ scrambling_bytes()[i];
        for (std::size_t b = 0; b < 8; ++b) {
            info_[8 * i + b] = static_cast<std::uint8_t>((byte >> (7 - b)) & 1U);
        }
    }
    const LdpcCode code = LdpcCode::for_info_bits(info_bits);
    coded_.resize(out.size());
    const auto needed = std::span(mother_).first(mother_bits_of(code, redundancy_version, coded_.size()));
    encoder_.encode(code, std::span<const std::uint8_t>(info_).first(info_bits), needed);
    SendingOrder<std::uint8_t>::apply(code, needed, late_);
    select(code, mother_, redundancy_version, coded_);
    const std::size_t stride = point_stride(points);
    std::size_t position = 0;
    std::uint8_t* to = out.data();
    for (std::size_t j = 0; j < points; ++j) {
        for (unsigned b = 0; b < bits_per_symbol; ++b) {
            *to++ = coded_[b * points + position];
        }
        position += stride;
        if (position >= points) {
            position -= points;
        }
    }
}

void BlockAssembly::begin_block(std::size_t points_in_block, unsigned bits) {
    bits_per_symbol = bits;
    total = points_in_block;
    points = 0;
    position = 0;
    stride = point_stride(points_in_block);
    if (llr.size() < total * bits) {
        llr.resize(total * bits);
    }
}

BlockDecoder::BlockDecoder() : soft_(LdpcCode::kMaxMotherBits) {}

FrameBlock BlockDecoder::decode(std::span<const float> llr, unsigned redundancy_version, unsigned max_iterations,
                                std::span<std::uint8_t> out) {
    const std::size_t info_bits = 8 * out.size() + kBlockCrcBits;
    const LdpcCode code = LdpcCode::for_info_bits(info_bits);
    const auto soft = std::span(soft_).first(code.mother_bits());
    // What was not sent need not be looked at: version 0 fills the mother word from its start.
    used_ = mother_bits_of(code, redundancy_version, llr.size());
    std::fill_n(soft.begin(), used_, 0.0F);
    accumulate(code, redundancy_version, llr, soft);
    SendingOrder<float>::undo(code, soft, late_);
    return decode_mother(soft.first(used_), max_iterations, out);
}

FrameBlock BlockDecoder::decode_mother(std::span<const float> soft, unsigned max_iterations,
                                       std::span<std::uint8_t> out) {
    const LdpcCode code = LdpcCode::for_info_bits(8 * out.size() + kBlockCrcBits);
    // The block is proved by its CRC over the unscrambled bytes.
    const LdpcDecoder::BlockCheck check = [](std::span<const std::uint8_t> info, const void*) {
        std::array<std::uint8_t, kMaxBlockBytes + 3> bytes;
        for (std::size_t i = 0; i < info.size(); ++i) {
            bytes[i] = info[i] ^ scrambling_bytes()[i];
        }
        const std::size_t n = info.size() - 3;
        const std::uint32_t crc = (std::uint32_t{bytes[n]} << 16) | (std::uint32_t{bytes[n + 1]} << 8) | bytes[n + 2];
        return crc == Crc24::of_bytes(std::span<const std::uint8_t>(bytes.data(), n));
    };
    LdpcDecoder::Options options;
    options.max_iterations = max_iterations;
    options.check = check;
    const auto result = decoder_.decode(code, soft, options);
    const auto info = decoder_.info_bytes();
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = info[i] ^ scrambling_bytes()[i];
    }
    FrameBlock block;
    block.length = out.size();
    block.crc_ok = result.accepted && check(info, nullptr);
    block.iterations = result.iterations;
    return block;
}

SoftBlock BlockDecoder::soft_values(std::size_t index) const {
    constexpr float kFinest = 4.0F;  // steps per unit of LLR
    constexpr float kMean = 32.0F;   // steps: leaves room for values four times the mean
    double sum = 0.0;
    std::size_t received = 0;
    for (std::size_t i = 0; i < used_; ++i) {
        sum += static_cast<double>(std::min(std::fabs(soft_[i]), 1e6F));
        received += soft_[i] != 0.0F ? 1 : 0;
    }
    const float mean = static_cast<float>(sum / static_cast<double>(std::max<std::size_t>(received, 1)));
    SoftBlock out;
    out.block = index;
    out.steps_per_llr = mean * kFinest > kMean ? kMean / mean : kFinest;
    out.steps.resize(used_);
    for (std::size_t i = 0; i < used_; ++i) {
        float v = soft_[i] * out.steps_per_llr;
        v = v > 127.0F ? 127.0F : v < -127.0F ? -127.0F : v == v ? v : 0.0F;
        out.steps[i] = static_cast<std::int8_t>(v < 0.0F ? v - 0.5F : v + 0.5F);
    }
    return out;
}

}  // namespace meshnet::phy
