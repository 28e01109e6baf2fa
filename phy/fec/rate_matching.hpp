// SPDX-License-Identifier: MIT
// Which bits of the mother codeword one transmission carries: a circular buffer, read from a place that the redundancy
// version and the length give.
//
//     mother codeword (N bits, in a circular buffer):  version 0 reads [0, E), version v reads [v E, v E + E) mod N
//
// So version 0 starts with the information bits, each further version of the same length goes on where the one before
// stopped (all of the mother codeword is sent before anything is repeated), and E > N repeats: spreading x16 is E = 16
// x 5 k. Only version 0 can be decoded alone at every rate; the others add to it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "phy/fec/ldpc_code.hpp"

namespace meshnet::phy {

inline constexpr unsigned kRedundancyVersions = 4;

/// First mother bit of a transmission of `coded_bits` bits. redundancy_version 0..3.
[[nodiscard]] std::size_t rate_matching_start(const LdpcCode& code, unsigned redundancy_version,
                                              std::size_t coded_bits) noexcept;

/// Length of mother codeword that covers a transmission: what to ask LdpcEncoder for, at most code.mother_bits().
[[nodiscard]] std::size_t mother_bits_needed(const LdpcCode& code, unsigned redundancy_version,
                                             std::size_t coded_bits) noexcept;

/// Fills `out` (E = out.size() coded bits) from `mother`, which holds at least mother_bits_needed() bits.
void select(const LdpcCode& code, std::span<const std::uint8_t> mother, unsigned redundancy_version,
            std::span<std::uint8_t> out) noexcept;

/// Adds the LLRs of one transmission (E = llr.size(), positive = bit 0) to `soft`, code.mother_bits() floats, zero
/// before the first transmission. Values that are not finite count as 0. Transmissions of different E and version add
/// up correctly.
void accumulate(const LdpcCode& code, unsigned redundancy_version, std::span<const float> llr,
                std::span<float> soft) noexcept;

}  // namespace meshnet::phy
