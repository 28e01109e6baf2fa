// SPDX-License-Identifier: GPL-3.0-or-later
// What the receiver's stages say to each other.
#pragma once

#include <pmt/pmt.h>

#include <cstdint>
#include <optional>

#include "phy/estimation/frame_synchronizer.hpp"

namespace gr::meshnet {

/// Silence before the first sample, so that a frame may begin with it, as in phy::Receiver. A multiple of kStageStep.
inline constexpr std::uint64_t kStageOrigin = 1024;
/// Samples a synchroniser takes at a time, at fixed absolute positions.
inline constexpr std::size_t kStageStep = 128;

/// Key of the tag.
[[nodiscard]] const pmt::pmt_t& preamble_key();
/// The dict of a detection; indexes of `start` count from kStageOrigin.
[[nodiscard]] pmt::pmt_t describe_start(const ::meshnet::phy::FrameStart& start);
/// Any value may be given.
[[nodiscard]] std::optional<::meshnet::phy::FrameStart> read_start(const pmt::pmt_t& value);

}  // namespace gr::meshnet
