// SPDX-License-Identifier: MIT
// Bytes -> samples: one whole burst per call.
//
//     payload -> [Transmitter] -> preamble, training, header, data symbols
//
// Spec: docs/spec/phy.md.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "core/bytes.hpp"
#include "phy/dsp/doppler_oscillator.hpp"
#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// Renders frames. Throws nothing after construction; allocates only to grow `out`. One instance, one thread.
class Transmitter {
public:
    /// `limit_peaks`: symbols are clipped and filtered so that 99.9 % of QPSK stay within 5.5 dB of the mean power (11
    /// dB without) at a loss of 0.1 to 0.2 dB, of QAM within 8 to 9.6 dB at a loss of 0.05 dB at most.
    /// docs/decisions/0024-peaks-look-by-look.md.
    explicit Transmitter(const Profile& profile, bool limit_peaks = true);
    ~Transmitter();
    Transmitter(Transmitter&&) noexcept;
    Transmitter& operator=(Transmitter&&) noexcept;

    /// Appends one frame to `out` at kTransmitRms. `payload`: 1..kMaxPayloadBytes bytes; `mode` < modes().size();
    /// `redundancy_version` 0..3 selects which coded bits are sent first. Anything else is a broken precondition
    /// (assert). `shift` moves all of the frame off its carrier, from the first sample on: pre-compensation by the
    /// negative of the Doppler that the path will add.
    void modulate(ModeIndex mode, ByteView payload, std::vector<Sample>& out, unsigned redundancy_version = 0,
                  DopplerShift shift = {});

    /// Samples of a frame with `bytes` of payload.
    [[nodiscard]] std::size_t frame_samples(ModeIndex mode, std::size_t bytes) const noexcept;

    [[nodiscard]] const Profile& profile() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// The same figure without an instance, in samples.
[[nodiscard]] std::size_t frame_samples(const Profile& profile, ModeIndex mode, std::size_t bytes) noexcept;

}  // namespace meshnet::phy
