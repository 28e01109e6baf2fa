// SPDX-License-Identifier: MIT
// Payments made outside the mesh, as this node and its neighbours agree on them. Nothing is booked before the payee's
// operator confirms it, and nothing is shown before it is on disk.
// Spec: docs/spec/payment.md, "Payments"; docs/decisions/0026-payments-are-confirmed-in-the-session.md.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "net/identity_secrets.hpp"
#include "net/link_table.hpp"
#include "net/outbox.hpp"
#include "net/payment/book.hpp"
#include "net/payment/payment.hpp"

namespace meshnet::net {

class Payments {
public:
    static constexpr std::size_t kClaimsOfNeighbor = 16;  ///< that wait for our operator; in memory only
    static constexpr std::size_t kClaims = 256;           ///< of all neighbours
    static constexpr std::size_t kMostRecords = 100'000;  ///< in the ledger
    static constexpr Duration kRepeat = 2s;  ///< of a claim that is not confirmed, doubled up to kLongestRepeat
    static constexpr Duration kLongestRepeat = 60s;

    struct Parts {
        const Identity::Secrets& self;
        LinkTable& links;
        Book& book;
        Outbox& outbox;
        RouterCounters& counters;
        std::function<void(Instant, const NodeId&)> balance_changed;
    };
    explicit Payments(Parts parts) : p_(std::move(parts)) {}

    struct Order {
        NodeId peer{};
        bool ours = false;  ///< we paid; false: we received
        std::int64_t msat = 0;
        std::string reference;
        std::uint64_t unix_s = 0;
    };
    struct Outcome {
        PaymentRecord record;
        bool known = false;  ///< it was on record like this before: nothing is written
    };
    /// `stored` runs when what the call changed is on disk; at once, with no time, if it changed nothing.
    using Stored = std::function<void()>;

    /// The operator paid, or received. Errors: amount or reference out of range, another amount under this reference,
    /// the totals would leave the range of money.
    [[nodiscard]] Result<Outcome> record(Instant now, const Order& order, Stored stored);
    /// A settlement of what we owe: the open one with this neighbour if there is one, else a new one. Its reference,
    /// "balance <generation>.<epoch>", is the idempotency key.
    [[nodiscard]] Result<Outcome> propose(Instant now, const NodeId& peer, std::int64_t msat, std::string adapter,
                                          std::uint64_t unix_s, Stored stored);
    /// What the adapter, or the operator, knows of a payment of ours: pending, failed or unknown. Paid is only what the
    /// payee confirms. Errors: no such payment, it is paid, another state.
    [[nodiscard]] Result<Outcome> note(Instant now, const PaymentId& id, PaymentState state, Stored stored);

    // Messages of neighbours, any bytes at all.
    void on_claim(Instant now, NeighborId from, ByteView body);
    void on_receipt(Instant now, NeighborId from, ByteView body);
    /// The session is up: claims that are not confirmed are sent.
    void on_session_up(Instant now, NeighborId link);
    /// A balance of this neighbour was accepted: the certificate that verifies it is kept with it.
    void witness(NeighborId link);
    void on_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> next_timeout() const;

    /// A row of table kPayment or kSigner of an earlier run; false if it cannot be read.
    [[nodiscard]] bool restore(const LedgerRow& row);
    void take_rows(std::vector<LedgerRow>& rows);

    using Records = std::map<PaymentId, PaymentRecord>;
    [[nodiscard]] const Records& records() const noexcept { return records_; }
    /// Claims of neighbours that our operator has neither confirmed nor expected, as records.
    [[nodiscard]] std::vector<PaymentRecord> claims() const;
    /// The settlement with this neighbour that is neither paid nor failed.
    [[nodiscard]] const PaymentRecord* open_settlement(const NodeId& peer) const;
    /// What we owe the neighbour, less what it owes us; negative: it owes us.
    [[nodiscard]] std::int64_t owed_nsat(const NodeId& peer) const;
    /// Everybody with whom there is a balance or a payment.
    [[nodiscard]] std::vector<NodeId> peers() const;
    [[nodiscard]] const NodeId& self() const noexcept { return p_.self.id; }
    /// By settlements that were recorded in the 24 hours before `unix_s` or, by a clock that was wrong, after it, and
    /// did not certainly fail.
    [[nodiscard]] std::int64_t paid_today_msat(const NodeId& peer, std::uint64_t unix_s) const;

private:
    struct Claim {
        PaymentMessage message;
        Certificate certificate;
        NodeId peer{};
    };
    [[nodiscard]] Result<Outcome> record_paid(Instant now, PaymentRecord fresh, Stored stored);
    [[nodiscard]] Result<Outcome> record_received(Instant now, PaymentRecord fresh, Stored stored);
    [[nodiscard]] Result<Outcome> store(Instant now, const PaymentRecord& record, Stored stored);
    void changed(const PaymentId& id);
    [[nodiscard]] Status fits(const PaymentRecord& record) const;
    void book(Instant now, const PaymentRecord& record);
    void confirm(Instant now, PaymentRecord record, const Claim& claim);
    void send_claim(Instant now, const PaymentId& id);
    void send_receipt(const PaymentRecord& record);
    [[nodiscard]] std::uint32_t generation(const NodeId& peer) const;

    Parts p_;
    Records records_;
    std::map<PaymentId, Claim> claims_;
    std::map<NodeId, Certificate> signers_;
    std::set<PaymentId> changed_;
    std::map<PaymentId, unsigned> unstored_;  // changes of a record that are not on disk
    std::vector<NodeId> changed_signers_;
    struct Repeat {
        Instant at{};
        Duration interval = kRepeat;
    };
    std::map<PaymentId, Repeat> repeats_;
};

}  // namespace meshnet::net
