// SPDX-License-Identifier: MIT
// Which Doppler a receiver should take out beforehand, from where its neighbours' carriers are expected.
//
// One receiver has one oscillator. While nobody moves it stays at rest. Else it goes where most of the neighbours are
// within what the receiver acquires, stations that nobody knows yet (offsets around 0) counting for half a neighbour.
// And by how much a transmitter should shift its frames.
#pragma once

#include <span>

#include "mac/doppler_tracker.hpp"
#include "phy/receiver.hpp"

namespace meshnet::node {

/// `neighbours`: all at one time; `reach_hz`: offset that the receiver acquires, > 0 (Profile::max_cfo_hz). The hint
/// for that time; 0 Hz and 0 Hz/s if none is needed.
[[nodiscard]] phy::DopplerShift doppler_hint(std::span<const mac::DopplerEstimate> neighbours, double reach_hz);

/// What a station shifts its frames by so that its one neighbour, a satellite, hears them without Doppler: the negative
/// of where that one's carrier is, at the time of the frame's first sample. 0 Hz and 0 Hz/s if it does not move for
/// certain, or if there are others, who would hear what it does not. What is left at the neighbour is twice the
/// difference of the two oscillators. For one end of a link only: docs/decisions/0025-doppler-on-transmit.md.
[[nodiscard]] phy::DopplerShift transmit_shift(std::span<const mac::DopplerEstimate> neighbours);

}  // namespace meshnet::node
