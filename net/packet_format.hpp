// SPDX-License-Identifier: MIT
// What travels inside a sealed link frame: messages one after the other.
//
//     data     1LS hhhhh | [length 2 if L] | [label 4 | sequence 4 unless S] | ciphertext | tag 16
//     control  0L  tttttt | [length 2 if L] | body
//
// L: a length follows; only the last message of a frame goes without. S: same flow as the message before it and the
// next sequence. h: hops left. t: MessageType. So one packet alone costs 9 + 16 bytes, three more of its flow 3 + 16
// each. Spec: docs/spec/net.md, "Messages".
#pragma once

#include <optional>
#include <variant>

#include "net/certificate.hpp"
#include "net/crypto.hpp"
#include "net/payment/hash_chain.hpp"

namespace meshnet::net {

inline constexpr std::uint8_t kMaxHops = 31;
inline constexpr std::size_t kDataHeaderBytes = 9;
inline constexpr std::uint32_t kMaxUnits = 4'096;  ///< of a flow: the destination makes the chain at once, in 1.2 ms

enum class MessageType : std::uint8_t {
    kKeepalive = 1,
    kUpdate = 2,
    kRouteRequest = 3,
    kSeqnoRequest = 4,
    kFlowOpen = 5,
    kFlowAccept = 6,
    kFlowReject = 7,
    kFlowError = 8,
    kPayword = 9,
    kStatement = 10,
    kReceiptAck = 11,
    kProbe = 12,
    kBalance = 13,
    kBroadcastKey = 14,  ///< of what the sender sends to everybody (net/link_broadcast.hpp)
    kCertificate = 15,   ///< the first of a session, of who answered the handshake
    kRouteState = 20,
    kRouteSync = 21,
    kRouteContacts = 22,
    kBalanceEcho = 30,
    kPayment = 31,  ///< made outside the mesh (net/payment/payment.hpp)
    kPaymentReceipt = 32,
};

/// A packet of a flow on its way.
struct DataMessage {
    std::uint32_t label = 0;
    std::uint32_t sequence = 0;
    std::uint8_t hops_left = kMaxHops;
    ByteView sealed;  ///< ciphertext and end-to-end tag
};
struct ControlMessage {
    MessageType type{};
    ByteView body;
};
using Message = std::variant<DataMessage, ControlMessage>;

/// Reads the messages of one frame in order; the views stay within `in`. Stops for good at the first malformed one.
class MessageReader {
public:
    explicit MessageReader(ByteView in) noexcept : reader_(in) {}
    [[nodiscard]] std::optional<Message> next() noexcept;
    [[nodiscard]] bool malformed() const noexcept { return malformed_; }

private:
    ByteReader reader_;
    bool malformed_ = false;
    bool have_data_ = false;
    std::uint32_t label_ = 0, sequence_ = 0;
};

/// Collects messages into the plaintext of one frame of at most `limit` bytes.
class MessageBundle {
public:
    explicit MessageBundle(std::size_t limit) : limit_(limit) { bytes_.reserve(limit); }
    /// False, and nothing added, if it does not fit (or is longer than 65535 bytes beside others).
    bool add(const DataMessage& message);
    bool add_control(ByteView type_and_body);
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    /// Bytes a data message of `sealed` bytes needs at most beside what is there.
    [[nodiscard]] bool fits_data(std::size_t sealed) const noexcept;
    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }

private:
    void close_last();
    std::size_t limit_;
    Bytes bytes_;
    std::size_t last_at_ = 0;
    std::size_t count_ = 0;
    bool last_is_data_ = false;
    std::uint32_t label_ = 0, sequence_ = 0;
};

using FlowId = std::array<std::uint8_t, 16>;

/// What a packet of a flow is for; a flow per class, so that a ping never waits behind a download.
enum class FlowClass : std::uint8_t { kInteractive = 0, kBulk = 1 };

/// FLOW_OPEN: `price_so_far`, `hops_left` change from hop to hop, all else is signed by the source.
struct FlowOpen {
    std::uint32_t price_so_far = 0;  ///< msat per MiB, all relays up to and including the sender
    std::uint8_t hops_left = kMaxHops;
    bool payer_is_destination = false;
    FlowClass flow_class = FlowClass::kBulk;
    NodeId destination{};
    std::array<std::uint8_t, 16> nonce{};
    std::uint32_t unit_bytes = 0;  ///< 1024..65536
    std::uint32_t max_units = 0;   ///< 1..kMaxUnits: length of the hash chain
    std::uint32_t max_price = 0;   ///< msat per MiB: relays refuse to go above it
    Certificate source;            ///< parsed, not verified
    Bytes noise;                   ///< message 1 of the end-to-end handshake
    Signature signature{};

    [[nodiscard]] Bytes signed_part() const;
    [[nodiscard]] FlowId id() const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<FlowOpen> decode(ByteView body);
};

/// FLOW_ACCEPT: `label` changes from hop to hop, all else is signed by the destination.
struct FlowAccept {
    std::uint32_t label = 0;  ///< what the receiver of this message writes on packets of the flow
    FlowId flow{};
    std::uint32_t total_price = 0;  ///< msat per MiB, all relays
    Payword chain_root{};           ///< w_0, the root of the destination's hash chain
    Bytes noise;                    ///< message 2
    Signature signature{};

    [[nodiscard]] Bytes signed_part() const;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<FlowAccept> decode(ByteView body);
};

enum class RejectReason : std::uint8_t {
    kNoRoute = 1,
    kPrice = 2,
    kNotOffered = 3,
    kFull = 4,
    kRefused = 5,
    kCredit = 6,  ///< a neighbour on the way that would pay owes too much
};
struct FlowReject {
    FlowId flow{};
    RejectReason reason{};
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<FlowReject> decode(ByteView body);
};

struct FlowError {
    std::uint32_t label = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<FlowError> decode(ByteView body);
};

/// Proof that `index` units arrived: 29 bytes with its type.
struct PaywordReceipt {
    std::uint32_t label = 0;
    std::uint32_t index = 0;
    std::uint32_t sequence = 0;  ///< highest that arrived
    Payword payword{};
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<PaywordReceipt> decode(ByteView body);
};

/// The destination's signed count of the bytes that arrived, not rounded to units: 81 bytes with its type.
struct Statement {
    std::uint32_t label = 0;
    std::uint64_t bytes = 0;
    std::uint32_t sequence = 0;
    Signature signature{};
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<Statement> decode(ByteView body);
    [[nodiscard]] static Bytes signed_part(const FlowId& flow, std::uint64_t bytes, std::uint32_t sequence);
};

/// All receipts up to `bytes` are booked and on disk here.
struct ReceiptAck {
    std::uint32_t label = 0;
    std::uint64_t bytes = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<ReceiptAck> decode(ByteView body);
};

/// Requests a statement of what arrived; the sender forwarded up to `sequence`.
struct Probe {
    std::uint32_t label = 0;
    std::uint32_t sequence = 0;
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<Probe> decode(ByteView body);
};

/// One side's signed view of a bilateral balance: 93 bytes with its type. Totals only grow. As kBalanceEcho: the newest
/// that the sender holds of the receiver, for one that lost it.
struct BalanceMessage {
    std::uint32_t generation = 0;   ///< grows when its signer learns that it lost what it had signed
    std::uint64_t sequence = 0;     ///< within the generation; 0: none
    std::int64_t owed_nsat = 0;     ///< what the sender owes the receiver, all flows, ever
    std::int64_t claimed_nsat = 0;  ///< what the receiver owes the sender
    Signature signature{};
    [[nodiscard]] bool newer_than(const BalanceMessage& other) const noexcept {
        return generation != other.generation ? generation > other.generation : sequence > other.sequence;
    }
    [[nodiscard]] Bytes encode(MessageType type = MessageType::kBalance) const;
    [[nodiscard]] static std::optional<BalanceMessage> decode(ByteView body);
    [[nodiscard]] Bytes signed_part(const NodeId& from, const NodeId& to) const;
};

inline constexpr std::string_view kOpenContext = "meshnet flow open v2";
inline constexpr std::string_view kAcceptContext = "meshnet flow accept v2";
inline constexpr std::string_view kStatementContext = "meshnet statement v2";
inline constexpr std::string_view kBalanceContext = "meshnet balance v2";

}  // namespace meshnet::net
