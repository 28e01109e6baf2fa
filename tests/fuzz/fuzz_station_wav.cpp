// SPDX-License-Identifier: MIT
// WAV headers: samples inside the file, or one clause that says why not.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "station/radio/wav_layout.hpp"
#include "tests/fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const meshnet::test::MemoryFile file(data, size);
    const auto layout = meshnet::station::read_wav_layout(file.fd(), size);
    if (!layout) {
        assert(!layout.error().message.empty() && layout.error().message.find('\n') == std::string::npos);
        return 0;
    }
    assert(layout->data_offset <= size && layout->data_bytes <= size - layout->data_offset);
    assert(layout->rate_hz >= 1.0);
    return 0;
}
