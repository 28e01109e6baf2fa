// SPDX-License-Identifier: GPL-3.0-or-later
// |x|^2 of eight complex numbers at a time, in the order that costs no shuffle across halves of a vector.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

namespace meshnet::station {

using Eight = float __attribute__((vector_size(8 * sizeof(float))));

/// Where |x[i]|^2 of norms_of_eight() stands in its result.
inline constexpr std::array<std::size_t, 8> kPlaceOfNorm{0, 1, 4, 5, 2, 3, 6, 7};

/// Reads 16 floats: re, im, re, im, ... A macro, because a vector is passed differently in each instruction set that a
/// function is compiled for.
#define MESHNET_NORMS_OF_EIGHT(out, values)                                           \
    do {                                                                              \
        ::meshnet::station::Eight first_;                                             \
        ::meshnet::station::Eight second_;                                            \
        std::memcpy(&first_, (values), sizeof first_);                                \
        std::memcpy(&second_, (values) + 8, sizeof second_);                          \
        first_ *= first_;                                                             \
        second_ *= second_;                                                           \
        (out) = __builtin_shufflevector(first_, second_, 0, 2, 8, 10, 4, 6, 12, 14) + \
                __builtin_shufflevector(first_, second_, 1, 3, 9, 11, 5, 7, 13, 15);  \
    } while (false)

}  // namespace meshnet::station
