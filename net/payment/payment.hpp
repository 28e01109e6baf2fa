// SPDX-License-Identifier: MIT
// A payment that was made outside the mesh: what payer and payee sign about it, and how a ledger keeps it.
//
//     payer's ledger: pending ---- payment (31), signed by the payer ----> payee's operator confirms: booked, stored
//     payer's ledger: paid    <--- payment receipt (32), signed by the payee ----
//
// A reference names one payment between a payer and a payee, so that what is recorded twice is booked once.
// Spec: docs/spec/payment.md, "Payments".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "net/certificate.hpp"
#include "net/node_id.hpp"
#include "net/payment/ledger.hpp"

namespace meshnet::net {

using PaymentId = std::array<std::uint8_t, 16>;

inline constexpr std::int64_t kMostPaymentMsat = 1'000'000'000'000;  ///< 10 bitcoin
inline constexpr std::size_t kMostReferenceBytes = 80;
inline constexpr std::string_view kPaymentContext = "meshnet payment v1";
inline constexpr std::string_view kPaymentReceiptContext = "meshnet payment receipt v1";

/// 1 to 80 printable ASCII characters, no space at either end.
[[nodiscard]] bool valid_reference(std::string_view reference) noexcept;

/// What is signed of a payment.
struct PaymentTerms {
    NodeId payer{}, payee{};
    std::uint32_t generation = 0;  ///< of the payer's signed balances when it claimed the payment
    std::int64_t msat = 0;         ///< 1..kMostPaymentMsat
    std::string reference;

    /// The same for every amount: BLAKE2b-128 of payer, payee and reference.
    [[nodiscard]] PaymentId id() const noexcept;
    [[nodiscard]] Bytes signed_part() const;
};

/// Message 31: the sender says that it paid the receiver.
struct PaymentMessage {
    std::uint32_t generation = 0;
    std::int64_t msat = 0;
    std::string reference;
    Signature signature{};  ///< of the payer over PaymentTerms::signed_part()
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<PaymentMessage> decode(ByteView body);
};

/// Message 32: the payee's answer.
struct PaymentReceipt {
    enum class Verdict : std::uint8_t {
        kReceived = 1,     ///< booked and stored by the payee
        kOtherAmount = 2,  ///< the payee recorded `msat` under this reference: nothing is booked
    };
    PaymentId id{};
    Verdict verdict{};
    std::uint32_t generation = 0;  ///< of the claim that was confirmed
    std::int64_t msat = 0;
    Signature signature{};  ///< of the payee over PaymentTerms::signed_part(); zero with kOtherAmount
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] static std::optional<PaymentReceipt> decode(ByteView body);
};

enum class PaymentState : std::uint8_t {
    kProposed = 1,  ///< ours: on disk, and the adapter may not know of it yet
    kPending = 2,   ///< ours: under way, or done and not confirmed by the payee
    kPaid = 3,      ///< confirmed by the payee, in the balance
    kFailed = 4,    ///< ours: it is certain that nothing was paid
    kUnknown = 5,   ///< ours: the adapter cannot tell; never paid again without a person
    kExpected = 6,  ///< theirs: our operator received it, the payer's claim has not come yet
};
[[nodiscard]] const char* to_string(PaymentState state) noexcept;
[[nodiscard]] std::optional<PaymentState> payment_state(std::string_view name) noexcept;

/// A payment as one side's ledger has it.
struct PaymentRecord {
    bool ours = false;  ///< we pay
    NodeId peer{};
    std::uint32_t generation = 0;  ///< PaymentTerms::generation
    std::int64_t msat = 0;
    std::string reference;
    PaymentState state{};
    std::string adapter;           ///< 1..16 small letters: "record" (a person), "statement", ...
    std::uint32_t epoch = 0;       ///< settlements with this neighbour are numbered from 1; 0: not one
    std::uint64_t unix_s = 0;      ///< wall clock when it was recorded: for displays and the budget of a day
    Certificate certificate;       ///< of the peer, when it signed; zero: it has not signed
    Signature signature{};         ///< of the peer: the payer's claim, or the payee's receipt
    std::int64_t theirs_msat = 0;  ///< another amount that the payee has under this reference; not stored

    [[nodiscard]] PaymentTerms terms(const NodeId& self) const;
    [[nodiscard]] PaymentId id(const NodeId& self) const noexcept { return terms(self).id(); }
    [[nodiscard]] bool is_signed() const noexcept { return certificate.master != Key32{}; }
    /// The peer's signature and certificate hold.
    [[nodiscard]] bool verify_peer(const NodeId& self) const;
    [[nodiscard]] bool open() const noexcept {
        return ours && state != PaymentState::kPaid && state != PaymentState::kFailed;
    }

    /// As a row of table kPayment of `self`'s ledger, and back; nothing if it is not one.
    [[nodiscard]] LedgerRow row(const NodeId& self) const;
    [[nodiscard]] static std::optional<PaymentRecord> from_row(const LedgerRow& row);
    void encode(Bytes& out) const;
    [[nodiscard]] static std::optional<PaymentRecord> decode(ByteReader& r);
};

}  // namespace meshnet::net
