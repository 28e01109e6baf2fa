// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/frame_printer.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <nlohmann/json.hpp>

#include "core/bytes.hpp"
#include "phy/modes.hpp"

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

Json number(float v) {
    return std::isfinite(v) ? Json(v) : Json(nullptr);
}

}  // namespace

std::string json_line(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool FramePrinter::print(const phy::Frame& f, const Place& place) {
    const auto good = static_cast<std::size_t>(
        std::count_if(f.blocks.begin(), f.blocks.end(), [](const phy::FrameBlock& b) { return b.crc_ok; }));
    const std::string_view mode = phy::modes()[f.mode].name;
    if (json_) {
        const std::string line = json_line(Json{{"time_s", place.time_s},
                                                {"sample_index", place.sample_index},
                                                {"snr_db", number(f.snr_db)},
                                                {"cfo_hz", number(f.cfo_hz)},
                                                {"sfo_ppm", number(f.sfo_ppm)},
                                                {"power_dbfs", number(f.power_dbfs)},
                                                {"mode", mode},
                                                {"inverted", f.inverted},
                                                {"crc_ok", f.ok()},
                                                {"blocks", f.blocks.size()},
                                                {"blocks_ok", good},
                                                {"bytes", f.payload.size()},
                                                {"payload", to_hex(f.payload)}});
        std::puts(line.c_str());
    } else {
        std::printf(
            "%12.6f s  %-14.14s %5zu bytes  snr %5.1f dB  cfo %+9.1f Hz  sfo %+6.2f ppm  %s (%zu/%zu blocks)%s\n",
            place.time_s, std::string(mode).c_str(), f.payload.size(), static_cast<double>(f.snr_db),
            static_cast<double>(f.cfo_hz), static_cast<double>(f.sfo_ppm), f.ok() ? "ok" : "BLOCK ERRORS", good,
            f.blocks.size(), f.inverted ? "  inverted spectrum" : "");
    }
    ++frames_;
    bool fine = std::fflush(stdout) == 0;
    if (payload_file_ != nullptr && f.ok()) {
        fine = std::fwrite(f.payload.data(), 1, f.payload.size(), payload_file_) == f.payload.size() && fine;
    }
    return fine;
}

}  // namespace meshnet::apps
