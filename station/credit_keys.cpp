// SPDX-License-Identifier: GPL-3.0-or-later
// Section [credit] of the configuration: what the operator is ready to lose and to spend, and to whom.
#include "station/credit_keys.hpp"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

namespace meshnet::station {

namespace {

using Kind = ConfigKey::Kind;
constexpr double kMostMsat = 1e12;  // 10 bitcoin

Status not_a_node(std::string_view text, const char* form) {
    return Error{ErrorCode::kInvalidArgument, "\"" + std::string(text) + "\" is not " + form +
                                                  "; a node id is 64 hexadecimal digits (meshnet neighbours --json "
                                                  "prints them)"};
}

template <auto Member>
Status store_limit(Config& c, const ConfigValue& v) {
    c.credit.*Member = static_cast<std::uint64_t>(v.integer);
    return Ok{};
}

template <auto Member>
Status store_budget(Config& c, const ConfigValue& v) {
    c.spend.*Member = static_cast<std::uint64_t>(v.integer);
    return Ok{};
}

Status store_refused(Config& c, const ConfigValue& v) {
    c.credit.refused.clear();
    for (const std::string& text : v.list) {
        const auto id = net::node_id_from_string(text);
        if (!id) {
            return not_a_node(text, "a node id");
        }
        c.credit.refused.push_back(*id);
    }
    return Ok{};
}

Status store_trusted(Config& c, const ConfigValue& v) {
    c.credit.trusted.clear();
    for (const std::string& text : v.list) {
        const auto colon = text.find(':');
        const auto id = net::node_id_from_string(std::string_view(text).substr(0, colon));
        std::uint64_t msat = 0;
        const char* begin = colon == std::string::npos ? nullptr : text.data() + colon + 1;
        const char* end = text.data() + text.size();
        const bool number = begin != nullptr && begin != end && std::from_chars(begin, end, msat).ptr == end;
        if (!id || !number || static_cast<double>(msat) > kMostMsat) {
            return not_a_node(text, "\"<node id>:<msat>\"");
        }
        c.credit.trusted.push_back({*id, msat});
    }
    return Ok{};
}

}  // namespace

std::vector<ConfigKey> credit_keys() {
    using L = net::CreditLimits;
    using B = net::SpendBudget::Config;
    return {
        {"credit", "stranger_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "200000",
         "What a neighbour may owe this station at most, receipts on their way included: all that is lost if it never\n"
         "pays.",
         store_limit<&L::stranger_msat>},
        {"credit", "strangers_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "2000000",
         "The same for all neighbours together that are not in trusted, whatever number of keys they make.",
         store_limit<&L::strangers_msat>},
        {"credit", "unsigned_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "4000",
         "Of that, what a neighbour has not yet signed for, at first; later half of what it has signed.",
         store_limit<&L::unsigned_msat>},
        {"credit", "highest_price_msat_per_mib", Kind::kInteger, "millisatoshi per MiB", 0, 4e9, "1000000",
         "Flows that cost more, all stations on the way together, are not carried.",
         store_limit<&L::highest_price_msat_per_mib>},
        {"credit", "trusted", Kind::kTextList, "", 0, 0, "[]",
         "Neighbours with a limit of their own, as \"<node id>:<msat>\".", store_trusted},
        {"credit", "refused", Kind::kTextList, "", 0, 0, "[]", "Node ids that are never neighbours.", store_refused},
        {"credit", "spend_day_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "10000000",
         "What this station's own traffic may cost in a day.", store_budget<&B::day_msat>},
        {"credit", "spend_destination_msat", Kind::kInteger, "millisatoshi", 0, kMostMsat, "5000000",
         "Of that, for one destination.", store_budget<&B::destination_msat>},
    };
}

}  // namespace meshnet::station
