// SPDX-License-Identifier: MIT
// Bitcoin's serialisation: least significant byte first, and compact sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/bytes.hpp"

namespace meshnet::bitcoin {

inline constexpr std::uint64_t kMostBytes = 4'000'000;  ///< of a block, so of everything in it

/// Appends fields to a byte vector it does not own.
class SerialWriter {
public:
    explicit SerialWriter(Bytes& out) noexcept : out_(out) {}
    void u8(std::uint8_t v) { out_.push_back(v); }
    void u16(std::uint16_t v) { little_endian(v, 2); }
    void u32(std::uint32_t v) { little_endian(v, 4); }
    void u64(std::uint64_t v) { little_endian(v, 8); }
    void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
    void compact(std::uint64_t v) {
        if (v < 0xFD) {
            u8(static_cast<std::uint8_t>(v));
        } else if (v <= 0xFFFF) {
            u8(0xFD);
            u16(static_cast<std::uint16_t>(v));
        } else if (v <= 0xFFFF'FFFF) {
            u8(0xFE);
            u32(static_cast<std::uint32_t>(v));
        } else {
            u8(0xFF);
            u64(v);
        }
    }
    /// A compact size and the bytes.
    void sized(ByteView v) {
        compact(v.size());
        bytes(v);
    }

private:
    void little_endian(std::uint64_t v, int n) {
        for (int i = 0; i < n; ++i) {
            out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
        }
    }
    Bytes& out_;
};

/// Reads fields from a view it does not own; total. The first read that is wrong, and every one after it, gives zero or
/// nothing and sets failed().
class SerialReader {
public:
    explicit SerialReader(ByteView in) noexcept : in_(in) {}
    std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(little_endian(1)); }
    std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(little_endian(2)); }
    std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(little_endian(4)); }
    std::uint64_t u64() noexcept { return little_endian(8); }
    /// A size in its shortest form; any other fails.
    std::uint64_t compact() noexcept {
        const std::uint8_t first = u8();
        const std::uint64_t v = first < 0xFD ? first : first == 0xFD ? u16() : first == 0xFE ? u32() : u64();
        const std::uint64_t least = first < 0xFD ? 0 : first == 0xFD ? 0xFD : first == 0xFE ? 0x1'0000 : 0x1'0000'0000;
        failed_ = failed_ || v < least;
        return failed_ ? 0 : v;
    }
    /// A number of things that take at least `each` bytes (>= 1): fails if so many cannot be left.
    std::size_t count(std::size_t each) noexcept {
        const std::uint64_t n = compact();
        failed_ = failed_ || n > in_.size() / each;
        return failed_ ? 0 : static_cast<std::size_t>(n);
    }
    ByteView bytes(std::size_t n) noexcept {
        if (failed_ || n > in_.size()) {
            failed_ = true;
            return {};
        }
        const ByteView v = in_.first(n);
        in_ = in_.subspan(n);
        return v;
    }
    ByteView sized() noexcept { return bytes(count(1)); }
    Bytes sized_copy() {
        const ByteView v = sized();
        return {v.begin(), v.end()};
    }
    template <std::size_t N>
    std::array<std::uint8_t, N> array() noexcept {
        std::array<std::uint8_t, N> out{};
        const ByteView v = bytes(N);
        std::copy(v.begin(), v.end(), out.begin());
        return out;
    }
    void fail() noexcept { failed_ = true; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::size_t left() const noexcept { return failed_ ? 0 : in_.size(); }
    [[nodiscard]] bool complete() const noexcept { return !failed_ && in_.empty(); }

private:
    std::uint64_t little_endian(std::size_t n) noexcept {
        const ByteView v = bytes(n);
        std::uint64_t out = 0;
        for (std::size_t i = 0; i < v.size(); ++i) {
            out |= static_cast<std::uint64_t>(v[i]) << (8 * i);
        }
        return out;
    }
    ByteView in_;
    bool failed_ = false;
};

}  // namespace meshnet::bitcoin
