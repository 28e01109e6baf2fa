// SPDX-License-Identifier: MIT
#include "phy/dsp/block_convolution.hpp"

#include <volk/volk.h>

#include <cmath>
#include <numbers>
#include <utility>

namespace meshnet::phy {
namespace {

// Samples of a column: where FFTW's estimated plan for the whole block is the slower way.
std::size_t columns_for(std::size_t size) noexcept {
    if (size >= 16'384) {
        return 8;
    }
    return size >= 8'192 ? 4 : 1;
}

fftwf_complex* raw(Sample* samples) noexcept {
    return reinterpret_cast<fftwf_complex*>(samples);
}

// `columns`: transforms of `height` samples `width` apart, side by side; else of the rows between.
fftwf_plan plan(std::size_t height, std::size_t width, bool columns, Sample* from, Sample* to, int sign) {
    const int h = static_cast<int>(height);
    const int w = static_cast<int>(width);
    const fftwf_iodim down{h, w, w};
    const fftwf_iodim along{w, 1, 1};
    return columns ? fftwf_plan_guru_dft(1, &down, 1, &along, raw(from), raw(to), sign, FFTW_ESTIMATE)
                   : fftwf_plan_guru_dft(1, &along, 1, &down, raw(from), raw(to), sign, FFTW_ESTIMATE);
}

}  // namespace

BlockConvolution::BlockConvolution(std::size_t size) : size_(size), columns_of_(columns_for(size)) {
    make_planner_thread_safe();
    for (Sample*& buffer : buffers_) {
        buffer = reinterpret_cast<Sample*>(fftwf_alloc_complex(size));
        std::fill_n(buffer, size, Sample{});
    }
    const std::size_t height = columns_of_;
    const std::size_t width = size / height;
    forward_rows_ =
        plan(height, width, false, buffers_[height > 1 ? kProduct : kIn], buffers_[kSpectrum], FFTW_FORWARD);
    inverse_rows_ = plan(height, width, false, buffers_[kProduct], buffers_[kOut], FFTW_BACKWARD);
    if (height == 1) {
        return;
    }
    forward_columns_ = plan(height, width, true, buffers_[kIn], buffers_[kProduct], FFTW_FORWARD);
    inverse_columns_ = plan(height, width, true, buffers_[kOut], buffers_[kOut], FFTW_BACKWARD);
    for (std::size_t i = 0; i < size; ++i) {
        const double turns = static_cast<double>(i / width * (i % width)) / static_cast<double>(size);
        const double angle = -2.0 * std::numbers::pi * turns;
        twiddles_.emplace_back(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
        inverse_twiddles_.push_back(std::conj(twiddles_.back()));
    }
}

BlockConvolution::~BlockConvolution() {
    for (const fftwf_plan p : {forward_columns_, forward_rows_, inverse_rows_, inverse_columns_}) {
        if (p != nullptr) {
            fftwf_destroy_plan(p);
        }
    }
    for (Sample* buffer : buffers_) {
        if (buffer != nullptr) {
            fftwf_free(buffer);
        }
    }
}

BlockConvolution::BlockConvolution(BlockConvolution&& other) noexcept {
    *this = std::move(other);
}

BlockConvolution& BlockConvolution::operator=(BlockConvolution&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(columns_of_, other.columns_of_);
    std::swap(buffers_, other.buffers_);
    std::swap(forward_columns_, other.forward_columns_);
    std::swap(forward_rows_, other.forward_rows_);
    std::swap(inverse_rows_, other.inverse_rows_);
    std::swap(inverse_columns_, other.inverse_columns_);
    std::swap(twiddles_, other.twiddles_);
    std::swap(inverse_twiddles_, other.inverse_twiddles_);
    return *this;
}

void BlockConvolution::forward() noexcept {
    if (forward_columns_ != nullptr) {
        fftwf_execute(forward_columns_);
        volk_32fc_x2_multiply_32fc(buffers_[kProduct], buffers_[kProduct], twiddles_.data(),
                                   static_cast<unsigned>(size_));
    }
    fftwf_execute(forward_rows_);
}

void BlockConvolution::inverse() noexcept {
    fftwf_execute(inverse_rows_);
    if (inverse_columns_ != nullptr) {
        volk_32fc_x2_multiply_32fc(buffers_[kOut], buffers_[kOut], inverse_twiddles_.data(),
                                   static_cast<unsigned>(size_));
        fftwf_execute(inverse_columns_);
    }
}

}  // namespace meshnet::phy
