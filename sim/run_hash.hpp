// SPDX-License-Identifier: MIT
// What happened in a run of a simulation, in 64 bits: equal runs have equal values. Not against forgery.
#pragma once

#include <bit>
#include <cstdint>

#include "core/bytes.hpp"

namespace meshnet::sim {

class RunHash {
public:
    void add(std::uint64_t word) noexcept { value_ = std::rotl((value_ ^ word) * 0x9e3779b97f4a7c15ULL, 29); }
    /// Eight bytes at a time, the length last.
    void add(ByteView bytes) noexcept {
        std::size_t i = 0;
        for (; i + 8 <= bytes.size(); i += 8) {
            add(word(bytes.subspan(i, 8)));
        }
        add(word(bytes.subspan(i)));
        add(bytes.size());
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_ ^ (value_ >> 32); }

private:
    /// Up to eight bytes, the same on every machine.
    [[nodiscard]] static std::uint64_t word(ByteView bytes) noexcept {
        std::uint64_t out = 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            out |= std::uint64_t{bytes[i]} << (8 * i);
        }
        return out;
    }
    std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

}  // namespace meshnet::sim
