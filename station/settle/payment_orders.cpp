// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/settle/payment_orders.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "net/payments.hpp"
#include "station/settle/payment_views.hpp"

namespace meshnet::station {

namespace {

using Kind = PaymentOrder::Kind;

Error wrong(std::string what) {
    return {ErrorCode::kInvalidArgument, std::move(what)};
}

struct KindRow {
    std::string_view name;
    Kind kind;
    std::array<std::string_view, 4> fields;  ///< all needed
};
constexpr std::array<KindRow, 4> kKinds{{
    {"record", Kind::kRecord, {"peer", "paid", "msat", "reference"}},
    {"settle", Kind::kSettle, {"peer", "msat"}},
    {"note", Kind::kNote, {"id", "state"}},
    {"cancel", Kind::kCancel, {"peer", "reference"}},
}};

Status read_field(std::string_view name, const nlohmann::json& value, PaymentOrder& out) {
    if (name == "paid") {
        if (!value.is_boolean()) {
            return wrong("\"paid\" must be true or false");
        }
        out.paid = value.get<bool>();
        return Ok{};
    }
    if (name == "msat") {
        if (!value.is_number_unsigned() ||
            value.get<std::uint64_t>() > static_cast<std::uint64_t>(net::kMostPaymentMsat)) {
            return wrong("\"msat\" must be a whole number, 0 to " + std::to_string(net::kMostPaymentMsat));
        }
        out.msat = value.get<std::int64_t>();
        return Ok{};
    }
    if (!value.is_string()) {
        return wrong("\"" + std::string(name) + "\" must be a text");
    }
    const auto& text = value.get_ref<const std::string&>();
    if (name == "peer") {
        out.peer = text;
    } else if (name == "reference") {
        out.reference = text;
    } else if (name == "id") {
        const auto id = from_hex(text);
        if (!id || id->size() != out.id.size()) {
            return wrong("\"id\" must be 32 hexadecimal digits");
        }
        std::copy(id->begin(), id->end(), out.id.begin());
    } else {
        const auto state = net::payment_state(text);
        if (!state) {
            return wrong("\"state\" must be pending, failed or unknown");
        }
        out.state = *state;
    }
    return Ok{};
}

/// Whom a person means: a node id, or the address of somebody this station deals with.
std::optional<net::NodeId> peer_of(const std::string& text, net::Router& router) {
    if (const auto id = net::node_id_from_string(text)) {
        return id;
    }
    const auto is = [&](const net::NodeId& id) { return net::to_string(net::address_of(id)) == text; };
    const auto peers = router.payments().peers();
    if (const auto at = std::find_if(peers.begin(), peers.end(), is); at != peers.end()) {
        return *at;
    }
    for (const net::NeighborView& n : router.neighbors()) {
        if (is(n.id)) {
            return n.id;
        }
    }
    return std::nullopt;
}

using Outcome = Result<net::Payments::Outcome>;

Outcome settle(const PaymentOrder& order, const net::NodeId& peer, net::Payments& payments,
               const net::SettlementPolicy& policy, Instant now, std::uint64_t unix_s, net::Payments::Stored stored) {
    std::int64_t msat = 0;
    if (payments.open_settlement(peer) == nullptr) {
        const auto amount =
            net::amount_to_settle(policy, payments.owed_nsat(peer), payments.paid_today_msat(peer, unix_s), order.msat);
        if (!amount) {
            return amount.error();
        }
        msat = *amount;
    }
    return payments.propose(now, peer, msat, policy.adapter, unix_s, std::move(stored));
}

Outcome run(const PaymentOrder& order, net::Router& router, const net::SettlementPolicies& policies, Instant now,
            std::uint64_t unix_s, net::Payments::Stored stored) {
    net::Payments& payments = router.payments();
    if (order.kind == Kind::kNote) {
        return payments.note(now, order.id, order.state, std::move(stored));
    }
    const auto peer = peer_of(order.peer, router);
    if (!peer) {
        return wrong("\"" + order.peer.substr(0, 80) + "\" is neither a node id nor the address of a neighbour");
    }
    switch (order.kind) {
        case Kind::kRecord:
            return payments.record(now, {*peer, order.paid, order.msat, order.reference, unix_s}, std::move(stored));
        case Kind::kSettle:
            return settle(order, *peer, payments, policies.of(*peer), now, unix_s, std::move(stored));
        case Kind::kCancel:
        case Kind::kNote:
            break;
    }
    const net::PaymentTerms terms{payments.self(), *peer, 0, 0, order.reference};
    return payments.note(now, terms.id(), net::PaymentState::kFailed, std::move(stored));
}

}  // namespace

Result<PaymentOrder> parse_payment_order(const nlohmann::json& json) {
    const auto what = json.is_object() ? json.find("do") : json.end();
    if (!json.is_object() || what == json.end() || !what->is_string()) {
        return wrong(R"("order" must be an object with "do": record, settle, note or cancel)");
    }
    const auto& name = what->get_ref<const std::string&>();
    const auto row = std::find_if(kKinds.begin(), kKinds.end(), [&](const KindRow& k) { return k.name == name; });
    if (row == kKinds.end()) {
        return wrong(R"("do" must be record, settle, note or cancel)");
    }
    PaymentOrder out;
    out.kind = row->kind;
    std::size_t fields = 1;
    for (const std::string_view field : row->fields) {
        if (field.empty()) {
            continue;
        }
        const auto value = json.find(std::string(field));
        if (value == json.end()) {
            return wrong("\"" + name + "\" needs \"" + std::string(field) + "\"");
        }
        if (auto read = read_field(field, *value, out); !read) {
            return read.error();
        }
        ++fields;
    }
    if (json.size() != fields) {
        return wrong("\"" + name + "\" has a field that it does not know");
    }
    return out;
}

void run_payment_order(const PaymentOrder& order, net::Router& router, const net::SettlementPolicies& policies,
                       Instant now, std::uint64_t unix_s, std::function<void(Result<std::string>)> done) {
    // The outcome is known before it is on disk, and told after.
    const auto answer = std::make_shared<std::string>();
    const auto tell = std::make_shared<bool>(false);  // stored before the outcome was known
    const auto finish = [answer, tell, done](bool known_now) {
        if (answer->empty()) {
            *tell = known_now;
        } else {
            done(*answer);
        }
    };
    const auto outcome = run(order, router, policies, now, unix_s, [finish] { finish(true); });
    if (!outcome) {
        return done(outcome.error());
    }
    nlohmann::ordered_json json = payment_json(outcome->record, router.id());
    json["known"] = outcome->known;
    *answer = json.dump(-1, ' ', true);
    if (*tell) {
        done(*answer);
    }
}

}  // namespace meshnet::station
