// SPDX-License-Identifier: GPL-3.0-or-later
// meshnet-cli ledger statement, verify, record, settle: what a balance is worth outside the mesh. `ledger` alone is a
// view (views.cpp).
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include <sodium.h>
#include <nlohmann/json.hpp>

#include "apps/cli/command.hpp"
#include "apps/control/control_client.hpp"
#include "host/file.hpp"
#include "station/config.hpp"
#include "station/key_file.hpp"
#include "station/settle/account_maker.hpp"
#include "station/settle/account_text.hpp"
#include "station/settle/settler.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;
using Verdict = net::AccountFinding::Verdict;

// ---- statement ----

struct StatementOptions {
    std::string config, key, ledger, out;
    bool csv = false;
};

Result<net::Identity> identity_of(const std::string& file) {
    auto text = station::read_secret_file(file, "key file");
    if (!text) {
        return text.error();
    }
    auto identity = net::Identity::from_text(*text);
    sodium_memzero(text->data(), text->size());
    if (!identity) {
        return Error{identity.error().code, "key file " + file + " is not usable: " + identity.error().message};
    }
    return identity;
}

int make_statement(const StatementOptions& o) {
    std::string key = o.key, ledger = o.ledger;
    if (!o.config.empty()) {
        const auto config = station::load_config(o.config);
        if (!config) {
            return complain(config.error());
        }
        key = key.empty() ? config->key_file : key;
        ledger = ledger.empty() ? config->ledger_file : ledger;
    }
    if (key.empty() || ledger.empty()) {
        return complain("name the station's --config, or its --key and --ledger", 2);
    }
    const auto identity = identity_of(key);
    if (!identity) {
        return complain(identity.error());
    }
    const auto statement = station::make_account(ledger, *identity, static_cast<std::uint64_t>(std::time(nullptr)));
    if (!statement) {
        return complain(statement.error());
    }
    const std::string text = o.csv ? station::account_csv(*statement) : station::account_json(*statement);
    if (o.out.empty()) {
        std::fputs(text.c_str(), stdout);
        return 0;
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
    const auto written = host::replace_file(o.out, ByteView(bytes, text.size()));
    return written ? 0 : complain(written.error().message, 1);
}

// ---- verify ----

struct VerifyOptions {
    std::vector<std::string> files;
};

Result<net::AccountStatement> read_statement(const std::string& file) {
    const auto text = host::read_file(file, station::kMostAccountBytes);
    if (!text) {
        return text.error();
    }
    auto statement = station::account_from_text(*text);
    if (!statement) {
        return Error{ErrorCode::kInvalidData, file + ": " + statement.error().message};
    }
    return statement;
}

/// True if nothing of it fails.
bool print(const std::vector<net::AccountFinding>& findings) {
    bool all = true;
    for (const net::AccountFinding& f : findings) {
        const char* verdict = f.verdict == Verdict::kHolds      ? "holds"
                              : f.verdict == Verdict::kUnproven ? "unproven"
                                                                : "DOES NOT HOLD";
        std::printf("%-13s  %s\n", verdict, f.line.c_str());
        all = all && f.verdict != Verdict::kFails;
    }
    return all;
}

int verify(const VerifyOptions& o) {
    std::vector<net::AccountStatement> statements;
    bool all = true;
    for (const std::string& file : o.files) {
        auto statement = read_statement(file);
        if (!statement) {
            return complain(statement.error().message, 1);
        }
        all = print(net::check_account(*statement)) && all;
        statements.push_back(std::move(*statement));
    }
    if (statements.size() == 2) {
        all = print(net::compare_accounts(statements[0], statements[1])) && all;
    }
    return all ? 0 : complain("not everything in the statement holds", 1);
}

// ---- record, settle ----

struct PaymentOptions {
    ControlTarget target;
    std::string peer, reference;
    std::int64_t paid = 0, received = 0, msat = 0;
    bool cancel = false, json = false;
};

Result<Json> ask(ControlClient& client, const Json& order) {
    return client.ask(Json{{"cmd", "payment"}, {"order", order}}.dump(-1, ' ', true, Json::error_handler_t::replace));
}

int record(const PaymentOptions& o) {
    if ((o.paid > 0 ? 1 : 0) + (o.received > 0 ? 1 : 0) + (o.cancel ? 1 : 0) != 1) {
        return complain("name one of --paid MSAT, --received MSAT and --cancel", 2);
    }
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    Json order{{"do", o.cancel ? "cancel" : "record"}, {"peer", o.peer}, {"reference", o.reference}};
    if (!o.cancel) {
        order["paid"] = o.paid > 0;
        order["msat"] = o.paid > 0 ? o.paid : o.received;
    }
    const auto answer = ask(*client, order);
    if (!answer) {
        return complain(answer.error().message, 1);
    }
    if (o.json) {
        std::puts(answer->dump(2).c_str());
        return 0;
    }
    const std::string state = answer->value("state", "");
    const char* meaning = state == "pending"    ? "the balance moves when the neighbour confirms that it received it"
                          : state == "expected" ? "the balance moves when the neighbour says that it paid"
                          : state == "paid"     ? "it is in the balance"
                          : state == "failed"   ? "it was not paid"
                                                : "it is not known what became of it";
    std::printf("%s%s: %s\n", answer->value("known", false) ? "on record already, " : "", state.c_str(), meaning);
    return 0;
}

/// The ledger of a running daemon.
class DaemonLedger final : public station::SettlementLedger {
public:
    explicit DaemonLedger(ControlClient& client) : client_(client) {}

    Result<Reserved> reserve(const net::NodeId& peer, std::int64_t msat) override {
        const auto answer = ask(client_, Json{{"do", "settle"}, {"peer", net::to_string(peer)}, {"msat", msat}});
        if (!answer) {
            return answer.error();
        }
        Reserved out;
        const auto id = from_hex(answer->value("id", ""));
        const auto state = net::payment_state(answer->value("state", ""));
        if (!id || id->size() != out.proposal.id.size() || !state) {
            return Error{ErrorCode::kInvalidData, "the daemon's answer is not of this version"};
        }
        std::copy(id->begin(), id->end(), out.proposal.id.begin());
        out.proposal.peer = peer;
        out.proposal.msat = answer->value("msat", std::int64_t{0});
        out.proposal.memo = answer->value("reference", "");
        out.state = *state;
        out.fresh = !answer->value("known", true);
        return out;
    }
    Result<net::PaymentState> note(const net::PaymentId& id, net::PaymentState state) override {
        const auto answer = ask(client_, Json{{"do", "note"}, {"id", to_hex(id)}, {"state", net::to_string(state)}});
        if (!answer) {
            return answer.error();
        }
        const auto stands = net::payment_state(answer->value("state", ""));
        return stands ? Result<net::PaymentState>(*stands)
                      : Error{ErrorCode::kInvalidData, "the daemon's answer is not of this version"};
    }

private:
    ControlClient& client_;
};

struct Policy {
    net::NodeId peer{};
    std::string adapter, own_address;
};

/// The neighbour that a person named, and how it is paid: as the daemon has them.
Result<Policy> policy_of(ControlClient& client, const std::string& peer) {
    const auto status = client.ask(R"({"cmd":"status"})");
    if (!status) {
        return status.error();
    }
    for (const Json& row : status->value("settlement", Json::array())) {
        const auto id = net::node_id_from_string(row.value("peer", ""));
        if (id && (row.value("address", "") == peer || row.value("peer", "") == peer)) {
            return Policy{*id, row.value("adapter", ""), status->value("address", "")};
        }
    }
    return Error{ErrorCode::kNotFound, "there is no balance with \"" + peer + "\""};
}

int settle(const PaymentOptions& o) {
    auto client = ControlClient::connect(o.target);
    if (!client) {
        return complain(client.error().message, 1);
    }
    const auto policy = policy_of(*client, o.peer);
    if (!policy) {
        return complain(policy.error().message, 1);
    }
    if (policy->adapter != "statement") {
        return complain("this program has no adapter \"" + policy->adapter + "\"", 1);
    }
    DaemonLedger ledger(*client);
    station::StatementPort port;
    const auto result = station::settle(ledger, port, policy->peer, o.msat);
    if (!result) {
        return complain(result.error().message, 1);
    }
    const auto& p = result->proposal;
    if (o.json) {
        std::puts(Json{{"id", to_hex(p.id)},
                       {"peer", net::to_string(p.peer)},
                       {"msat", p.msat},
                       {"reference", p.memo},
                       {"state", net::to_string(result->state)},
                       {"fresh", result->fresh},
                       {"why", result->why}}
                      .dump(2)
                      .c_str());
        return 0;
    }
    std::printf(
        "%s: pay %lld msat with the reference \"%s\"; the neighbour confirms it with\n"
        "    meshnet ledger record %s --received %lld --reference \"%s\"\n",
        net::to_string(result->state), static_cast<long long>(p.msat), p.memo.c_str(), policy->own_address.c_str(),
        static_cast<long long>(p.msat), p.memo.c_str());
    return 0;
}

}  // namespace

void add_ledger(CLI::App& app, int& exit_code) {
    CLI::App& ledger = *app.get_subcommand("ledger");
    CLI::App* command = nullptr;
    auto& s = add_command<StatementOptions>(ledger, exit_code, "statement",
                                            "Write the balances and their evidence, signed by the station", command,
                                            make_statement);
    command->add_option("--config", s.config, "Configuration of the station, for its key and ledger");
    command->add_option("--key", s.key, "Key file of the station");
    command->add_option("--ledger", s.ledger, "Ledger of the station; a daemon may be writing it");
    command->add_option("--out", s.out, "File to write (default: standard output)");
    command->add_flag("--csv", s.csv, "CSV instead of JSON");

    auto& v = add_command<VerifyOptions>(ledger, exit_code, "verify",
                                         "Check a statement; of two neighbours', say who owes whom", command, verify);
    command->add_option("file", v.files, "Statement, JSON or CSV; one or two")->required()->expected(1, 2);

    auto& r = add_command<PaymentOptions>(ledger, exit_code, "record",
                                          "Record a payment that was made outside the mesh", command, record);
    add_target(*command, r.target);
    command->add_option("peer", r.peer, "Node id or address of the neighbour")->required();
    const auto amount = CLI::Range(std::int64_t{1}, net::kMostPaymentMsat);
    command->add_option("--paid", r.paid, "We paid it so many millisatoshi")->check(amount);
    command->add_option("--received", r.received, "We received so many millisatoshi: confirms it")->check(amount);
    command->add_flag("--cancel", r.cancel, "Ours of that reference was certainly not paid");
    command->add_option("--reference", r.reference, "What both call this payment; one payment each")->required();
    command->add_flag("--json", r.json, "One JSON value");

    auto& p = add_command<PaymentOptions>(
        ledger, exit_code, "settle", "Pay what is owed to a neighbour, by its policy ([settlement])", command, settle);
    add_target(*command, p.target);
    command->add_option("peer", p.peer, "Node id or address of the neighbour")->required();
    command->add_option("--msat", p.msat, "Only so many millisatoshi (default: all that is owed and allowed)")
        ->check(amount);
    command->add_flag("--json", p.json, "One JSON value");
}

}  // namespace meshnet::apps
