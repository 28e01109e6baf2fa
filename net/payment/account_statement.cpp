// SPDX-License-Identifier: MIT
#include "net/payment/account_statement.hpp"

#include <algorithm>
#include <utility>

#include "net/payment/hash_chain.hpp"

namespace meshnet::net {

namespace {

constexpr std::size_t kMostParties = 100'000;
constexpr std::size_t kMostFlows = 100'000;

void write_certificate(Bytes& out, const std::optional<Certificate>& certificate) {
    out.push_back(certificate ? 1 : 0);
    if (certificate) {
        certificate->encode(out);
    }
}

std::optional<Certificate> read_certificate(ByteReader& r, bool& fine) {
    const std::uint8_t there = r.u8();
    fine = fine && there <= 1;
    if (there != 1) {
        return std::nullopt;
    }
    const auto out = Certificate::parse(r.bytes(Certificate::kBytes));
    fine = fine && out.has_value();
    return out;
}

void write_balance(ByteWriter& w, const BalanceMessage& m) {
    w.u32(m.generation);
    w.u64(m.sequence);
    w.i64(m.owed_nsat);
    w.i64(m.claimed_nsat);
    w.bytes(m.signature);
}

BalanceMessage read_balance(ByteReader& r, bool& fine) {
    BalanceMessage m;
    m.generation = r.u32();
    m.sequence = r.u64();
    m.owed_nsat = r.i64();
    m.claimed_nsat = r.i64();
    m.signature = r.array<64>();
    fine = fine && m.owed_nsat >= 0 && m.claimed_nsat >= 0;
    return m;
}

void write_flow(Bytes& out, const FlowEvidence& f) {
    ByteWriter w(out);
    w.bytes(f.flow);
    w.u8(f.they_pay ? 1 : 0);
    w.u32(f.price);
    w.u32(f.total_price);
    w.u32(f.unit_bytes);
    w.bytes(f.root);
    w.u8(static_cast<std::uint8_t>(f.noise.size()));
    w.bytes(ByteView(f.noise));
    w.bytes(f.accept);
    f.destination.encode(out);
    w.u64(f.bytes);
    w.u32(f.sequence);
    w.u8(f.is_statement ? 1 : 0);
    w.u32(f.index);
    w.bytes(f.payword);
    w.bytes(f.signature);
}

FlowEvidence read_flow(ByteReader& r, bool& fine) {
    FlowEvidence f;
    f.flow = r.array<16>();
    const std::uint8_t they_pay = r.u8();
    f.they_pay = they_pay == 1;
    f.price = r.u32();
    f.total_price = r.u32();
    f.unit_bytes = r.u32();
    f.root = r.array<16>();
    const ByteView noise = r.bytes(r.u8());
    f.noise.assign(noise.begin(), noise.end());
    f.accept = r.array<64>();
    const auto destination = Certificate::parse(r.bytes(Certificate::kBytes));
    f.destination = destination.value_or(Certificate{});
    f.bytes = r.u64();
    f.sequence = r.u32();
    const std::uint8_t is_statement = r.u8();
    f.is_statement = is_statement == 1;
    f.index = r.u32();
    f.payword = r.array<16>();
    f.signature = r.array<64>();
    fine = fine && destination && they_pay <= 1 && is_statement <= 1 && f.index <= kMaxUnits;
    return f;
}

AccountParty read_party(ByteReader& r, bool& fine) {
    AccountParty p;
    p.id = r.array<32>();
    p.claimed_nsat = r.i64();
    p.owed_nsat = r.i64();
    p.ours = read_balance(r, fine);
    p.theirs = read_balance(r, fine);
    p.signer = read_certificate(r, fine);
    for (std::int64_t& sum : p.sums) {
        sum = r.i64();
    }
    const std::uint32_t flows = r.u32();
    for (std::uint32_t i = 0; i < flows && fine && !r.failed() && i < kMostFlows; ++i) {
        p.flows.push_back(read_flow(r, fine));
    }
    const std::uint32_t payments = r.u32();
    for (std::uint32_t i = 0; i < payments && fine && !r.failed(); ++i) {
        auto payment = PaymentRecord::decode(r);
        fine = payment && payment->peer == p.id;
        if (fine) {
            p.payments.push_back(std::move(*payment));
        }
    }
    fine = fine && p.claimed_nsat >= 0 && p.owed_nsat >= 0 && flows <= kMostFlows;
    return p;
}

// ---- checks ----

std::string short_name(const NodeId& id) {
    return to_string(address_of(id));
}

class Checker {
public:
    explicit Checker(const AccountStatement& s) : s_(s), self_(s.station.id()) {}

    std::vector<AccountFinding> run() {
        say(genuine(s_.station) && verify(s_.station.signing, kAccountContext, s_.encode(), s_.signature),
            "statement of " + short_name(self_) + ": signature of the station");
        for (const AccountParty& p : s_.parties) {
            party(p);
        }
        return std::move(out_);
    }

private:
    using Verdict = AccountFinding::Verdict;
    void say(bool holds, std::string line) {
        out_.push_back({holds ? Verdict::kHolds : Verdict::kFails, std::move(line)});
    }
    void unproven(std::string line) { out_.push_back({Verdict::kUnproven, std::move(line)}); }

    static bool genuine(const Certificate& certificate) {
        Bytes encoded;
        certificate.encode(encoded);
        return Certificate::decode(encoded).has_value() && !certificate.revokes();
    }

    void party(const AccountParty& p) {
        const std::string name = "neighbour " + short_name(p.id) + ": ";
        std::int64_t sum = 0;
        bool in_range = true;
        for (const std::int64_t part : p.sums) {
            in_range = in_range && !__builtin_add_overflow(sum, part, &sum);
        }
        say(in_range && sum == p.claimed_nsat - p.owed_nsat,
            name + "entries add up to the balance of " + std::to_string(p.claimed_nsat - p.owed_nsat) + " nsat");
        if (p.ours.sequence > 0) {
            say(verify(s_.station.signing, kBalanceContext, p.ours.signed_part(self_, p.id), p.ours.signature),
                name + "signed by the station: it owes " + std::to_string(p.ours.owed_nsat) + " nsat in all");
        }
        theirs(p, name);
        for (const FlowEvidence& f : p.flows) {
            flow(f, name);
        }
        payments(p, name);
    }

    void theirs(const AccountParty& p, const std::string& name) {
        if (p.theirs.sequence == 0) {
            if (p.claimed_nsat > 0) {
                unproven(name + "it has signed for nothing of " + std::to_string(p.claimed_nsat) + " nsat claimed");
            }
            return;
        }
        const bool signed_by_it =
            p.signer && p.signer->id() == p.id && genuine(*p.signer) &&
            verify(p.signer->signing, kBalanceContext, p.theirs.signed_part(p.id, self_), p.theirs.signature);
        say(signed_by_it, name + "signed by it: it owes " + std::to_string(p.theirs.owed_nsat) + " nsat in all");
        if (signed_by_it && p.claimed_nsat > p.theirs.owed_nsat) {
            unproven(name + std::to_string(p.claimed_nsat - p.theirs.owed_nsat) + " nsat are claimed beyond that");
        }
    }

    void flow(const FlowEvidence& f, const std::string& name) {
        FlowAccept accept;
        accept.flow = f.flow;
        accept.total_price = f.total_price;
        accept.chain_root = f.root;
        accept.noise = f.noise;
        bool holds =
            genuine(f.destination) && verify(f.destination.signing, kAcceptContext, accept.signed_part(), f.accept);
        if (f.is_statement) {
            holds = holds && verify(f.destination.signing, kStatementContext,
                                    Statement::signed_part(f.flow, f.bytes, f.sequence), f.signature);
        } else {
            holds = holds && f.bytes == std::uint64_t{f.index} * f.unit_bytes && f.index <= kMaxUnits &&
                    payword_follows(f.flow, 0, f.root, f.index, f.payword);
        }
        say(holds, name + "flow " + to_hex(ByteView(f.flow).first(4)) + ": " + std::to_string(f.bytes) +
                       " bytes confirmed by " + short_name(f.destination.id()) +
                       (f.is_statement ? " (statement)" : " (payword " + std::to_string(f.index) + ")"));
    }

    void payments(const AccountParty& p, const std::string& name) {
        std::int64_t paid = 0, received = 0;  // at most 2^32 payments of 10^18 nsat: checked
        bool in_range = true;
        for (const PaymentRecord& r : p.payments) {
            if (r.state != PaymentState::kPaid) {
                continue;
            }
            std::int64_t& sum = r.ours ? paid : received;
            in_range = in_range && !__builtin_add_overflow(sum, r.msat, &sum);
            say(r.verify_peer(self_), name + (r.ours ? "confirmed" : "claimed") + " by it: payment of " +
                                          std::to_string(r.msat) + " msat, reference \"" + r.reference + "\"");
        }
        constexpr std::size_t kPaid = 4, kReceived = 5;
        static_assert(kEntryKinds[kPaid] == "payment" && kEntryKinds[kReceived] == "received");
        const auto within = [](std::int64_t msat, std::int64_t booked) {
            std::int64_t nsat = 0;
            return !__builtin_mul_overflow(msat, std::int64_t{1'000'000}, &nsat) && booked <= nsat;
        };
        if (p.sums[kPaid] != 0 || p.sums[kReceived] != 0) {
            say(in_range && p.sums[kPaid] >= 0 && p.sums[kReceived] <= 0 && within(paid, p.sums[kPaid]) &&
                    within(received, p.sums[kReceived] == INT64_MIN ? INT64_MAX : -p.sums[kReceived]),
                name + "every payment that is booked is in the statement");
        }
    }

    const AccountStatement& s_;
    NodeId self_;
    std::vector<AccountFinding> out_;
};

}  // namespace

Bytes AccountStatement::encode() const {
    Bytes out;
    ByteWriter w(out);
    w.u8(kAccountVersion);
    station.encode(out);
    w.u64(unix_s);
    w.u64(entries);
    w.u32(static_cast<std::uint32_t>(parties.size()));
    for (const AccountParty& p : parties) {
        w.bytes(p.id);
        w.i64(p.claimed_nsat);
        w.i64(p.owed_nsat);
        write_balance(w, p.ours);
        write_balance(w, p.theirs);
        write_certificate(out, p.signer);
        for (const std::int64_t sum : p.sums) {
            w.i64(sum);
        }
        w.u32(static_cast<std::uint32_t>(p.flows.size()));
        for (const FlowEvidence& f : p.flows) {
            write_flow(out, f);
        }
        w.u32(static_cast<std::uint32_t>(p.payments.size()));
        for (const PaymentRecord& payment : p.payments) {
            payment.encode(out);
        }
    }
    return out;
}

Result<AccountStatement> AccountStatement::decode(ByteView in) {
    ByteReader r(in);
    AccountStatement s;
    const std::uint8_t version = r.u8();
    if (!r.failed() && version != kAccountVersion) {
        return Error{ErrorCode::kUnsupported, "it has version " + std::to_string(version) +
                                                  ", this program reads version " + std::to_string(kAccountVersion)};
    }
    const auto station = Certificate::parse(r.bytes(Certificate::kBytes));
    s.station = station.value_or(Certificate{});
    s.unix_s = r.u64();
    s.entries = r.u64();
    const std::uint32_t parties = r.u32();
    bool fine = station && parties <= kMostParties;
    for (std::uint32_t i = 0; i < parties && fine && !r.failed(); ++i) {
        s.parties.push_back(read_party(r, fine));
    }
    s.signature = r.array<64>();
    if (r.failed()) {
        return Error{ErrorCode::kInvalidData, "it is truncated"};
    }
    if (!fine || !r.complete()) {
        return Error{ErrorCode::kInvalidData, "it is damaged"};
    }
    return s;
}

namespace {

const AccountParty* party_of(const AccountStatement& s, const NodeId& id) {
    const auto at = std::find_if(s.parties.begin(), s.parties.end(), [&](const AccountParty& p) { return p.id == id; });
    return at == s.parties.end() ? nullptr : &*at;
}

}  // namespace

std::vector<AccountFinding> check_account(const AccountStatement& statement) {
    return Checker(statement).run();
}

std::vector<AccountFinding> compare_accounts(const AccountStatement& a, const AccountStatement& b) {
    using Verdict = AccountFinding::Verdict;
    const NodeId id_a = a.station.id(), id_b = b.station.id();
    const AccountParty* of_a = party_of(a, id_b);  // what a says of b
    const AccountParty* of_b = party_of(b, id_a);
    if (id_a == id_b || of_a == nullptr || of_b == nullptr) {
        return {{Verdict::kFails, "the two statements are not of two neighbours about one another"}};
    }
    const auto newest = [](const BalanceMessage& own, const BalanceMessage& held) {
        return held.newer_than(own) ? held : own;
    };
    const BalanceMessage by_a = newest(of_a->ours, of_b->theirs);
    const BalanceMessage by_b = newest(of_b->ours, of_a->theirs);
    std::vector<AccountFinding> out;
    for (const auto& [id, m] : {std::pair{id_a, by_a}, std::pair{id_b, by_b}}) {
        out.push_back({Verdict::kHolds, "newest signature of " + short_name(id) + ": it owes " +
                                            std::to_string(m.owed_nsat) + " nsat in all (number " +
                                            std::to_string(m.generation) + "." + std::to_string(m.sequence) + ")"});
    }
    const std::int64_t net = by_a.owed_nsat - by_b.owed_nsat;  // both are positive
    out.push_back({Verdict::kHolds, net == 0 ? std::string("by these nobody owes the other anything")
                                             : "by these " + short_name(net > 0 ? id_a : id_b) + " owes " +
                                                   short_name(net > 0 ? id_b : id_a) + " " +
                                                   std::to_string(net > 0 ? net : -net) + " nsat"});
    return out;
}

}  // namespace meshnet::net
