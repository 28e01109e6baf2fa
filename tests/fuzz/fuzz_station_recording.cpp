// SPDX-License-Identifier: MIT
// A whole recording of any content, as the format of its first byte or as what it is by its content: samples whose
// indices never go back, or one line that says why not.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "station/radio/recording.hpp"
#include "tests/fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t kEnough = 1 << 17;
    if (size == 0) {
        return 0;
    }
    const meshnet::test::MemoryFile file(data + 1, size - 1);
    meshnet::station::RecordingOptions options;
    const auto formats = meshnet::station::iq_formats();
    if (const std::size_t choice = data[0] & 0x1fU; choice < formats.size()) {
        options.format = formats[choice].format;
    }
    options.swap_iq = (data[0] & 0x20U) != 0;
    auto recording = meshnet::station::Recording::open(file.path(), options);
    if (!recording) {
        assert(!recording.error().message.empty() && recording.error().message.find('\n') == std::string::npos);
        return 0;
    }
    meshnet::station::Recording::Piece piece;
    std::uint64_t next = 0;
    while (next < kEnough) {
        const auto more = recording->read(piece);
        if (!more || !*more) {
            break;
        }
        assert(piece.time_index >= next);
        next = piece.time_index + piece.samples.size();
    }
    return 0;
}
