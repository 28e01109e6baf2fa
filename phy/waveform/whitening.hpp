// SPDX-License-Identifier: MIT
// Whitens the bits of header and payload in the order in which they are sent, so that no symbol is special.
//
// Copies of the header, a spread payload and one that fills its last symbol repeat the same coded bits over and over:
// sent as they are, they make a comb of carriers whose peaks the limiter cannot take off without destroying the points.
// The scrambler (scrambler.hpp) works before the code and cannot help there.
//
// Spec: docs/spec/phy.md, "Whitening".
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace meshnet::phy {

/// The sequence a[n] = a[n-1] xor a[n-3] xor a[n-4] xor a[n-13], begun with thirteen ones before a[0]: an m-sequence,
/// whose period is a prime and so meets no other.
class Whitening {
public:
    static constexpr std::size_t kPeriod = 8191;

    /// XORs `bits` (0 or 1 each), which are sent as number `position` and following of their stream.
    static void apply(std::span<std::uint8_t> bits, std::size_t position) noexcept {
        each_run(bits.size(), position, [&](std::size_t first, std::size_t count, const std::uint32_t* masks) {
            for (std::size_t i = 0; i < count; ++i) {
                bits[first + i] = static_cast<std::uint8_t>(bits[first + i] ^ (masks[i] >> 31));
            }
        });
    }
    /// The same on LLRs: changes the sign where the bit is 1.
    static void undo(std::span<float> llr, std::size_t position) noexcept {
        each_run(llr.size(), position, [&](std::size_t first, std::size_t count, const std::uint32_t* masks) {
            for (std::size_t i = 0; i < count; ++i) {
                llr[first + i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(llr[first + i]) ^ masks[i]);
            }
        });
    }

private:
    // Bit n as the sign of a float: 0x80000000 or 0.
    static const std::array<std::uint32_t, kPeriod>& masks() noexcept {
        static const std::array<std::uint32_t, kPeriod> kMasks = [] {
            std::array<std::uint32_t, kPeriod> out{};
            std::uint32_t state = 0x1FFF;  // bit k: a[n-1-k]
            for (auto& mask : out) {
                const std::uint32_t bit = (state ^ (state >> 2) ^ (state >> 3) ^ (state >> 12)) & 1U;
                state = ((state << 1) | bit) & 0x1FFFU;
                mask = bit << 31;
            }
            return out;
        }();
        return kMasks;
    }
    template <class Run>
    static void each_run(std::size_t size, std::size_t position, Run&& run) noexcept {
        for (std::size_t done = 0; done < size;) {
            const std::size_t at = (position + done) % kPeriod;
            const std::size_t count = std::min(size - done, kPeriod - at);
            run(done, count, masks().data() + at);
            done += count;
        }
    }
};

}  // namespace meshnet::phy
