// SPDX-License-Identifier: MIT
#include "net/link_session.hpp"

namespace meshnet::net {

std::optional<Bytes> LinkSession::seal(ByteView plain) {
    if (next_counter_ == 0xFFFF'FFFF) {
        return std::nullopt;
    }
    Bytes frame;
    frame.reserve(plain.size() + kOverheadBytes);
    ByteWriter w(frame);
    w.u8(static_cast<std::uint8_t>(kDataType | peer_tag_));
    w.u32(next_counter_);
    std::array<std::uint8_t, kHeaderBytes> header{};
    std::copy(frame.begin(), frame.end(), header.begin());
    aead_seal(send_, next_counter_, header, plain, frame);
    ++next_counter_;
    return frame;
}

LinkSession::Opened LinkSession::open(ByteView frame) {
    Opened out;
    if (frame.size() < kOverheadBytes || !is_data(frame) || tag_of(frame) != our_tag_) {
        return out;
    }
    ByteReader r(frame);
    const ByteView header = r.bytes(kHeaderBytes);
    const std::uint32_t counter = ByteReader(header.subspan(1)).u32();
    auto plain = aead_open(receive_, counter, header, r.rest());
    if (!plain) {
        return out;
    }
    if (!replay_.fresh(counter)) {
        out.refusal = Refusal::kReplayed;
        return out;
    }
    replay_.mark(counter);
    out.refusal = Refusal::kNone;
    out.plain = std::move(*plain);
    return out;
}

}  // namespace meshnet::net
