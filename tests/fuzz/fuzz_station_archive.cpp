// SPDX-License-Identifier: MIT
// SigMF archives: their list, and every member read to its end, or one clause that says why not.
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "station/radio/sigmf_archive.hpp"
#include "tests/fuzz/memory_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t kEnough = 1 << 20;  // a sparse member may be as long as it likes
    const meshnet::test::MemoryFile file(data, size);
    const auto members = meshnet::station::list_archive(file.fd());
    if (!members) {
        assert(!members.error().message.empty());
        return 0;
    }
    std::size_t opened = 0;
    for (const auto& member : *members) {
        if (++opened > 4) {
            break;
        }
        auto source = meshnet::station::open_archive_member(file.fd(), member.name);
        assert(source.ok());
        std::array<std::uint8_t, 4096> buffer;
        for (std::uint64_t read = 0; read < kEnough;) {
            const auto n = (*source)->read(buffer);
            if (!n || *n == 0) {
                break;
            }
            read += *n;
        }
    }
    return 0;
}
