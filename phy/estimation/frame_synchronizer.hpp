// SPDX-License-Identifier: MIT
// Finds preambles of one class in a stream of samples.
//
//     samples -> matched filter for the rising chirp -> peaks -> test for the falling chirp -> FrameStart
//
// The first stage costs two transforms per 3 L new samples whatever the carrier offset: a chirp keeps its peak under an
// offset and only moves it. The second stage looks for the falling chirp around where it must be; the two positions
// give time and offset, the phase between the two peaks refines the offset. Both metrics are correlation energy over
// window energy, so amplitude does not matter, and a tone or DC scores 1/(B L), far below the threshold. Signals much
// narrower than the band and short pulses are taken out of a block first, or a strong one would be all of the window
// energy.
//
// Behind an inverting converter (or with I and Q swapped) the falling chirp comes first. It is looked for before the
// rising one as well, and the better of the two says whether the spectrum of that frame is inverted.
//
// Spec: docs/spec/phy.md, "Preamble". Thresholds: docs/notes/detection.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "phy/dsp/block_convolution.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/narrowband_excision.hpp"
#include "phy/estimation/pulse_blanking.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Where one frame begins, as this receiver detected it.
struct FrameStart {
    std::uint64_t sample_index = 0;  ///< first preamble sample, rounded to the nearest
    double fraction = 0.0;           ///< + this many samples, [-0.5, 0.5]
    PreambleClass preamble{};
    bool inverted = false;             ///< the spectrum is inverted: the samples are the conjugates of what was sent
    double cfo_cycles_per_sample = 0;  ///< sender's carrier minus ours; if inverted, that of the conjugate samples
    float metric = 0.0F;               ///< mean of the two correlation energies over window energy, 0 noise .. 1 clean
    float margin = 1.0F;               ///< of the metric over the threshold, as a ratio, at least 1
    float power = 0.0F;                ///< mean power of the preamble itself (correlated), full scale = 1
};

/// Detector for one preamble class. Works in blocks at fixed absolute positions, so chunking cannot change what it
/// finds. Allocates in the constructor only (and when more than 16 starts wait to be taken).
class FrameSynchronizer {
public:
    FrameSynchronizer(const Profile& profile, PreambleClass preamble);

    /// Works through the samples of `ring` that it has not seen. `ring` must still hold all samples from wanted() on.
    void advance(const SampleRing& ring, std::vector<FrameStart>& found);

    /// The oldest sample index still needed.
    [[nodiscard]] std::uint64_t wanted() const noexcept;
    /// Samples from the first preamble sample to the latest moment its detection is reported.
    [[nodiscard]] std::size_t latency() const noexcept;
    void reset() noexcept;

private:
    struct Peak {
        std::uint64_t index = 0;
        float metric = 0.0F;
        bool active = false;
        bool disturbed = false;  // interference was taken out of its block
    };
    void search_block(const SampleRing& ring);
    void note_peaks(std::size_t first, std::span<const Sample> outputs, float energy, bool disturbed);
    double measure_energy(std::span<const Sample> block, double least) noexcept;
    bool find_interference(std::span<Sample> block, bool lines, double& total);
    bool blank_pulses(std::span<Sample> block);
    void clean(const SampleRing& ring, const Peak& peak);
    void fetch(const SampleRing& ring, std::uint64_t index, std::span<Sample> out) const noexcept;
    [[nodiscard]] std::size_t samples_to_verify() const noexcept;
    struct FallingPeak {
        std::int64_t first_lag = 0;  // index of lag 0 of filter_.out()
        std::size_t lags = 0;        // there are
        std::size_t lag = 0;         // of the peak
        float metric = 0.0F;
    };
    struct FallingPeaks {
        FallingPeak before, after;  // about one chirp length before and after the rising one
        double energy = 0.0;        // of all samples looked at
    };
    struct TakenPeak {
        std::int64_t index = 0;
        float rising_metric = 0.0F;  // of the frame it belongs to; 0: none
    };
    [[nodiscard]] bool is_taken(const FallingPeak& peak, float rising_metric) const noexcept;
    [[nodiscard]] FallingPeaks find_falling(const SampleRing& ring, std::int64_t rising_at);
    [[nodiscard]] double gapped_peak(const SampleRing& ring, std::int64_t lag, bool falling);
    bool verify(const SampleRing& ring, const Peak& peak, FrameStart& out);
    struct Pairing {
        double moved = 0.0;  // distance of the chirps beyond that of the two strongest peaks, samples
        double phase = 0.0;  // by which the falling chirp's peaks lead the rising one's, radians
    };
    bool locate(const SampleRing& ring, const Peak& peak, const FallingPeak& best, bool inverted, FrameStart& out);
    void refine_offset(const SampleRing& ring, double cfo, const std::optional<Pairing>& paired, FrameStart& out);
    [[nodiscard]] std::optional<Pairing> pair_paths(const SampleRing& ring, std::int64_t rising_at, double metric);

    PreambleClass preamble_;
    std::size_t length_;       // L: samples of one chirp
    std::size_t shift_limit_;  // largest shift of a peak by the carrier offset, samples
    double rate_;              // chirp rate, cycles per sample^2
    double max_cfo_;           // cycles per sample
    float first_threshold_;
    float joint_threshold_;
    std::size_t path_reach_;             // paths looked for around a peak, samples either side
    std::vector<Sample> rising_paths_;   // [2 path_reach + 1]: matched filter around the rising peak
    std::size_t pair_search_;            // by which the two peaks may be of different paths, samples
    std::vector<Sample> falling_paths_;  // [2 (path_reach + pair_search) + 1]
    std::vector<Sample> pair_;           // [2 pair_search + 1]
    std::vector<double> score_;          // [2 pair_search + 1]
    std::size_t merge_span_;             // peaks closer than this are one arrival
    std::vector<Sample> chirp_;
    std::vector<Sample> reference_;  // conj(transform of the rising chirp) / F, in filter_'s order, shape [F]
    std::vector<Sample> falling_reference_;
    BlockConvolution filter_;
    NarrowbandExcision excision_;
    std::vector<Sample> clean_;        // samples around the peak that is verified, interference taken out
    std::uint64_t clean_begin_ = 0;    // index of the first of them
    bool blanked_ = false;             // pulses were taken out of the block looked at last
    bool cleaned_ = false;             // they are to be used in place of the ring's
    std::vector<float> energy_;        // window energies along the block
    float greatest_part_ = 0.0F;       // of part_energy_
    std::vector<float> sorted_parts_;  // scratch
    std::vector<float> part_energy_;   // energy of every 8 samples
    std::uint64_t next_block_ = 0;
    Peak pending_;
    std::array<TakenPeak, 4> taken_{};  // falling chirps of the latest upright frames
    std::size_t next_taken_ = 0;
    std::vector<Peak> queue_;  // finished peaks that wait for their falling chirp
};

}  // namespace meshnet::phy
