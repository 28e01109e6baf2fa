// SPDX-License-Identifier: MIT
// The last samples of a stream, addressed by their absolute index.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// Fixed capacity, a power of two. Old samples are overwritten.
class SampleRing {
public:
    explicit SampleRing(std::size_t capacity) : buffer_(capacity), mask_(capacity - 1) {
        assert(capacity > 0 && (capacity & mask_) == 0);
    }

    void push(std::span<const Sample> samples) noexcept {
        assert(samples.size() <= buffer_.size());
        const std::size_t at = end_ & mask_;
        const std::size_t first = std::min(samples.size(), buffer_.size() - at);
        std::copy_n(samples.begin(), first, buffer_.begin() + static_cast<std::ptrdiff_t>(at));
        std::copy(samples.begin() + static_cast<std::ptrdiff_t>(first), samples.end(), buffer_.begin());
        end_ += samples.size();
    }
    [[nodiscard]] std::size_t capacity() const noexcept { return buffer_.size(); }
    /// One past the newest sample.
    [[nodiscard]] std::uint64_t end() const noexcept { return end_; }
    /// The oldest sample still held.
    [[nodiscard]] std::uint64_t begin() const noexcept { return end_ > buffer_.size() ? end_ - buffer_.size() : 0; }

    /// Copies samples [index, index + out.size()). All of them must be held.
    void copy(std::uint64_t index, std::span<Sample> out) const noexcept {
        assert(index >= begin() && index + out.size() <= end_);
        const std::size_t at = index & mask_;
        const std::size_t first = std::min(out.size(), buffer_.size() - at);
        std::copy_n(buffer_.begin() + static_cast<std::ptrdiff_t>(at), first, out.begin());
        std::copy_n(buffer_.begin(), out.size() - first, out.begin() + static_cast<std::ptrdiff_t>(first));
    }
    void clear() noexcept { end_ = 0; }

private:
    std::vector<Sample> buffer_;
    std::size_t mask_;
    std::uint64_t end_ = 0;
};

}  // namespace meshnet::phy
