// SPDX-License-Identifier: MIT
#include "core/bytes.hpp"

#include <gtest/gtest.h>

namespace meshnet {
namespace {

TEST(Bytes, IntegersTravelMostSignificantByteFirst) {
    Bytes out;
    ByteWriter w(out);
    w.u8(0x01);
    w.u16(0x0203);
    w.u24(0x040506);
    w.u32(0x0708090A);
    w.u64(0x0B0C0D0E0F101112);
    w.i64(-2);
    EXPECT_EQ(to_hex(out), "0102030405060708090a0b0c0d0e0f101112fffffffffffffffe");
    ByteReader r(out);
    EXPECT_EQ(r.u8(), 0x01);
    EXPECT_EQ(r.u16(), 0x0203);
    EXPECT_EQ(r.u24(), 0x040506U);
    EXPECT_EQ(r.u32(), 0x0708090AU);
    EXPECT_EQ(r.u64(), 0x0B0C0D0E0F101112U);
    EXPECT_EQ(r.i64(), -2);
    EXPECT_TRUE(r.complete());
}

TEST(Bytes, ReaderNeverReadsPastTheEnd) {
    const Bytes three{1, 2, 3};
    ByteReader r(three);
    EXPECT_EQ(r.u32(), 0U);
    EXPECT_TRUE(r.failed());
    EXPECT_EQ(r.u8(), 0) << "once failed, every read is zero";
    EXPECT_EQ(r.left(), 0U);
    EXPECT_TRUE(r.rest().empty());
    EXPECT_FALSE(r.complete());
}

TEST(Bytes, ArrayAndRest) {
    const Bytes five{1, 2, 3, 4, 5};
    ByteReader r(five);
    EXPECT_EQ((r.array<2>()), (std::array<std::uint8_t, 2>{1, 2}));
    EXPECT_FALSE(r.complete());
    EXPECT_EQ(r.rest().size(), 3U);
    EXPECT_TRUE(r.complete());
    EXPECT_EQ((r.array<1>()), (std::array<std::uint8_t, 1>{0}));
    EXPECT_TRUE(r.failed());
}

TEST(Bytes, Hexadecimal) {
    EXPECT_EQ(from_hex("00fFa5"), (Bytes{0x00, 0xFF, 0xA5}));
    EXPECT_EQ(from_hex(""), Bytes{});
    EXPECT_FALSE(from_hex("0"));
    EXPECT_FALSE(from_hex("0g"));
}

}  // namespace
}  // namespace meshnet
