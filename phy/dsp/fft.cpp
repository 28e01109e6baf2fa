// SPDX-License-Identifier: MIT
#include "phy/dsp/fft.hpp"

#include <mutex>
#include <utility>

namespace meshnet::phy {
// FFTW has one planner for the whole process: GNU Radio and others plan with it too, each under a mutex of its own that
// the others do not know. FFTW's own lock covers them all.
void make_planner_thread_safe() noexcept {
    static std::once_flag once;
    std::call_once(once, fftwf_make_planner_thread_safe);
}

namespace {

// When this library is loaded, before anybody's threads plan: a plan that is being made at that moment has not taken
// the lock.
[[maybe_unused]] const bool kAtLoad = (make_planner_thread_safe(), true);

}  // namespace

Fft::Fft(std::size_t size, Direction direction) : size_(size) {
    make_planner_thread_safe();
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
