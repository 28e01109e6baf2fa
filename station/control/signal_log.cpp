// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/control/signal_log.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "mac/frame_format.hpp"

namespace meshnet::station {

namespace {

constexpr std::size_t kMostSending = 64;

}  // namespace

SignalLog::SignalLog() {
    double power = 0.0;
    for (std::size_t i = 0; i < kBins; ++i) {  // Hann
        const double phase = 2.0 * std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(kBins);
        window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
        power += static_cast<double>(window_[i]) * static_cast<double>(window_[i]);
    }
    // So that the bins of white noise add up to its power.
    const auto scale = static_cast<float>(1.0 / std::sqrt(power * static_cast<double>(kBins)));
    for (float& w : window_) {
        w *= scale;
    }
}

void SignalLog::add(const Burst& burst) {
    bursts_.push_front(burst);
    if (bursts_.size() > kMostBursts) {
        bursts_.pop_back();
    }
}

void SignalLog::on_frame(const mac::RxFrame& frame) {
    Burst burst;
    burst.start = frame.start;
    burst.length = frame.end - frame.start;
    burst.mode = frame.mode;
    burst.snr_db = frame.snr_db;
    burst.blocks = static_cast<std::uint32_t>(frame.segments.size());
    burst.blocks_ok = static_cast<std::uint32_t>(
        std::count_if(frame.segments.begin(), frame.segments.end(), [](const auto& s) { return s.ok; }));
    burst.bytes = static_cast<std::uint32_t>(frame.payload.size());
    if (const auto parsed = mac::parse_burst(frame.payload)) {
        burst.sender = parsed->header.sender;
    }
    add(burst);
}

void SignalLog::on_transmit(const mac::TxRequest& request, Duration length) {
    Burst burst;
    burst.start = request.at;
    burst.length = length;
    burst.sent = true;
    burst.mode = request.mode;
    burst.bytes = static_cast<std::uint32_t>(request.payload.size());
    sending_.emplace_back(request.id, burst);
    if (sending_.size() > kMostSending) {
        sending_.pop_front();
    }
}

void SignalLog::on_transmitted(std::uint64_t id, mac::TxOutcome outcome) {
    const auto at = std::find_if(sending_.begin(), sending_.end(), [id](const auto& s) { return s.first == id; });
    if (at == sending_.end()) {
        return;
    }
    at->second.late = outcome == mac::TxOutcome::kLate;
    add(at->second);
    sending_.erase(at);
}

void SignalLog::on_samples(Instant now, std::span<const phy::Sample> samples) {
    if (now >= watched_until_ || samples.size() < kBins) {
        return;
    }
    if (now > row_ends_) {
        if (transforms_ > 0) {
            finish_row();
        }
        row_ends_ = now + kRow;
    }
    const auto in = transform_.in();
    for (std::size_t i = 0; i < kBins; ++i) {
        const bool finite = std::isfinite(samples[i].real()) && std::isfinite(samples[i].imag());
        in[i] = finite ? samples[i] * window_[i] : phy::Sample{};
    }
    transform_.run();
    const auto out = transform_.out();
    for (std::size_t i = 0; i < kBins; ++i) {
        sum_[i] += static_cast<double>(std::norm(out[(i + kBins / 2) % kBins]));
    }
    ++transforms_;
}

void SignalLog::finish_row() {
    Row row{};
    for (std::size_t i = 0; i < kBins; ++i) {
        const double db = 10.0 * std::log10(sum_[i] / static_cast<double>(transforms_) + 1e-20);
        row[i] = static_cast<std::uint8_t>(std::clamp(2.0 * (db - kLowestDb), 0.0, 255.0));
    }
    rows_.push_front(row);
    if (rows_.size() > kMostRows) {
        rows_.pop_back();
    }
    ++rows_made_;
    sum_.fill(0.0);
    transforms_ = 0;
}

}  // namespace meshnet::station
