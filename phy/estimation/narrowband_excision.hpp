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

#include "phy/dsp/block_convolution.hpp"
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

    /// If the block in filter.in(), its transform in filter.spectrum(), holds narrow signals: fades its edges, takes
    /// them out, and leaves the samples in filter.in() and their spectrum in filter.spectrum(). False, and the block as
    /// it was, if there are none, or they fill more than a third of the band. `filter` has this size; its product() and
    /// out() are overwritten.
    bool run(BlockConvolution& filter);

private:
    float median(std::span<const Sample> spectrum) noexcept;
    bool has_lines(BlockConvolution& filter) noexcept;
    bool find_bins(BlockConvolution& filter);

    std::vector<float> fade_;           // [edge], rising
    std::vector<Sample> kept_;          // [2 edge]: the edges as they were
    std::vector<float> power_;          // [size], in the order of frequencies
    std::vector<float> sorted_;         // some of them
    std::vector<unsigned char> taken_;  // [size]: bins to be taken out, in the order of frequencies
};

}  // namespace meshnet::phy
