// SPDX-License-Identifier: MIT
// Bytes, and the two cursors every codec of ours is written with. Integers travel most significant byte first.
//
// ByteReader never reads past its end: the first read that would, and every one after it, returns zero or
// an empty view and sets `failed()`. A parser reads all its fields, then checks once.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace meshnet {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// Appends fields to a byte vector it does not own.
class ByteWriter {
public:
    explicit ByteWriter(Bytes& out) noexcept : out_(out) {}

    void u8(std::uint8_t v) { out_.push_back(v); }
    void u16(std::uint16_t v) { big_endian(v, 2); }
    void u24(std::uint32_t v) { big_endian(v, 3); }
    void u32(std::uint32_t v) { big_endian(v, 4); }
    void u64(std::uint64_t v) { big_endian(v, 8); }
    void i64(std::int64_t v) { u64(static_cast<std::uint64_t>(v)); }
    void bytes(ByteView v) { out_.insert(out_.end(), v.begin(), v.end()); }
    template <std::size_t N>
    void bytes(const std::array<std::uint8_t, N>& v) {
        out_.insert(out_.end(), v.begin(), v.end());
    }
    [[nodiscard]] std::size_t size() const noexcept { return out_.size(); }

private:
    void big_endian(std::uint64_t v, int n) {
        for (int i = n - 1; i >= 0; --i) {
            out_.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
        }
    }
    Bytes& out_;
};

/// Reads fields from a view it does not own; total, never throws, never reads outside.
class ByteReader {
public:
    explicit ByteReader(ByteView in) noexcept : in_(in) {}

    std::uint8_t u8() noexcept { return static_cast<std::uint8_t>(big_endian(1)); }
    std::uint16_t u16() noexcept { return static_cast<std::uint16_t>(big_endian(2)); }
    std::uint32_t u24() noexcept { return static_cast<std::uint32_t>(big_endian(3)); }
    std::uint32_t u32() noexcept { return static_cast<std::uint32_t>(big_endian(4)); }
    std::uint64_t u64() noexcept { return big_endian(8); }
    std::int64_t i64() noexcept { return static_cast<std::int64_t>(big_endian(8)); }

    /// The next `n` bytes, or an empty view and failed() if fewer are left.
    ByteView bytes(std::size_t n) noexcept {
        if (failed_ || n > in_.size()) {
            failed_ = true;
            return {};
        }
        const ByteView v = in_.first(n);
        in_ = in_.subspan(n);
        return v;
    }
    template <std::size_t N>
    std::array<std::uint8_t, N> array() noexcept {
        std::array<std::uint8_t, N> out{};
        const ByteView v = bytes(N);
        if (v.size() == N && N > 0) {
            std::memcpy(out.data(), v.data(), N);
        }
        return out;
    }
    [[nodiscard]] ByteView rest() noexcept { return bytes(failed_ ? 0 : in_.size()); }
    [[nodiscard]] std::size_t left() const noexcept { return failed_ ? 0 : in_.size(); }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    /// True if all was read and nothing was missing.
    [[nodiscard]] bool complete() const noexcept { return !failed_ && in_.empty(); }

private:
    std::uint64_t big_endian(std::size_t n) noexcept {
        const ByteView v = bytes(n);
        std::uint64_t out = 0;
        for (const std::uint8_t b : v) {
            out = (out << 8) | b;
        }
        return out;
    }
    ByteView in_;
    bool failed_ = false;
};

/// Lower-case hexadecimal, two digits a byte.
[[nodiscard]] inline std::string to_hex(ByteView bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t b : bytes) {
        out.push_back(kDigits[b >> 4]);
        out.push_back(kDigits[b & 15]);
    }
    return out;
}

/// The bytes written as hexadecimal of either case; nothing if a digit is wrong or the count is odd.
[[nodiscard]] inline std::optional<Bytes> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return std::nullopt;
    }
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    Bytes out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int hi = digit(text[i]);
        const int lo = digit(text[i + 1]);
        if (hi < 0 || lo < 0) {
            return std::nullopt;
        }
        out.push_back(static_cast<std::uint8_t>(hi * 16 + lo));
    }
    return out;
}

}  // namespace meshnet
