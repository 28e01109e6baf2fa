// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/settle/account_text.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace meshnet::station {

namespace {

using Json = nlohmann::ordered_json;
constexpr std::string_view kFormat = "meshnet account statement";
constexpr std::string_view kCsvHead = "meshnet account statement,";
constexpr std::string_view kCsvSigned = "signed,";

Error not_one() {
    return {ErrorCode::kInvalidData, "it is not a meshnet account statement"};
}
Error truncated() {
    return {ErrorCode::kInvalidData, "it is truncated"};
}

std::string signed_hex(const net::AccountStatement& s) {
    Bytes bytes = s.encode();
    bytes.insert(bytes.end(), s.signature.begin(), s.signature.end());
    return to_hex(bytes);
}

Result<net::AccountStatement> from_hex_text(std::string_view hex) {
    const auto bytes = from_hex(hex);
    return bytes ? net::AccountStatement::decode(*bytes) : Result<net::AccountStatement>(truncated());
}

Json balance_json(const net::BalanceMessage& m) {
    if (m.sequence == 0) {
        return nullptr;
    }
    return Json{{"generation", m.generation},
                {"sequence", m.sequence},
                {"owed_nsat", m.owed_nsat},
                {"claimed_nsat", m.claimed_nsat},
                {"signature", to_hex(m.signature)}};
}

Json flow_json(const net::FlowEvidence& f) {
    return Json{{"flow", to_hex(f.flow)},
                {"pays", f.they_pay ? "neighbour" : "station"},
                {"price_msat_per_mib", f.price},
                {"destination", net::to_string(f.destination.id())},
                {"bytes", f.bytes},
                {"evidence", f.is_statement ? "statement" : "payword"},
                {"payword_index", f.index}};
}

Json payment_json(const net::PaymentRecord& p, const net::NodeId& self) {
    return Json{{"id", to_hex(p.id(self))},
                {"pays", p.ours ? "station" : "neighbour"},
                {"msat", p.msat},
                {"reference", p.reference},
                {"state", net::to_string(p.state)},
                {"adapter", p.adapter},
                {"epoch", p.epoch},
                {"unix_s", p.unix_s}};
}

Json json_of(const net::AccountStatement& s) {
    const net::NodeId self = s.station.id();
    Json out{{"format", kFormat},
             {"version", net::kAccountVersion},
             {"station", net::to_string(self)},
             {"address", net::to_string(net::address_of(self))},
             {"unix_s", s.unix_s},
             {"entries", s.entries},
             {"neighbours", Json::array()}};
    for (const net::AccountParty& p : s.parties) {
        Json party{{"id", net::to_string(p.id)},
                   {"address", net::to_string(net::address_of(p.id))},
                   {"claimed_nsat", p.claimed_nsat},
                   {"owed_nsat", p.owed_nsat},
                   {"balance_nsat", p.claimed_nsat - p.owed_nsat},
                   {"signed_by_station", balance_json(p.ours)},
                   {"signed_by_neighbour", balance_json(p.theirs)},
                   {"entries_nsat", Json::object()},
                   {"flows", Json::array()},
                   {"payments", Json::array()}};
        for (std::size_t i = 0; i < p.sums.size(); ++i) {
            party["entries_nsat"][std::string(net::kEntryKinds[i])] = p.sums[i];
        }
        for (const net::FlowEvidence& f : p.flows) {
            party["flows"].push_back(flow_json(f));
        }
        for (const net::PaymentRecord& payment : p.payments) {
            party["payments"].push_back(payment_json(payment, self));
        }
        out["neighbours"].push_back(std::move(party));
    }
    out["signed"] = signed_hex(s);
    return out;
}

/// RFC 4180: quotes around what holds a comma or a quote.
std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"") == std::string::npos) {
        return text;
    }
    std::string out = "\"";
    for (const char c : text) {
        out += c == '"' ? "\"\"" : std::string(1, c);
    }
    return out + "\"";
}

std::string csv_line(const std::vector<std::string>& fields) {
    std::string out;
    for (const std::string& field : fields) {
        out += (out.empty() ? "" : ",") + csv_field(field);
    }
    return out + "\r\n";
}

void add_balance(std::string& out, const std::string& peer, const char* who, const net::BalanceMessage& m) {
    if (m.sequence > 0) {
        out += csv_line({"signed balance", peer, who, std::to_string(m.owed_nsat), std::to_string(m.claimed_nsat),
                         std::to_string(m.generation), std::to_string(m.sequence), to_hex(m.signature)});
    }
}

Result<net::AccountStatement> from_json(std::string_view text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) {
        return text.find(kFormat) == std::string_view::npos ? not_one() : truncated();
    }
    const auto format = json.is_object() ? json.find("format") : json.end();
    if (!json.is_object() || format == json.end() || *format != std::string(kFormat)) {
        return not_one();
    }
    const auto signed_part = json.find("signed");
    if (signed_part == json.end() || !signed_part->is_string()) {
        return truncated();
    }
    auto out = from_hex_text(signed_part->get_ref<const std::string&>());
    if (out && nlohmann::json(json_of(*out)) != json) {
        return Error{ErrorCode::kInvalidData, "its readable part says something else than what is signed"};
    }
    return out;
}

std::string without_returns(std::string_view text) {
    std::string out(text);
    out.erase(std::remove(out.begin(), out.end(), '\r'), out.end());
    while (!out.empty() && out.back() == '\n') {
        out.pop_back();
    }
    return out;
}

Result<net::AccountStatement> from_csv(std::string_view text) {
    const std::string plain = without_returns(text);
    const auto last = plain.rfind('\n');
    const std::string_view line = std::string_view(plain).substr(last == std::string::npos ? plain.size() : last + 1);
    if (!line.starts_with(kCsvSigned)) {
        return truncated();
    }
    auto out = from_hex_text(line.substr(kCsvSigned.size()));
    if (out && without_returns(account_csv(*out)) != plain) {
        return Error{ErrorCode::kInvalidData, "its readable part says something else than what is signed"};
    }
    return out;
}

}  // namespace

std::string account_json(const net::AccountStatement& statement) {
    return json_of(statement).dump(2, ' ', true) + "\n";
}

std::string account_csv(const net::AccountStatement& s) {
    const net::NodeId self = s.station.id();
    std::string out = csv_line({std::string(kFormat), std::to_string(net::kAccountVersion), net::to_string(self),
                                std::to_string(s.unix_s), std::to_string(s.entries)});
    for (const net::AccountParty& p : s.parties) {
        const std::string peer = net::to_string(p.id);
        out += csv_line({"balance", peer, "claimed, owed, balance nsat", std::to_string(p.claimed_nsat),
                         std::to_string(p.owed_nsat), std::to_string(p.claimed_nsat - p.owed_nsat)});
        for (std::size_t i = 0; i < p.sums.size(); ++i) {
            if (p.sums[i] != 0) {
                out += csv_line({"entries", peer, std::string(net::kEntryKinds[i]), std::to_string(p.sums[i])});
            }
        }
        add_balance(out, peer, "station", p.ours);
        add_balance(out, peer, "neighbour", p.theirs);
        for (const net::FlowEvidence& f : p.flows) {
            out +=
                csv_line({"flow", peer, f.they_pay ? "neighbour pays" : "station pays", to_hex(f.flow),
                          std::to_string(f.price), std::to_string(f.bytes), f.is_statement ? "statement" : "payword"});
        }
        for (const net::PaymentRecord& r : p.payments) {
            out += csv_line({"payment", peer, r.ours ? "station pays" : "neighbour pays", to_hex(r.id(self)),
                             std::to_string(r.msat), net::to_string(r.state), r.adapter, std::to_string(r.unix_s),
                             r.reference});
        }
    }
    return out + std::string(kCsvSigned) + signed_hex(s) + "\r\n";
}

Result<net::AccountStatement> account_from_text(std::string_view text) {
    if (text.size() > kMostAccountBytes) {
        return Error{ErrorCode::kLimit, "it is longer than any statement"};
    }
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) {
        return not_one();
    }
    if (text[first] == '{') {
        return from_json(text);
    }
    return text.starts_with(kCsvHead) ? from_csv(text) : Result<net::AccountStatement>(not_one());
}

}  // namespace meshnet::station
