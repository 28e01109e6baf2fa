// SPDX-License-Identifier: MIT
#include "phy/fec/rate_matching.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/target_clones.hpp"

namespace meshnet::phy {

std::size_t rate_matching_start(const LdpcCode& code, unsigned redundancy_version, std::size_t coded_bits) noexcept {
    assert(redundancy_version < kRedundancyVersions);
    const std::size_t n = code.mother_bits();
    return redundancy_version * (coded_bits % n) % n;
}

std::size_t mother_bits_needed(const LdpcCode& code, unsigned redundancy_version, std::size_t coded_bits) noexcept {
    const std::size_t n = code.mother_bits();
    return std::min(n, rate_matching_start(code, redundancy_version, coded_bits) + std::min(n, coded_bits));
}

void select(const LdpcCode& code, std::span<const std::uint8_t> mother, unsigned redundancy_version,
            std::span<std::uint8_t> out) noexcept {
    assert(mother.size() >= mother_bits_needed(code, redundancy_version, out.size()));
    const std::size_t n = code.mother_bits();
    std::size_t at = rate_matching_start(code, redundancy_version, out.size());
    for (std::size_t done = 0; done < out.size();) {
        const std::size_t count = std::min(n - at, out.size() - done);
        std::copy_n(mother.begin() + static_cast<std::ptrdiff_t>(at), count,
                    out.begin() + static_cast<std::ptrdiff_t>(done));
        done += count;
        at = 0;
    }
}

MESHNET_TARGET_CLONES void accumulate(const LdpcCode& code, unsigned redundancy_version, std::span<const float> llr,
                                      std::span<float> soft) noexcept {
    assert(soft.size() == code.mother_bits());
    constexpr float kLargest = std::numeric_limits<float>::max();
    const std::size_t n = code.mother_bits();
    std::size_t at = rate_matching_start(code, redundancy_version, llr.size());
    for (std::size_t done = 0; done < llr.size();) {
        const std::size_t count = std::min(n - at, llr.size() - done);
        const float* in = llr.data() + done;
        float* out = soft.data() + at;
        for (std::size_t i = 0; i < count; ++i) {
            out[i] += std::fabs(in[i]) <= kLargest ? in[i] : 0.0F;
        }
        done += count;
        at = 0;
    }
}

}  // namespace meshnet::phy
