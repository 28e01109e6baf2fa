// SPDX-License-Identifier: MIT
// Fault: FFTW has one planner in a process. Ours locked it with a mutex of its own, GNU Radio with another, and a
// flowgraph with both died within seconds (corrupted memory, division by zero, hangs).
#include <fftw3.h>
#include <gtest/gtest.h>

#include <thread>

#include "phy/dsp/fft.hpp"

namespace meshnet::phy {
namespace {

TEST(Regressions, TwoUsersOfTheFftPlanner) {
    constexpr int kRounds = 1'500;
    std::thread other([] {
        for (int i = 0; i < kRounds; ++i) {  // as another library does, which knows nothing of us
            const int size = 96 + 8 * (i % 37);
            auto* data = fftwf_alloc_complex(static_cast<std::size_t>(size));
            const auto plan = fftwf_plan_dft_1d(size, data, data, FFTW_FORWARD, FFTW_ESTIMATE);
            fftwf_execute(plan);
            fftwf_destroy_plan(plan);
            fftwf_free(data);
        }
    });
    for (int i = 0; i < kRounds; ++i) {
        Fft fft(std::size_t{128} + 16 * static_cast<std::size_t>(i % 29), Fft::Direction::kInverse);
        fft.in()[1] = 1.0F;
        fft.run();
        ASSERT_NEAR(std::abs(fft.out()[3]), 1.0F, 1e-4F);
    }
    other.join();
}

}  // namespace
}  // namespace meshnet::phy
