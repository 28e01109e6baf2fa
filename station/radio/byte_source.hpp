// SPDX-License-Identifier: GPL-3.0-or-later
// Bytes of a recording in their order, from wherever they are stored.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/result.hpp"

namespace meshnet::station {

class ByteSource {
public:
    ByteSource() = default;
    ByteSource(const ByteSource&) = delete;
    ByteSource& operator=(const ByteSource&) = delete;
    virtual ~ByteSource() = default;

    /// At most `out.size()` bytes; the count, 0 at the end. Error: a line.
    [[nodiscard]] virtual Result<std::size_t> read(std::span<std::uint8_t> out) = 0;
};

}  // namespace meshnet::station
