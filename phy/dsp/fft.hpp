// SPDX-License-Identifier: MIT
// One complex transform of a fixed size, unnormalised, on buffers it owns. FFTW does the work.
//
// Plans are made with FFTW_ESTIMATE: the algorithm, and with it every rounding, is the same in every run.
#pragma once

#include <fftw3.h>

#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

/// To be called before any plan is made: FFTW has one planner for the whole process.
void make_planner_thread_safe() noexcept;

/// X[k] = sum x[n] exp(-+ 2 pi i n k / N), not scaled. Write in(), call run(), read out().
/// Move-only. Making one takes FFTW's planner lock; run() may be called from one thread per instance.
class Fft {
public:
    enum class Direction { kForward, kInverse };

    Fft(std::size_t size, Direction direction);
    ~Fft();
    Fft(Fft&& other) noexcept;
    Fft& operator=(Fft&& other) noexcept;
    Fft(const Fft&) = delete;
    Fft& operator=(const Fft&) = delete;

    [[nodiscard]] std::span<Sample> in() noexcept { return {in_, size_}; }
    [[nodiscard]] std::span<Sample> out() noexcept { return {out_, size_}; }
    void run() noexcept { fftwf_execute(plan_); }

private:
    std::size_t size_ = 0;
    Sample* in_ = nullptr;
    Sample* out_ = nullptr;
    fftwf_plan plan_ = nullptr;
};

}  // namespace meshnet::phy
