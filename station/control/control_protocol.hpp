// SPDX-License-Identifier: GPL-3.0-or-later
// The language of the control socket: one JSON object a line, each way.
//
//     {"cmd": "status"}                      -> {"ok": true, "result": {...}}
//     {"cmd": "price", "msat_per_mib": 500}  -> {"ok": true, "result": {"price_msat_per_mib": 500}}
//     {"cmd": "inhibit", "on": true}         -> {"ok": true, "result": {"inhibited": true}}
//     {"cmd": "publish", "certificate": "meshnet-certificate-v1:..."}
//                                            -> {"ok": true, "result": {"news": true}}
//     {"cmd": "payment", "order": {...}}     -> payment_orders.hpp; answered once it is on disk
//     {"cmd": "nonsense"}                    -> {"ok": false, "error": "unknown command 'nonsense'; ..."}
//
// Every view (views.hpp) is a command of its name. `attach` makes the connection the host of a station without TUN:
// {"cmd": "packet", "data": "<hex>"} sends an IPv6 packet (no answer), {"packet": "<hex>"} is one received. `watch`
// repeats the status until the connection closes. Nothing here has seen a key. Schema of the results:
// docs/operating.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/bytes.hpp"
#include "core/result.hpp"
#include "net/certificate.hpp"
#include "station/control/views.hpp"
#include "station/settle/payment_orders.hpp"

namespace meshnet::station {

/// Longest request line, without its newline.
inline constexpr std::size_t kMaxControlLine = 16'384;

/// One parsed request; every field is within its range.
struct ControlRequest {
    enum class Command { kView, kPrice, kWatch, kAttach, kPacket, kInhibit, kPublish, kStop, kPayment };
    Command command = Command::kView;
    const View* view = nullptr;                       ///< kView
    std::uint32_t limit = 100;                        ///< kView: newest entries wanted, 0..1000
    std::optional<std::uint64_t> price_msat_per_mib;  ///< kPrice: the new price; none: only show it
    std::uint32_t interval_ms = 1'000;                ///< kWatch: 100..60000
    Bytes packet;                                     ///< kPacket: 40..2048 bytes
    bool inhibit = true;                              ///< kInhibit: false lets the station send again
    std::optional<net::Certificate> certificate;      ///< kPublish: genuine
    std::optional<PaymentOrder> payment;              ///< kPayment
};

/// Reads one line (any bytes). Error: one line that says what is wrong and what would be right.
[[nodiscard]] Result<ControlRequest> parse_control_request(std::string_view line);

/// The answers, each one line with its newline. `result_json` is JSON text.
[[nodiscard]] std::string control_result(std::string_view result_json);
[[nodiscard]] std::string control_error(const Error& error);
[[nodiscard]] std::string control_packet(ByteView packet);

}  // namespace meshnet::station
