// SPDX-License-Identifier: GPL-3.0-or-later
#include "radio_line.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

#include "parameters.h"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"

namespace gr::meshnet {

namespace {

namespace mac = ::meshnet::mac;
namespace node = ::meshnet::node;
namespace phy = ::meshnet::phy;
using ::meshnet::Duration;
using ::meshnet::Instant;

constexpr phy::ModeIndex kNoMode = 255;
constexpr std::uint64_t kRounding = 2;  // samples by which a frame's end may lie beyond the last sample received
constexpr Duration kReordering = std::chrono::milliseconds(100);  // of messages: less is no step of the clock

std::optional<mac::ModeIndex> fixed_mode(const std::string& block, const std::string& mode, phy::ModeIndex first) {
    if (mode.empty()) {
        return std::nullopt;
    }
    const phy::ModeIndex index = mode_named(block, mode);
    if (index < first) {
        throw std::invalid_argument(block + ": mode " + mode + " has a longer preamble than longest_preamble");
    }
    return static_cast<mac::ModeIndex>(index - first);
}

}  // namespace

void check_timing(const std::string& block, const mac_timing& t) {
    const char* name = block.c_str();
    require_between(name, "lead_s", t.lead_s, 0.002, 0.06);
    require_between(name, "turnaround_s", t.turnaround_s, 0.001, 0.05);
    require_between(name, "lead_s + turnaround_s", t.lead_s + t.turnaround_s, 0.003, 0.063);
    require_between(name, "max_propagation_s", t.max_propagation_s, 0.0, 0.02);
    require_between(name, "hello_interval_s", t.hello_interval_s, 0.05, 4.0);
}

pmt::pmt_t timing_report(const mac::RadioTiming& timing) {
    pmt::pmt_t times = pmt::make_dict();
    const auto put = [&times](const char* key, Duration d) {
        times = add(times, key, pmt::from_double(::meshnet::to_seconds(d)));
    };
    put("lead", timing.lead);
    put("turnaround", timing.turnaround);
    put("jitter", timing.jitter);
    put("recovery", timing.recovery);
    put("spacing", timing.spacing);
    return add(add(pmt::make_dict(), "timing", times), "outcome", pmt::mp("timing"));
}

std::optional<mac::RadioTiming> read_timing(const pmt::pmt_t& report) {
    const pmt::pmt_t times = find(report, "timing");
    if (!times || !pmt::is_dict(times)) {
        return std::nullopt;
    }
    const auto get = [&times](const char* key) {
        const double seconds = read_real(times, key).value_or(0.0);
        return seconds >= 0.0 && seconds <= 1.0 ? ::meshnet::from_seconds(seconds) : Duration{};
    };
    mac::RadioTiming out;
    out.lead = get("lead");
    out.turnaround = get("turnaround");
    out.jitter = get("jitter");
    out.recovery = get("recovery");
    out.spacing = get("spacing");
    return out;
}

radio_line::radio_line(const std::string& block, const std::string& profile, const std::string& longest_preamble,
                       const std::string& mode, const mac_timing& timing)
    : profile_(profile_named(block, profile)),
      timing_((check_timing(block, timing), timing)),
      clock_(node::SampleRate::from_hz(profile_.sample_rate_hz)),
      first_mode_(node::first_mode(preamble_named(block, longest_preamble))),
      fixed_mode_(fixed_mode(block, mode, first_mode_)),
      model_(profile_, clock_.rate(), first_mode_),
      lead_(::meshnet::from_seconds(timing.lead_s)) {}

mac::Mac::Config radio_line::mac_config() const {
    mac::Mac::Config config;
    config.turnaround = ::meshnet::from_seconds(timing_.turnaround_s);
    config.transmit_lead = lead_;
    config.max_propagation = ::meshnet::from_seconds(timing_.max_propagation_s);
    config.hello_interval = ::meshnet::from_seconds(timing_.hello_interval_s);
    // A burst must hold the smallest useful frame in the most robust mode; a narrow profile needs long ones.
    config.max_burst = std::max(config.max_burst, model_.airtime(0, mac::kSmallestBurstBytes) * 11 / 10);
    config.fixed_mode = fixed_mode_;
    return config;
}

pmt::pmt_t radio_line::clock_message() const {
    return make_pdu(add(pmt::make_dict(), "clock", from_instant(now_ - shift_ + lead_)), {});
}

void radio_line::restart() {
    now_ = Instant{};
    shift_ = {};
    outstanding_.clear();
}

bool radio_line::follow(Instant radio_time) {
    if (radio_time + shift_ >= now_ - kReordering) {
        now_ = std::max(now_, radio_time + shift_);
        return false;
    }
    shift_ = now_ - radio_time;
    return true;
}

radio_line::Reading radio_line::read_frame(const pdu& in, mac::RxFrame& frame) {
    const auto start = read_time(in.meta, "time");
    const auto length = read_count(in.meta, "length_samples");
    const auto name = read_text(in.meta, "mode");
    const phy::ModeIndex mode = name ? phy::find_mode(*name).value_or(kNoMode) : kNoMode;
    const auto segments = read_u32s(in.meta, "segments");
    if (!start || !length || *length > (std::uint64_t{1} << 40U) || mode == kNoMode || segments.empty() ||
        segments.size() % 3 != 0) {
        return Reading::kNotAFrame;
    }
    if (mode < first_mode_) {
        return Reading::kForeign;
    }
    frame.start = *start + shift_;
    frame.end = frame.start + clock_.duration_of(*length);
    frame.mode = static_cast<mac::ModeIndex>(mode - first_mode_);
    frame.snr_db = static_cast<float>(read_real(in.meta, "snr_db").value_or(0.0));
    frame.cfo_hz = static_cast<float>(read_real(in.meta, "cfo_hz").value_or(0.0));
    std::size_t covered = 0;
    for (std::size_t i = 0; i < segments.size(); i += 3) {
        if (segments[i] != covered || segments[i + 1] > in.bytes.size() - covered) {
            return Reading::kNotAFrame;
        }
        covered += segments[i + 1];
        frame.segments.push_back({segments[i], segments[i + 1], segments[i + 2] != 0});
    }
    if (covered != in.bytes.size() || frame.end > now_ + clock_.duration_of(kRounding)) {
        return Reading::kNotAFrame;
    }
    now_ = std::max(now_, frame.end);
    frame.payload = in.bytes;
    return Reading::kFrame;
}

pmt::pmt_t radio_line::request(const mac::TxRequest& request) {
    const auto mode = static_cast<phy::ModeIndex>(first_mode_ + request.mode);
    const std::size_t samples = phy::frame_samples(profile_, mode, request.payload.size());
    outstanding_.push_back({request.id, request.at + clock_.duration_of(samples + 1)});
    pmt::pmt_t meta = pmt::make_dict();
    meta = add(meta, "mode", pmt::mp(std::string(phy::modes()[mode].name)));
    meta = add(meta, "at", from_instant(request.at - shift_));
    meta = add(meta, "id", pmt::from_uint64(request.id));
    return make_pdu(meta, request.payload);
}

std::vector<std::uint64_t> radio_line::take_ended() {
    std::vector<std::uint64_t> out;
    std::erase_if(outstanding_, [&](const Outstanding& o) {
        if (o.end <= now_) {
            out.push_back(o.id);
        }
        return o.end <= now_;
    });
    return out;
}

std::vector<std::uint64_t> radio_line::take_all() {
    std::vector<std::uint64_t> out;
    for (const Outstanding& o : std::exchange(outstanding_, {})) {
        out.push_back(o.id);
    }
    return out;
}

bool radio_line::take(std::uint64_t id) {
    return std::erase_if(outstanding_, [&](const Outstanding& o) { return o.id == id; }) > 0;
}

}  // namespace gr::meshnet
