// SPDX-License-Identifier: MIT
// In which order the bits of a mother codeword enter the circular buffer that transmissions are read from.
//
// Spec: docs/spec/phy.md, "Payload". Why: docs/notes/ldpc.md, "Which bits travel on which".
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

#include "phy/fec/ldpc_code.hpp"
#include "phy/fec/rate_matching.hpp"

namespace meshnet::phy {

// The information columns with most checks: many checks protect their bits, so these may be received with less
// reliability.
inline constexpr std::size_t kLateColumns[2] = {3, 6};

// Where the bits of information column `column` start in the mother codeword.
inline std::size_t column_start(const LdpcCode& code, std::size_t column) noexcept {
    const std::size_t bits = std::min(code.info_bits(), column * code.z());
    return bits - std::min(bits, LdpcCode::kPuncturedCols * code.z());
}

// Mother codeword -> sending order: the late columns behind the core's parity. And back.
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
            : first(at(code, kLateColumns[0])),
              first_end(at(code, kLateColumns[0] + 1)),
              second(at(code, kLateColumns[1])),
              second_end(at(code, kLateColumns[1] + 1)),
              core_end(static_cast<std::ptrdiff_t>(code.min_coded_bits())) {
            assert(length >= code.min_coded_bits());
            static_cast<void>(length);
        }
        static std::ptrdiff_t at(const LdpcCode& code, std::size_t column) noexcept {
            return static_cast<std::ptrdiff_t>(column_start(code, column));
        }
    };
};

// Length of mother codeword that has all of a transmission: the sending order mixes what comes before min_coded_bits().
inline std::size_t mother_bits_of(const LdpcCode& code, unsigned redundancy_version, std::size_t coded_bits) noexcept {
    return std::max(code.min_coded_bits(), mother_bits_needed(code, redundancy_version, coded_bits));
}

}  // namespace meshnet::phy
