// SPDX-License-Identifier: MIT
#include "phy/dsp/fft.hpp"

#include <mutex>
#include <utility>

namespace meshnet::phy {
namespace {

std::mutex& planner_mutex() {
    static std::mutex mutex;
    return mutex;
}

}  // namespace

Fft::Fft(std::size_t size, Direction direction) : size_(size) {
    const std::lock_guard<std::mutex> lock(planner_mutex());
    auto* in = fftwf_alloc_complex(size);
    auto* out = fftwf_alloc_complex(size);
    plan_ = fftwf_plan_dft_1d(static_cast<int>(size), in, out,
                              direction == Direction::kForward ? FFTW_FORWARD : FFTW_BACKWARD, FFTW_ESTIMATE);
    in_ = reinterpret_cast<Sample*>(in);
    out_ = reinterpret_cast<Sample*>(out);
    for (std::size_t i = 0; i < size; ++i) {
        in_[i] = {};
        out_[i] = {};
    }
}

Fft::~Fft() {
    if (plan_ != nullptr) {
        const std::lock_guard<std::mutex> lock(planner_mutex());
        fftwf_destroy_plan(plan_);
        fftwf_free(in_);
        fftwf_free(out_);
    }
}

Fft::Fft(Fft&& other) noexcept {
    *this = std::move(other);
}

Fft& Fft::operator=(Fft&& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(in_, other.in_);
    std::swap(out_, other.out_);
    std::swap(plan_, other.plan_);
    return *this;
}

}  // namespace meshnet::phy
