// SPDX-License-Identifier: MIT
#include "phy/fec/ldpc_code.hpp"

#include <algorithm>
#include <cassert>

#include "phy/fec/ldpc_tables.hpp"

namespace meshnet::phy {

static_assert(LdpcCode::kInfoCols == ldpc_tables::kInfoCols);
static_assert(LdpcCode::kPuncturedCols == ldpc_tables::kPuncturedCols);
static_assert(LdpcCode::kCoreRows == ldpc_tables::kCoreRows);
static_assert(LdpcCode::kRows == ldpc_tables::kRows);
static_assert(LdpcCode::kZStep == ldpc_tables::kZStep);
static_assert(LdpcCode::kMaxZ == ldpc_tables::kLastZ.back());

LdpcCode LdpcCode::for_info_bits(std::size_t k) noexcept {
    assert(k >= kMinInfoBits && k <= kMaxInfoBits);
    constexpr std::size_t kStepBits = kInfoCols * kZStep;
    const std::size_t z = (k + kStepBits - 1) / kStepBits * kZStep;
    const auto table = std::lower_bound(ldpc_tables::kLastZ.begin(), ldpc_tables::kLastZ.end(), z);
    return {k, z, static_cast<std::size_t>(table - ldpc_tables::kLastZ.begin())};
}

}  // namespace meshnet::phy
