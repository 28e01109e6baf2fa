// SPDX-License-Identifier: MIT
// What one station says of its balances, with the evidence for them, signed. Anybody can check it with this file alone:
// certificates are in it, and no key or daemon is needed.
//
// A dispute is arithmetic: of two statements the newer signed balance and the higher valid payword count.
// Spec: docs/spec/payment.md, "Statements".
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "net/packet_format.hpp"
#include "net/payment/payment.hpp"

namespace meshnet::net {

inline constexpr std::string_view kAccountContext = "meshnet account statement v1";
inline constexpr std::uint8_t kAccountVersion = 1;

/// Kinds of entries that add up to a balance, in the order of AccountParty::sums.
inline constexpr std::array<std::string_view, 6> kEntryKinds{"relay", "pay", "own", "restored", "payment", "received"};

/// The newest proof of what a flow delivered.
struct FlowEvidence {
    FlowId flow{};
    bool they_pay = false;    ///< the neighbour owes us for it; false: we owe
    std::uint32_t price = 0;  ///< msat per MiB on the link to the neighbour
    std::uint32_t total_price = 0;
    std::uint32_t unit_bytes = 0;
    Payword root{};
    Bytes noise;
    Signature accept{};  ///< of the destination over FlowAccept::signed_part()
    Certificate destination;
    std::uint64_t bytes = 0;
    std::uint32_t sequence = 0;
    bool is_statement = false;
    std::uint32_t index = 0;  ///< of `payword`
    Payword payword{};
    Signature signature{};  ///< of the destination, with is_statement
};

/// One neighbour.
struct AccountParty {
    NodeId id{};
    std::int64_t claimed_nsat = 0, owed_nsat = 0;         ///< by the books of the station
    BalanceMessage ours;                                  ///< the newest that the station signed; sequence 0: none
    BalanceMessage theirs;                                ///< the newest that the neighbour signed; sequence 0: none
    std::optional<Certificate> signer;                    ///< of the device that signed `theirs`
    std::array<std::int64_t, kEntryKinds.size()> sums{};  ///< of all entries, nsat, by kind
    std::vector<FlowEvidence> flows;
    std::vector<PaymentRecord> payments;
};

struct AccountStatement {
    Certificate station;
    std::uint64_t unix_s = 0;   ///< wall clock of the station when it was made
    std::uint64_t entries = 0;  ///< of the ledger
    std::vector<AccountParty> parties;
    Signature signature{};  ///< of `station`'s device over encode() without the signature

    /// The canonical form, without the signature.
    [[nodiscard]] Bytes encode() const;
    /// Reads encode() and the 64 bytes of the signature behind it; nothing if a byte is wrong, missing or too many.
    [[nodiscard]] static Result<AccountStatement> decode(ByteView in);
};

/// One thing that was checked.
struct AccountFinding {
    enum class Verdict : std::uint8_t {
        kHolds,
        kUnproven,  ///< the station says it, and nobody else has signed it
        kFails,     ///< it contradicts itself, or a signature or payword is not genuine
    };
    Verdict verdict{};
    std::string line;  ///< one line for a person
};

/// Checks signatures, paywords and sums. The statement is as its station made it if the first finding holds.
[[nodiscard]] std::vector<AccountFinding> check_account(const AccountStatement& statement);

/// Two statements of neighbours about one another, both checked before: the newest signed balances in either, and what
/// is owed by them. kFails: they are not of two neighbours.
[[nodiscard]] std::vector<AccountFinding> compare_accounts(const AccountStatement& a, const AccountStatement& b);

}  // namespace meshnet::net
