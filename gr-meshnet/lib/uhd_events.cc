// SPDX-License-Identifier: GPL-3.0-or-later
#include "uhd_events.h"

#include <string>

#include "pdu.h"

namespace gr::meshnet {

namespace {

constexpr int kDeepest = 4;           // of lists in lists
constexpr std::size_t kLongest = 64;  // codes looked at

void note(uhd_event& event, const std::string& code) {
    event.acknowledged = event.acknowledged || code == "burst_ack";
    event.late = event.late || code == "time_error";
    event.broken = event.broken || code == "underflow" || code == "underflow_in_packet" || code == "seq_error" ||
                   code == "seq_error_in_burst";
}

void collect(uhd_event& event, const pmt::pmt_t& codes, int depth) {
    if (!codes || depth > kDeepest) {
        return;
    }
    if (pmt::is_symbol(codes)) {
        return note(event, pmt::symbol_to_string(codes));
    }
    if (pmt::is_tuple(codes)) {
        for (std::size_t i = 0; i < pmt::length(codes) && i < kLongest; ++i) {
            collect(event, pmt::tuple_ref(codes, i), depth + 1);
        }
    } else if (pmt::is_vector(codes)) {
        for (std::size_t i = 0; i < pmt::length(codes) && i < kLongest; ++i) {
            collect(event, pmt::vector_ref(codes, i), depth + 1);
        }
    } else {
        pmt::pmt_t rest = codes;
        for (std::size_t i = 0; rest && pmt::is_pair(rest) && i < kLongest; ++i) {
            collect(event, pmt::car(rest), depth + 1);
            rest = pmt::cdr(rest);
        }
    }
}

}  // namespace

std::optional<uhd_event> read_uhd_event(const pmt::pmt_t& message) {
    if (!message || !pmt::is_pair(message) || !pmt::is_symbol(pmt::car(message)) ||
        pmt::symbol_to_string(pmt::car(message)) != "uhd_async_msg") {
        return std::nullopt;
    }
    uhd_event event;
    const pmt::pmt_t fields = pmt::cdr(message);
    collect(event, find(fields, "event_code"), 0);
    event.time = read_time(fields, "time_spec");
    return event;
}

}  // namespace gr::meshnet
