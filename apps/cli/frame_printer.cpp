// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/frame_printer.hpp"

#include <algorithm>
#include <cmath>

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

std::size_t blocks_ok(const phy::Frame& f) {
    return static_cast<std::size_t>(
        std::count_if(f.blocks.begin(), f.blocks.end(), [](const phy::FrameBlock& b) { return b.crc_ok; }));
}

Json frame_json(const phy::Frame& f, const Place& place) {
    return Json{{"time_s", place.time_s},
                {"sample_index", place.sample_index},
                {"snr_db", number(f.snr_db)},
                {"cfo_hz", number(f.cfo_hz)},
                {"sfo_ppm", number(f.sfo_ppm)},
                {"power_dbfs", number(f.power_dbfs)},
                {"mode", phy::modes()[f.mode].name},
                {"inverted", f.inverted},
                {"crc_ok", f.ok()},
                {"blocks", f.blocks.size()},
                {"blocks_ok", blocks_ok(f)},
                {"bytes", f.payload.size()}};
}

std::string frame_text(const phy::Frame& f, const Place& place, std::size_t bytes) {
    char text[256];
    std::snprintf(text, sizeof text,
                  "%12.6f s  %-14.14s %5zu bytes  snr %5.1f dB  cfo %+9.1f Hz  sfo %+6.2f ppm  %s (%zu/%zu blocks)%s",
                  place.time_s, std::string(phy::modes()[f.mode].name).c_str(), bytes, static_cast<double>(f.snr_db),
                  static_cast<double>(f.cfo_hz), static_cast<double>(f.sfo_ppm), f.ok() ? "ok" : "BLOCK ERRORS",
                  blocks_ok(f), f.blocks.size(), f.inverted ? "  inverted spectrum" : "");
    return text;
}

bool FramePrinter::print(const phy::Frame& f, const Place& place) {
    if (json_) {
        Json json = frame_json(f, place);
        json["payload"] = to_hex(f.payload);
        std::puts(json_line(json).c_str());
    } else {
        std::puts(frame_text(f, place, f.payload.size()).c_str());
    }
    ++frames_;
    bool fine = std::fflush(stdout) == 0;
    if (payload_file_ != nullptr && f.ok()) {
        fine = std::fwrite(f.payload.data(), 1, f.payload.size(), payload_file_) == f.payload.size() && fine;
    }
    return fine;
}

}  // namespace meshnet::apps
