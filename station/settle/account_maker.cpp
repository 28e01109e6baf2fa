// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/settle/account_maker.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "net/flow.hpp"
#include "net/identity_secrets.hpp"
#include "net/payment/book.hpp"
#include "station/ledger/ledger_reader.hpp"

namespace meshnet::station {

namespace {

using net::AccountParty;
using net::LedgerRow;

net::FlowEvidence evidence_of(const net::Flow& f, bool they_pay) {
    net::FlowEvidence e;
    e.flow = f.id;
    e.they_pay = they_pay;
    e.price = they_pay ? f.claim_price : f.pay_price;
    e.total_price = f.total_price;
    e.unit_bytes = f.unit_bytes;
    e.root = f.proof->root;
    e.noise = f.proof->noise;
    e.accept = f.proof->signature;
    e.destination = f.proof->destination;
    e.bytes = f.best.bytes;
    e.sequence = f.best.sequence;
    e.is_statement = f.best.is_statement;
    e.index = f.best.index;
    e.payword = f.best.payword;
    e.signature = f.best.signature;
    return e;
}

class Maker {
public:
    Maker(const std::string& file, const net::Identity::Secrets& self) : file_(file), self_(self) {}

    Result<net::AccountStatement> run(const LedgerReader::Account& account, std::uint64_t unix_s) {
        for (const LedgerRow& row : account.state.rows) {
            if (auto read = take(row); !read) {
                return read.error();
            }
        }
        if (auto added = add_sums(account); !added) {
            return added.error();
        }
        net::AccountStatement out;
        out.station = self_.certificate;
        out.unix_s = unix_s;
        out.entries = account.entries;
        for (auto& [id, party] : parties_) {
            party.id = id;
            if (const net::Book::Balance* b = book_.find(id)) {
                party.claimed_nsat = b->claimed_nsat;
                party.owed_nsat = b->owed_nsat;
                party.theirs = b->theirs;
                party.ours = b->last_signed();
                if (party.ours.sequence > 0) {
                    party.ours.signature =
                        self_.device.sign(net::kBalanceContext, party.ours.signed_part(self_.id, id));
                }
            }
            out.parties.push_back(std::move(party));
        }
        out.signature = self_.device.sign(net::kAccountContext, out.encode());
        return out;
    }

private:
    Status take(const LedgerRow& row) {
        switch (row.table) {
            case LedgerRow::Table::kBalance:
                if (!book_.restore(row)) {
                    return unreadable("balance");
                }
                parties_[row.peer];
                break;
            case LedgerRow::Table::kFlow:
                if (const auto f = net::flow_from_row(row)) {
                    add_flow(*f);
                    break;
                }
                return unreadable("flow");
            case LedgerRow::Table::kPayment:
                if (auto payment = net::PaymentRecord::from_row(row)) {
                    auto& party = parties_[payment->peer];
                    party.payments.push_back(std::move(*payment));
                    break;
                }
                return unreadable("payment");
            case LedgerRow::Table::kSigner:
                if (const auto certificate = net::Certificate::parse(row.value)) {
                    parties_[certificate->id()].signer = *certificate;
                    break;
                }
                return unreadable("certificate");
            default:
                break;
        }
        return Ok{};
    }

    void add_flow(const net::Flow& f) {
        if (!f.paid() || !f.proof || f.best.bytes == 0) {
            return;
        }
        if (f.claim_price > 0) {
            parties_[f.claims_from_id()].flows.push_back(evidence_of(f, true));
        }
        if (f.pay_price > 0) {
            parties_[f.pays_to_id()].flows.push_back(evidence_of(f, false));
        }
    }

    Status add_sums(const LedgerReader::Account& account) {
        for (const auto& [peer, kinds] : account.sums_nsat) {
            for (const auto& [kind, sum] : kinds) {
                const auto at = std::find(net::kEntryKinds.begin(), net::kEntryKinds.end(), kind);
                if (at == net::kEntryKinds.end()) {
                    return Error{ErrorCode::kUnsupported, "ledger " + file_ + " holds entries of kind \"" + kind +
                                                              "\", which this program does not know"};
                }
                parties_[peer].sums[static_cast<std::size_t>(at - net::kEntryKinds.begin())] = sum;
            }
        }
        return Ok{};
    }

    [[nodiscard]] Error unreadable(const char* what) const {
        return {ErrorCode::kInvalidData, "ledger " + file_ + " holds a " + what + " row that cannot be read"};
    }

    const std::string& file_;
    const net::Identity::Secrets& self_;
    net::Book book_{0};
    std::map<net::NodeId, AccountParty> parties_;
};

}  // namespace

Result<net::AccountStatement> make_account(const std::string& ledger_file, const net::Identity& identity,
                                           std::uint64_t unix_s) {
    auto reader = LedgerReader::open(ledger_file);
    if (!reader) {
        return reader.error();
    }
    const auto account = reader->account();
    if (!account) {
        return account.error();
    }
    if (account->owner && *account->owner != identity.id()) {
        return Error{ErrorCode::kPermission, "ledger " + ledger_file + " is of station " +
                                                 net::to_string(net::address_of(*account->owner)) + ", the key is of " +
                                                 net::to_string(identity.address())};
    }
    return Maker(ledger_file, identity.secrets()).run(*account, unix_s);
}

}  // namespace meshnet::station
