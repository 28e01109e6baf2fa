// SPDX-License-Identifier: MIT
#include "net/packet_format.hpp"

#include <algorithm>

namespace meshnet::net {

namespace {

constexpr std::uint8_t kDataBit = 0x80;
constexpr std::uint8_t kLengthBit = 0x40;
constexpr std::uint8_t kSameFlowBit = 0x20;
constexpr std::uint8_t kHopsMask = 0x1F;
constexpr std::uint8_t kTypeMask = 0x3F;
constexpr std::uint8_t kOpenVersion = 2;
constexpr std::size_t kNoiseLimit = 255;

Bytes begin(MessageType type) {
    return {static_cast<std::uint8_t>(type)};
}

}  // namespace

std::optional<Message> MessageReader::next() noexcept {
    if (malformed_ || reader_.left() == 0) {
        return std::nullopt;
    }
    const std::uint8_t first = reader_.u8();
    ByteView content;
    if ((first & kLengthBit) != 0) {
        const std::size_t length = reader_.u16();
        content = reader_.bytes(length);
    } else {
        content = reader_.rest();
    }
    if (reader_.failed()) {
        malformed_ = true;
        return std::nullopt;
    }
    if ((first & kDataBit) == 0) {
        return ControlMessage{static_cast<MessageType>(first & kTypeMask), content};
    }
    ByteReader r(content);
    if ((first & kSameFlowBit) == 0) {
        label_ = r.u32();
        sequence_ = r.u32();
        have_data_ = true;
    } else if (have_data_) {
        ++sequence_;
    } else {
        malformed_ = true;
        return std::nullopt;
    }
    const ByteView sealed = r.rest();
    if (r.failed() || sealed.size() < kAeadTagBytes) {
        malformed_ = true;
        return std::nullopt;
    }
    return DataMessage{label_, sequence_, static_cast<std::uint8_t>(first & kHopsMask), sealed};
}

bool MessageBundle::fits_data(std::size_t sealed) const noexcept {
    return bytes_.size() + (count_ == 0 ? 0 : 2) + kDataHeaderBytes + sealed <= limit_;
}

void MessageBundle::close_last() {
    // The last message gets its length only now that another follows.
    const std::size_t length = bytes_.size() - last_at_ - 1;
    bytes_[last_at_] |= kLengthBit;
    const std::array<std::uint8_t, 2> field{static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
    bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(last_at_) + 1, field.begin(), field.end());
}

bool MessageBundle::add(const DataMessage& message) {
    const bool same = last_is_data_ && message.label == label_ && message.sequence == sequence_ + 1;
    const std::size_t need = (count_ == 0 ? 0U : 2U) + (same ? 1U : kDataHeaderBytes) + message.sealed.size();
    if (bytes_.size() + need > limit_ || bytes_.size() - last_at_ > 0xFFFF) {
        return false;
    }
    if (count_ > 0) {
        close_last();
    }
    last_at_ = bytes_.size();
    ByteWriter w(bytes_);
    w.u8(static_cast<std::uint8_t>(kDataBit | (same ? kSameFlowBit : 0) | (message.hops_left & kHopsMask)));
    if (!same) {
        w.u32(message.label);
        w.u32(message.sequence);
    }
    w.bytes(message.sealed);
    label_ = message.label;
    sequence_ = message.sequence;
    last_is_data_ = true;
    ++count_;
    return true;
}

bool MessageBundle::add_control(ByteView type_and_body) {
    const std::size_t need = (count_ == 0 ? 0U : 2U) + type_and_body.size();
    if (bytes_.size() + need > limit_ || bytes_.size() - last_at_ > 0xFFFF) {
        return false;
    }
    if (count_ > 0) {
        close_last();
    }
    last_at_ = bytes_.size();
    bytes_.insert(bytes_.end(), type_and_body.begin(), type_and_body.end());
    last_is_data_ = false;
    ++count_;
    return true;
}

Bytes FlowOpen::signed_part() const {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.u8(kOpenVersion);
    w.u8(static_cast<std::uint8_t>((payer_is_destination ? 1 : 0) | (flow_class == FlowClass::kBulk ? 2 : 0)));
    w.bytes(destination);
    w.bytes(nonce);
    w.u32(unit_bytes);
    w.u32(max_units);
    w.u32(max_price);
    source.encode(out);
    w.u8(static_cast<std::uint8_t>(noise.size()));
    w.bytes(ByteView(noise));
    return out;
}

FlowId FlowOpen::id() const {
    return blake2b<16>({as_bytes("meshnet flow id v2"), ByteView(signed_part())});
}

Bytes FlowOpen::encode() const {
    Bytes out = begin(MessageType::kFlowOpen);
    ByteWriter w(out);
    w.u32(price_so_far);
    w.u8(hops_left);
    w.bytes(ByteView(signed_part()));
    w.bytes(signature);
    return out;
}

std::optional<FlowOpen> FlowOpen::decode(ByteView body) {
    ByteReader r(body);
    FlowOpen m;
    m.price_so_far = r.u32();
    m.hops_left = r.u8();
    const std::uint8_t version = r.u8();
    const std::uint8_t flags = r.u8();
    m.payer_is_destination = (flags & 1) != 0;
    m.flow_class = (flags & 2) != 0 ? FlowClass::kBulk : FlowClass::kInteractive;
    m.destination = r.array<32>();
    m.nonce = r.array<16>();
    m.unit_bytes = r.u32();
    m.max_units = r.u32();
    m.max_price = r.u32();
    const auto source = Certificate::parse(r.bytes(Certificate::kBytes));
    const ByteView noise = r.bytes(r.u8());
    m.noise.assign(noise.begin(), noise.end());
    m.signature = r.array<64>();
    const bool unit_ok = m.unit_bytes >= 1024 && m.unit_bytes <= 65'536;
    const bool chain_ok = m.max_units >= 1 && m.max_units <= kMaxUnits;
    if (!r.complete() || !source || version != kOpenVersion || flags > 3 || m.hops_left > kMaxHops || !unit_ok ||
        !chain_ok) {
        return std::nullopt;
    }
    m.source = *source;
    return m;
}

Bytes FlowAccept::signed_part() const {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(flow);
    w.u32(total_price);
    w.bytes(chain_root);
    w.u8(static_cast<std::uint8_t>(std::min(noise.size(), kNoiseLimit)));
    w.bytes(ByteView(noise));
    return out;
}

Bytes FlowAccept::encode() const {
    Bytes out = begin(MessageType::kFlowAccept);
    ByteWriter w(out);
    w.u32(label);
    w.bytes(ByteView(signed_part()));
    w.bytes(signature);
    return out;
}

std::optional<FlowAccept> FlowAccept::decode(ByteView body) {
    ByteReader r(body);
    FlowAccept m;
    m.label = r.u32();
    m.flow = r.array<16>();
    m.total_price = r.u32();
    m.chain_root = r.array<16>();
    const ByteView noise = r.bytes(r.u8());
    m.noise.assign(noise.begin(), noise.end());
    m.signature = r.array<64>();
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes FlowReject::encode() const {
    Bytes out(2 + flow.size());
    out.front() = static_cast<std::uint8_t>(MessageType::kFlowReject);
    std::copy(flow.begin(), flow.end(), out.begin() + 1);
    out.back() = static_cast<std::uint8_t>(reason);
    return out;
}

std::optional<FlowReject> FlowReject::decode(ByteView body) {
    ByteReader r(body);
    FlowReject m;
    m.flow = r.array<16>();
    m.reason = static_cast<RejectReason>(r.u8());
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes FlowError::encode() const {
    Bytes out = begin(MessageType::kFlowError);
    ByteWriter(out).u32(label);
    return out;
}

std::optional<FlowError> FlowError::decode(ByteView body) {
    ByteReader r(body);
    const FlowError m{r.u32()};
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes PaywordReceipt::encode() const {
    Bytes out = begin(MessageType::kPayword);
    ByteWriter w(out);
    w.u32(label);
    w.u32(index);
    w.u32(sequence);
    w.bytes(payword);
    return out;
}

std::optional<PaywordReceipt> PaywordReceipt::decode(ByteView body) {
    ByteReader r(body);
    PaywordReceipt m;
    m.label = r.u32();
    m.index = r.u32();
    m.sequence = r.u32();
    m.payword = r.array<16>();
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes Statement::signed_part(const FlowId& flow, std::uint64_t bytes, std::uint32_t sequence) {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(flow);
    w.u64(bytes);
    w.u32(sequence);
    return out;
}

Bytes Statement::encode() const {
    Bytes out = begin(MessageType::kStatement);
    ByteWriter w(out);
    w.u32(label);
    w.u64(bytes);
    w.u32(sequence);
    w.bytes(signature);
    return out;
}

std::optional<Statement> Statement::decode(ByteView body) {
    ByteReader r(body);
    Statement m;
    m.label = r.u32();
    m.bytes = r.u64();
    m.sequence = r.u32();
    m.signature = r.array<64>();
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes ReceiptAck::encode() const {
    Bytes out = begin(MessageType::kReceiptAck);
    ByteWriter w(out);
    w.u32(label);
    w.u64(bytes);
    return out;
}

std::optional<ReceiptAck> ReceiptAck::decode(ByteView body) {
    ByteReader r(body);
    ReceiptAck m;
    m.label = r.u32();
    m.bytes = r.u64();
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes Probe::encode() const {
    Bytes out = begin(MessageType::kProbe);
    ByteWriter w(out);
    w.u32(label);
    w.u32(sequence);
    return out;
}

std::optional<Probe> Probe::decode(ByteView body) {
    ByteReader r(body);
    Probe m;
    m.label = r.u32();
    m.sequence = r.u32();
    return r.complete() ? std::optional(m) : std::nullopt;
}

Bytes BalanceMessage::signed_part(const NodeId& from, const NodeId& to) const {
    Bytes out;
    out.reserve(512);
    ByteWriter w(out);
    w.bytes(from);
    w.bytes(to);
    w.u32(generation);
    w.u64(sequence);
    w.i64(owed_nsat);
    w.i64(claimed_nsat);
    return out;
}

Bytes BalanceMessage::encode(MessageType type) const {
    Bytes out = begin(type);
    ByteWriter w(out);
    w.u32(generation);
    w.u64(sequence);
    w.i64(owed_nsat);
    w.i64(claimed_nsat);
    w.bytes(signature);
    return out;
}

std::optional<BalanceMessage> BalanceMessage::decode(ByteView body) {
    ByteReader r(body);
    BalanceMessage m;
    m.generation = r.u32();
    m.sequence = r.u64();
    m.owed_nsat = r.i64();
    m.claimed_nsat = r.i64();
    m.signature = r.array<64>();
    if (!r.complete() || m.owed_nsat < 0 || m.claimed_nsat < 0) {
        return std::nullopt;
    }
    return m;
}

}  // namespace meshnet::net
