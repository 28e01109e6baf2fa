// SPDX-License-Identifier: GPL-3.0-or-later
// IQ in a WAV file: where the samples stand and what they are. I is the left channel, Q the right one.
//
// Sources: Microsoft/IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991), "WAVE"; Microsoft,
// WAVEFORMATEXTENSIBLE; EBU Tech 3306 v1.1 (RF64), ITU-R BS.2088 (BW64). SDR programs write stereo PCM of 8 (unsigned),
// 16, 24 or 32 bit, or 32 bit float.
#pragma once

#include <cstdint>

#include "core/result.hpp"
#include "station/radio/iq_format.hpp"

namespace meshnet::station {

struct WavLayout {
    IqFormat format = IqFormat::kCs16;
    double rate_hz = 0.0;
    std::uint64_t data_offset = 0;
    std::uint64_t data_bytes = 0;  ///< inside the file, also if its header says more or nothing (recording cut off)
};

/// Reads the header of a file of `file_bytes`. Error: a clause without the file's name.
[[nodiscard]] Result<WavLayout> read_wav_layout(int fd, std::uint64_t file_bytes);

}  // namespace meshnet::station
