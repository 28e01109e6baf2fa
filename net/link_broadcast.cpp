// SPDX-License-Identifier: MIT
#include "net/link_broadcast.hpp"

#include <algorithm>

#include "net/packet_format.hpp"

namespace meshnet::net {
namespace {

constexpr std::size_t kMostWaiting = 64;
constexpr std::size_t kHeaderBytes = 5;
constexpr std::string_view kContext = "meshnet broadcast v2";

Bytes joined(std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (const ByteView part : parts) {
        size += part.size();
    }
    Bytes out(size);
    auto at = out.begin();
    for (const ByteView part : parts) {
        at = std::copy(part.begin(), part.end(), at);
    }
    return out;
}

/// What is signed: the key names the run of the sender, so that no frame of another run counts.
Bytes signed_bytes(const Key32& key, ByteView header, ByteView body) {
    const auto run = blake2b<16>({as_bytes("meshnet broadcast run v2"), ByteView(key)});
    return joined({run, header, body});
}

}  // namespace

Bytes LinkBroadcast::key_message() const {
    const std::array<std::uint8_t, 1> type{static_cast<std::uint8_t>(MessageType::kBroadcastKey)};
    return joined({type, key_});
}

bool LinkBroadcast::on_key(ByteView body, BroadcastReceiver& receiver) {
    if (body.size() != 32) {
        return false;
    }
    Key32 key{};
    std::copy(body.begin(), body.end(), key.begin());
    if (receiver.key != key) {
        receiver.key = key;
        receiver.seen = {};
    }
    return true;
}

bool LinkBroadcast::push(Bytes message) {
    if (queue_.size() >= kMostWaiting || message.empty() || message.size() + kOverheadBytes + 2 > kMaxFrame) {
        return false;
    }
    queue_.push_back(std::move(message));
    return true;
}

std::optional<Bytes> LinkBroadcast::poll(std::size_t max_bytes) {
    const std::size_t limit = std::min(max_bytes, kMaxFrame);
    if (queue_.empty() || limit <= kOverheadBytes || counter_ == 0xFFFF'FFFF) {
        return std::nullopt;
    }
    MessageBundle bundle(limit - kOverheadBytes);
    while (!queue_.empty() && bundle.add_control(queue_.front())) {
        queue_.pop_front();
    }
    if (bundle.empty()) {
        return std::nullopt;
    }
    Bytes frame;
    frame.reserve(kMaxFrame);
    ByteWriter w(frame);
    w.u8(kType);
    w.u32(counter_);
    const Bytes header = frame;
    const Signature signature = device_.sign(kContext, signed_bytes(key_, header, bundle.bytes()));
    const Bytes plain = joined({signature, bundle.bytes()});
    aead_seal(key_, counter_, header, plain, frame);
    ++counter_;
    return frame;
}

LinkBroadcast::Opened LinkBroadcast::open(Instant now, ByteView frame, const Key32& device,
                                          BroadcastReceiver& receiver) {
    Opened out;
    if (!receiver.key || frame.size() < kOverheadBytes || frame.size() > kMaxFrame || frame[0] != kType) {
        return out;
    }
    const ByteView header = frame.first(kHeaderBytes);
    const std::uint32_t counter = ByteReader(header.subspan(1)).u32();
    if (!receiver.seen.fresh(counter)) {
        out.refusal = Refusal::kReplayed;
        return out;
    }
    const auto plain = aead_open(*receiver.key, counter, header, frame.subspan(kHeaderBytes));
    if (!plain || plain->size() < std::tuple_size_v<Signature>) {
        return out;
    }
    // Whoever holds the key could have sealed it: our other neighbours too. The signature costs, so it is rationed.
    if (!receiver.verifications.take(now)) {
        out.refusal = Refusal::kLimited;
        return out;
    }
    Signature signature{};
    std::copy_n(plain->begin(), signature.size(), signature.begin());
    const ByteView body = ByteView(*plain).subspan(signature.size());
    if (!verify(device, kContext, signed_bytes(*receiver.key, header, body), signature)) {
        return out;
    }
    receiver.seen.mark(counter);
    out.refusal = Refusal::kNone;
    out.plain.assign(body.begin(), body.end());
    return out;
}

}  // namespace meshnet::net
