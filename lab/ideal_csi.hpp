// SPDX-License-Identifier: MIT
// What a receiver of ours would do in a fading channel with ideal channel state information (ideal CSI).
//
//     response of the channel -> information per carrier and symbol -> the AWGN SNR with the same information -> PER
//
// The response of the very frame that was sent is measured with impulses through the same channel (same seed) without
// noise. The mean over the frame of the constellation's information gives the SNR at which AWGN would be as good, and
// our own measured AWGN curve the error rate there. So the losses of our code, demapper and AWGN channel estimate are
// in both sides of the comparison, and what is left is what not knowing this channel costs.
// Source: K. Brueninghaus et al., "Link performance models for system level simulations of broadband radio access
//         systems", IEEE PIMRC 2005: mutual information effective SNR mapping.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "lab/interval.hpp"
#include "lab/monte_carlo.hpp"

namespace meshnet::lab {

/// Capacity of a constellation against SNR, tabulated, both ways.
class InformationCurve {
public:
    /// `amplitudes`: as Mode has them.
    explicit InformationCurve(std::span<const std::uint16_t> amplitudes);
    [[nodiscard]] double information(double snr_db) const noexcept;  ///< bits, held at the ends of -40..50 dB
    [[nodiscard]] double snr_db(double information) const noexcept;

private:
    std::vector<double> bits_;  // at kLow + i kStep
};

/// |H|^2 of `frame` of scenario `s` at every carrier and every so many symbols, mean SNR 0 dB as the channel has it.
[[nodiscard]] std::vector<float> channel_gains(const Scenario& s, std::uint64_t frame);

/// Effective AWGN SNR at mean SNR `snr_db` with those gains.
[[nodiscard]] double effective_snr_db(const std::vector<float>& gains, double snr_db, const InformationCurve& curve);

/// Error rate over frames 0..gains.size()-1 of ideal channel knowledge at mean SNR `snr_db`.
[[nodiscard]] double ideal_per(const std::vector<std::vector<float>>& gains, double snr_db,
                               const InformationCurve& curve, const Waterfall& awgn);

}  // namespace meshnet::lab
