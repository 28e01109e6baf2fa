// SPDX-License-Identifier: MIT
// One complex baseband sample: I in the real part, Q in the imaginary part, full scale 1.0.
#pragma once

#include <complex>

namespace meshnet::phy {

using Sample = std::complex<float>;

/// Root mean square amplitude of what the transmitter emits, relative to full scale: -12 dBFS leaves room for OFDM
/// peaks.
inline constexpr float kTransmitRms = 0.25F;

}  // namespace meshnet::phy
