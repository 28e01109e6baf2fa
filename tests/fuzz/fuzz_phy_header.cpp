// SPDX-License-Identifier: MIT
// Any soft values into the header decoder: what it accepts must be possible, and what was encoded must come back.
#include <cstdint>
#include <cstring>

#include "core/bytes.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/header_codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace meshnet;
    using namespace meshnet::phy;
    static HeaderCodec codec;
    ByteReader in({data, size});
    Header header;
    header.mode = static_cast<ModeIndex>(in.u8() % modes().size());
    header.payload_bytes = static_cast<std::uint16_t>(1 + in.u16() % kMaxPayloadBytes);
    header.redundancy_version = in.u8() % 4;
    const auto preamble = modes()[header.mode].preamble;
    const auto coded = codec.encode(header);
    std::array<float, kHeaderCodedBits> llr{};
    bool touched = false;
    for (std::size_t i = 0; i < llr.size(); ++i) {
        llr[i] = coded[i] != 0 ? -1.0F : 1.0F;
    }
    while (in.left() >= 5) {
        float v = 0.0F;
        const std::size_t at = in.u8();
        const ByteView raw = in.bytes(4);
        std::memcpy(&v, raw.data(), 4);
        llr[at] = v;
        touched = true;
    }
    const auto decoded = codec.decode(llr, preamble, kWaveformVersion);
    if (!touched && (!decoded || !(*decoded == header))) {
        __builtin_trap();
    }
    if (decoded && (decoded->mode >= modes().size() || decoded->payload_bytes == 0 ||
                    decoded->payload_bytes > kMaxPayloadBytes || modes()[decoded->mode].preamble != preamble)) {
        __builtin_trap();
    }
    return 0;
}
