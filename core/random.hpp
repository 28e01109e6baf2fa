// SPDX-License-Identifier: MIT
// Randomness is injected. `RandomSource` is the port (the daemon gives it libsodium's generator); `Rng` is the
// deterministic generator of simulations and tests: same seed, same stream, on every machine.
//
// Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021):
//         xoshiro256++, seeded by splitmix64.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

namespace meshnet {

/// Where random bytes come from. One instance, one thread.
class RandomSource {
public:
    RandomSource() = default;
    RandomSource(const RandomSource&) = default;
    RandomSource& operator=(const RandomSource&) = default;
    RandomSource(RandomSource&&) = default;
    RandomSource& operator=(RandomSource&&) = default;
    virtual ~RandomSource() = default;

    /// 64 uniform bits.
    virtual std::uint64_t next_u64() = 0;

    /// Fills `out` with uniform bytes.
    void fill(std::span<std::uint8_t> out) {
        std::size_t i = 0;
        while (i < out.size()) {
            std::uint64_t word = next_u64();
            for (int b = 0; b < 8 && i < out.size(); ++b, ++i, word >>= 8) {
                out[i] = static_cast<std::uint8_t>(word);
            }
        }
    }

    /// Uniform in [0, n), without bias. n >= 1.
    std::uint64_t below(std::uint64_t n) {
        const std::uint64_t limit = n * ((~std::uint64_t{0}) / n);
        std::uint64_t v = next_u64();
        while (v >= limit) {
            v = next_u64();
        }
        return v % n;
    }

    /// Uniform in [0, 1), 53 bits.
    double uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }
};

/// xoshiro256++. Not for keys.
class Rng final : public RandomSource {
public:
    explicit Rng(std::uint64_t seed) noexcept {
        for (auto& word : state_) {
            seed += 0x9e3779b97f4a7c15ULL;
            std::uint64_t z = seed;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
            word = z ^ (z >> 31);
        }
    }

    std::uint64_t next_u64() override {
        const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    }

    /// Standard normal, Box and Muller (1958), both values used.
    double normal() {
        if (has_spare_) {
            has_spare_ = false;
            return spare_;
        }
        const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
        const double angle = 2.0 * std::numbers::pi * uniform();
        spare_ = radius * std::sin(angle);
        has_spare_ = true;
        return radius * std::cos(angle);
    }

private:
    std::array<std::uint64_t, 4> state_{};
    double spare_ = 0.0;
    bool has_spare_ = false;
};

}  // namespace meshnet
