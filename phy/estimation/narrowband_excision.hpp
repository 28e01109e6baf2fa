// SPDX-License-Identifier: MIT
// Takes narrow signals out of a block of samples by their spectrum: foreign carriers, data signals and chirps that
// stand far above everything else. What is left is the block without those bins.
//
// A signal of our own fills its band: over a block its spectrum is within some decibels of its median, with nulls and
// maxima of multipath. A narrow signal of the same power stands above the median by the number of bins it leaves empty.
//
// Source: L. Milstein, "Interference rejection techniques in spread spectrum communications", Proc. IEEE 76 (1988):
// excision by transforms.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// For blocks of one size. One instance, one thread. Allocates in the constructor only.
class NarrowbandExcision {
public:
    /// `size`: samples of a block, a multiple of 64. `edge`: samples at either end that are faded in and out before
    /// bins are taken out, so that a strong line does not spread over all of them.
    NarrowbandExcision(std::size_t size, std::size_t edge);

    /// Most of the block's energy seems to be in few bins. `spectrum`: transform of the block, not scaled; `energy`: of
    /// its samples. Cheap: looks at one bin of eight.
    [[nodiscard]] bool is_concentrated(std::span<const Sample> spectrum, double energy) const noexcept;

    /// If the block in forward.in(), its transform in forward.out(), holds narrow signals: fades its edges, takes them
    /// out, and leaves the samples in forward.in() and their spectrum in forward.out(). False, and the block as it was,
    /// if there are none, or they fill more than a third of the band. Both transforms have this size; inverse.in() and
    /// out() are overwritten.
    bool run(Fft& forward, Fft& inverse);

private:
    float median(std::span<const Sample> spectrum) noexcept;
    bool has_lines(std::span<const Sample> spectrum) noexcept;
    bool find_bins(std::span<const Sample> spectrum);

    std::vector<float> fade_;           // [edge], rising
    std::vector<Sample> kept_;          // [2 edge]: the edges as they were
    std::vector<float> power_;          // [size]
    std::vector<float> sorted_;         // some of them
    std::vector<unsigned char> taken_;  // [size]: bins to be taken out
};

}  // namespace meshnet::phy
