// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/signal_view.hpp"

#include <algorithm>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/bytes.hpp"
#include "station/control/signal_log.hpp"

namespace meshnet::station {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostPoints = 400;

Json constellation_json(std::span<const phy::Sample> points) {
    const auto hundredths = [](float v) { return std::round(static_cast<double>(v) * 100.0) / 100.0; };
    Json out = Json::array();
    const std::size_t step = std::max<std::size_t>(1, (points.size() + kMostPoints - 1) / kMostPoints);
    for (std::size_t i = 0; i < points.size(); i += step) {
        if (std::isfinite(points[i].real()) && std::isfinite(points[i].imag())) {
            out.push_back(hundredths(points[i].real()));
            out.push_back(hundredths(points[i].imag()));
        }
    }
    return out;
}

Json burst_json(const SignalLog::Burst& b, const ViewContext& c) {
    const bool received = !b.sent;
    return Json{{"ago_s", to_seconds(c.link.now() - b.start)},
                {"length_ms", to_seconds(b.length) * 1e3},
                {"direction", received ? "received"
                              : b.late ? "late"
                                       : "sent"},
                {"sender", b.sender ? Json(link_name(*b.sender)) : Json(nullptr)},
                {"mode", c.link.mode_name(b.mode)},
                {"bytes", b.bytes},
                {"snr_db", received && std::isfinite(b.snr_db) ? Json(b.snr_db) : Json(nullptr)},
                {"blocks", received ? Json(b.blocks) : Json(nullptr)},
                {"blocks_ok", received ? Json(b.blocks_ok) : Json(nullptr)}};
}

}  // namespace

Result<std::string> signal_view(const ViewContext& c) {
    if (c.signal == nullptr) {
        return Error{ErrorCode::kUnsupported, "this station keeps no signal log"};
    }
    c.signal->look(c.link.now());
    Json j;
    j["now_s"] = to_seconds(c.link.now().time_since_epoch());
    j["rate_hz"] = c.link.clock().rate().hz();
    const double floor = static_cast<double>(c.link.receiver().noise_floor_dbfs());
    j["noise_floor_dbfs"] = std::isfinite(floor) ? Json(floor) : Json(nullptr);
    Json rows = Json::array();
    for (const auto& row : c.signal->rows()) {
        rows.push_back(to_hex(row));
    }
    j["spectrum"] = Json{{"row_s", to_seconds(SignalLog::kRow)},
                         {"lowest_dbfs", SignalLog::kLowestDb},
                         {"step_db", 0.5},
                         {"made", c.signal->rows_made()},
                         {"rows", std::move(rows)}};
    j["constellation"] = constellation_json(c.link.receiver().constellation());
    j["bursts"] = Json::array();
    for (const auto& burst : c.signal->bursts()) {
        if (j["bursts"].size() >= c.limit) {
            break;
        }
        j["bursts"].push_back(burst_json(burst, c));
    }
    return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace meshnet::station
