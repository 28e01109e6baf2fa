// SPDX-License-Identifier: MIT
// Zeros that are no samples: what stands for lost samples, or for what a station does not hear while it sends.
//
// Noise through a converter has zeros too, more of them the coarser it is; so a run of zeros counts only where what
// stands around it in the step is not mostly zero itself.
#pragma once

#include <cstddef>
#include <span>

#include "phy/sample.hpp"

namespace meshnet::phy {

class SilenceDetector {
public:
    static constexpr std::size_t kRun = 32;  ///< zeros in a row, from step to step

    /// The next samples of a step.
    void look(std::span<const Sample> samples) noexcept {
        count_ += samples.size();
        // Half a run holds one of these; what is shorter at either end of a call does not matter.
        bool any = false;
        for (std::size_t i = 0; i < samples.size(); i += kRun / 2) {
            any = any || is_zero(samples[i]);
        }
        if (!any) {
            end_run();
            return;
        }
        for (const Sample& x : samples) {
            if (is_zero(x)) {
                ++zeros_;
                ++run_;
                ++run_here_;
            } else {
                end_run();
            }
        }
    }
    /// The step is complete: does it hold such zeros? Begins the next.
    [[nodiscard]] bool end_step() noexcept {
        if (run_ >= kRun) {
            in_runs_ += run_here_;
        }
        const std::size_t others = count_ - in_runs_;
        const bool silent = in_runs_ > 0 && 2 * (zeros_ - in_runs_) <= others;
        run_here_ = count_ = zeros_ = in_runs_ = 0;
        return silent;
    }

private:
    static bool is_zero(const Sample& x) noexcept { return x.real() == 0.0F && x.imag() == 0.0F; }
    void end_run() noexcept {
        if (run_ >= kRun) {
            in_runs_ += run_here_;
        }
        run_ = run_here_ = 0;
    }

    std::size_t run_ = 0;                              // zeros in a row up to now
    std::size_t run_here_ = 0;                         // of them, in this step
    std::size_t count_ = 0, zeros_ = 0, in_runs_ = 0;  // of this step
};

}  // namespace meshnet::phy
