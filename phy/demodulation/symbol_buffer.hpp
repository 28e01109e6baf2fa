// SPDX-License-Identifier: MIT
// The OFDM symbols of one frame that were transformed and are not demodulated yet.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Rows of consecutive symbols, the oldest first. Allocates in the constructor only.
class SymbolBuffer {
public:
    SymbolBuffer(std::size_t carriers, std::size_t capacity)
        : carriers_(carriers), capacity_(capacity), rows_(capacity * carriers) {}

    void clear() noexcept {
        size_ = 0;
        first_symbol_ = 0;
    }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool full() const noexcept { return size_ == capacity_; }
    /// Number of the symbol in row 0; symbol 0 is the first one of the header.
    [[nodiscard]] std::size_t first_symbol() const noexcept { return first_symbol_; }
    /// Transform output of the carriers, [K].
    [[nodiscard]] std::span<const Sample> carriers(std::size_t row) const noexcept {
        return std::span(rows_).subspan(row * carriers_, carriers_);
    }

    /// The newest row, to be changed.
    [[nodiscard]] std::span<Sample> newest() noexcept {
        assert(size_ > 0);
        return std::span(rows_).subspan((size_ - 1) * carriers_, carriers_);
    }
    /// A new last row, [K], to be written. The buffer must not be full.
    [[nodiscard]] std::span<Sample> push() noexcept {
        assert(!full());
        return std::span(rows_).subspan(size_++ * carriers_, carriers_);
    }
    /// Removes the first `rows` rows.
    void drop(std::size_t rows) noexcept {
        assert(rows <= size_);
        std::copy(rows_.begin() + static_cast<std::ptrdiff_t>(rows * carriers_),
                  rows_.begin() + static_cast<std::ptrdiff_t>(size_ * carriers_), rows_.begin());
        size_ -= rows;
        first_symbol_ += rows;
    }

private:
    std::size_t carriers_;
    std::size_t capacity_;
    std::vector<Sample> rows_;  // [capacity][K]
    std::size_t size_ = 0;
    std::size_t first_symbol_ = 0;
};

}  // namespace meshnet::phy
