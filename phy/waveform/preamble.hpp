// SPDX-License-Identifier: MIT
// The preamble: a rising linear chirp and then a falling one, constant envelope, known to everybody.
//
//     |<- L: rising ->|<- L: falling ->|
//
// A carrier offset moves the correlation peak of the rising chirp one way in time and that of the falling one the other
// way, without lowering either much: one correlation per sample finds the frame at any offset, the pair of peaks gives
// time and offset. Why not segments of Zadoff-Chu with a transform across them: docs/decisions/0001-waveform.md.
// Source: linear FM and its ambiguity function: M. Skolnik, Introduction to Radar Systems (2001), ch. 6.
#pragma once

#include <cstddef>
#include <vector>

#include "phy/modes.hpp"
#include "phy/profile.hpp"
#include "phy/sample.hpp"

namespace meshnet::phy {

/// The rising chirp, unit amplitude, sweeping the occupied band once: shape [chirp_samples]. The falling one is its
/// conjugate.
[[nodiscard]] std::vector<Sample> rising_chirp(const Profile& profile, std::size_t chirp_samples);

/// Sweep rate in cycles per sample squared.
[[nodiscard]] double chirp_rate(const Profile& profile, std::size_t chirp_samples) noexcept;

/// Both chirps of a class at unit amplitude, shape [2 * chirp_samples].
[[nodiscard]] std::vector<Sample> preamble_samples(const Profile& profile, PreambleClass preamble);

}  // namespace meshnet::phy
