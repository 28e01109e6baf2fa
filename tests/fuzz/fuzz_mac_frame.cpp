// SPDX-License-Identifier: MIT
// Any bytes as a received payload: taken apart without harm, and what was understood survives encode and parse
// unchanged.
#include <cstdlib>

#include "mac/frame_format.hpp"

using namespace meshnet;
using namespace meshnet::mac;

namespace {

void require(bool good) {
    if (!good) {
        std::abort();
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::size_t failed = 0;
    const auto burst = parse_burst(ByteView(data, size), &failed);
    require(failed <= 64);
    if (!burst) {
        return 0;
    }
    require(burst->header.targets.size() <= kMaxTargets && burst->header.sender != 0);
    for (const FragmentView& f : burst->fragments) {
        require(f.target < burst->header.targets.size() && f.index < f.count && f.count <= kMaxFragments &&
                !f.data.empty());
        require(f.data.data() >= data && f.data.data() + f.data.size() <= data + size);
    }
    const Bytes once = encode_burst(*burst, false);
    const auto again = parse_burst(once);
    require(again.has_value());
    require(again->fragments.size() == burst->fragments.size() && again->acks.size() == burst->acks.size());
    require(again->hello.has_value() == burst->hello.has_value());
    require(encode_burst(*again, false) == once);
    return 0;
}
