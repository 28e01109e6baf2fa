// SPDX-License-Identifier: MIT
// Forward and inverse transform of one block, for convolution with a fixed response.
//
//     in() -> forward() -> spectrum(), times the response's spectrum -> product() -> inverse() -> out()
//
// What stands between the two transforms needs no order of frequencies, as long as both sides have the same. So long
// blocks are split into columns of few and rows of many samples, whose transforms FFTW does in half the time that its
// estimated plan takes for the whole (16 384 samples: 1.0 instead of 2.6 ns per sample). Plans are made with
// FFTW_ESTIMATE: every rounding is the same in every run.
#pragma once

#include <fftw3.h>

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Not scaled: inverse(forward(x)) = size * x. Move-only. One instance, one thread.
class BlockConvolution {
public:
    /// `size`: a power of two.
    explicit BlockConvolution(std::size_t size);
    ~BlockConvolution();
    BlockConvolution(BlockConvolution&& other) noexcept;
    BlockConvolution& operator=(BlockConvolution&& other) noexcept;
    BlockConvolution(const BlockConvolution&) = delete;
    BlockConvolution& operator=(const BlockConvolution&) = delete;

    /// [size]: the block, which stays. forward() leaves anything in product().
    [[nodiscard]] std::span<Sample> in() noexcept { return {buffers_[kIn], size_}; }
    void forward() noexcept;
    /// [size]: value i is that of bin frequency(i).
    [[nodiscard]] std::span<Sample> spectrum() noexcept { return {buffers_[kSpectrum], size_}; }
    [[nodiscard]] std::size_t frequency(std::size_t i) const noexcept {
        return i / (size_ / columns_of_) + columns_of_ * (i % (size_ / columns_of_));
    }
    /// [size]: to be written in the order of spectrum().
    [[nodiscard]] std::span<Sample> product() noexcept { return {buffers_[kProduct], size_}; }
    void inverse() noexcept;
    [[nodiscard]] std::span<Sample> out() noexcept { return {buffers_[kOut], size_}; }

private:
    enum Buffer : std::size_t { kIn, kSpectrum, kProduct, kOut, kBuffers };

    std::size_t size_ = 0;
    std::size_t columns_of_ = 1;  // samples of a column; 1: the block is not split
    Sample* buffers_[kBuffers] = {};
    fftwf_plan forward_columns_ = nullptr;  // kIn -> kProduct
    fftwf_plan forward_rows_ = nullptr;     // kIn, or kProduct if there are columns -> kSpectrum
    fftwf_plan inverse_rows_ = nullptr;     // kProduct -> kOut
    fftwf_plan inverse_columns_ = nullptr;  // in place in kOut
    std::vector<Sample> twiddles_;          // [size], or empty
    std::vector<Sample> inverse_twiddles_;
};

}  // namespace meshnet::phy
