// SPDX-License-Identifier: MIT
// The OFDM symbols of one frame that were transformed and are not demodulated yet.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Rows of consecutive symbols, the oldest first. Allocates in the constructor only.
class SymbolBuffer {
public:
    SymbolBuffer(std::size_t carriers, std::size_t capacity)
        : carriers_(carriers),
          capacity_(capacity),
          rows_(capacity * carriers),
          weights_(capacity * carriers),
          weighted_(capacity) {}

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

    /// What each carrier is worth beside one without interference, 255: all, [K]; empty if all of the row are.
    [[nodiscard]] std::span<const std::uint8_t> weights(std::size_t row) const noexcept {
        return weighted_[row] != 0 ? std::span(weights_).subspan(row * carriers_, carriers_)
                                   : std::span<const std::uint8_t>{};
    }
    /// Weights of the newest row, to be written.
    [[nodiscard]] std::span<std::uint8_t> weigh_newest() noexcept {
        assert(size_ > 0);
        weighted_[size_ - 1] = 1;
        return std::span(weights_).subspan((size_ - 1) * carriers_, carriers_);
    }

    /// The newest row, to be changed.
    [[nodiscard]] std::span<Sample> newest() noexcept {
        assert(size_ > 0);
        return std::span(rows_).subspan((size_ - 1) * carriers_, carriers_);
    }
    /// A new last row, [K], to be written. The buffer must not be full.
    [[nodiscard]] std::span<Sample> push() noexcept {
        assert(!full());
        weighted_[size_] = 0;
        return std::span(rows_).subspan(size_++ * carriers_, carriers_);
    }
    /// Removes the first `rows` rows.
    void drop(std::size_t rows) noexcept {
        assert(rows <= size_);
        std::copy(rows_.begin() + static_cast<std::ptrdiff_t>(rows * carriers_),
                  rows_.begin() + static_cast<std::ptrdiff_t>(size_ * carriers_), rows_.begin());
        for (std::size_t r = rows; r < size_; ++r) {
            weighted_[r - rows] = weighted_[r];
            if (weighted_[r] != 0) {
                std::copy_n(weights_.begin() + static_cast<std::ptrdiff_t>(r * carriers_), carriers_,
                            weights_.begin() + static_cast<std::ptrdiff_t>((r - rows) * carriers_));
            }
        }
        size_ -= rows;
        first_symbol_ += rows;
    }

private:
    std::size_t carriers_;
    std::size_t capacity_;
    std::vector<Sample> rows_;            // [capacity][K]
    std::vector<std::uint8_t> weights_;   // [capacity][K]
    std::vector<std::uint8_t> weighted_;  // [capacity]: the row has weights
    std::size_t size_ = 0;
    std::size_t first_symbol_ = 0;
};

}  // namespace meshnet::phy
