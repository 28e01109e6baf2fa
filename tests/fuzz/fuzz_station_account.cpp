// SPDX-License-Identifier: MIT
// Statements that anybody may send, the orders of the control socket, and payments of messages and rows.
#include <cstdlib>
#include <string>

#include <nlohmann/json.hpp>

#include "net/payment/payment.hpp"
#include "station/settle/account_text.hpp"
#include "station/settle/payment_orders.hpp"

using namespace meshnet;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView in(data, size);
    const std::string text(data, data + size);
    if (const auto s = station::account_from_text(text)) {
        for (const auto& finding : net::check_account(*s)) {
            if (finding.line.find('\n') != std::string::npos) std::abort();
        }
    } else if (s.error().message.find('\n') != std::string::npos) {
        std::abort();
    }
    if (const auto s = net::AccountStatement::decode(in)) {
        Bytes again = s->encode();
        again.insert(again.end(), s->signature.begin(), s->signature.end());
        if (again != Bytes(in.begin(), in.end())) std::abort();
        (void)net::check_account(*s);
        (void)net::compare_accounts(*s, *s);
        for (const std::string& form : {station::account_json(*s), station::account_csv(*s)}) {
            if (!station::account_from_text(form)) std::abort();
        }
    }
    if (const auto m = net::PaymentMessage::decode(in)) {
        if (Bytes out = m->encode(); Bytes(out.begin() + 1, out.end()) != Bytes(in.begin(), in.end())) std::abort();
    }
    if (const auto m = net::PaymentReceipt::decode(in)) {
        if (Bytes out = m->encode(); Bytes(out.begin() + 1, out.end()) != Bytes(in.begin(), in.end())) std::abort();
    }
    ByteReader r(in);
    if (const auto record = net::PaymentRecord::decode(r); record && r.complete()) {
        if (record->row(net::NodeId{}).value != Bytes(in.begin(), in.end())) std::abort();
    }
    if (const auto json = nlohmann::json::parse(text, nullptr, false); !json.is_discarded()) {
        (void)station::parse_payment_order(json);
    }
    return 0;
}
