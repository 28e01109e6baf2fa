// SPDX-License-Identifier: MIT
// SigMF metadata and collections: a description whose layout lies inside the file, or one clause that says why not.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "station/radio/sigmf.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void check_layout(const meshnet::station::SigmfDescription& d, std::size_t sample_bytes, std::uint64_t file_bytes) {
    const auto layout = meshnet::station::sigmf_layout(d, sample_bytes, file_bytes);
    if (!layout) {
        assert(!layout.error().message.empty());
        return;
    }
    assert(!layout->stretches.empty());
    std::uint64_t used = 0, time = 0;
    for (const auto& stretch : layout->stretches) {
        assert(stretch.skip_bytes <= file_bytes - used);
        used += stretch.skip_bytes;
        assert(stretch.bytes <= file_bytes - used);
        used += stretch.bytes;
        assert(stretch.time_index >= time && stretch.time_index <= std::uint64_t{1} << 44U);
        time = stretch.time_index + stretch.bytes / sample_bytes;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    for (const bool known : {false, true}) {
        const auto d = meshnet::station::parse_sigmf(text, {known, known});
        if (!d) {
            assert(!d.error().message.empty() && d.error().message.find('\n') == std::string::npos);
            continue;
        }
        assert(d->channels >= 1 && d->channels <= 1'000);
        assert(d->format.has_value() || known);
        for (const std::uint64_t file_bytes : {std::uint64_t{0}, std::uint64_t{100}, std::uint64_t{1} << 40U}) {
            check_layout(*d, std::size_t{4} * d->channels, file_bytes);
        }
    }
    if (const auto names = meshnet::station::parse_sigmf_collection(text)) {
        for (const auto& name : *names) {
            assert(name.find('/') == std::string::npos);
        }
    }
    return 0;
}
