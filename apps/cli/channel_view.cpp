// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/channel_view.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <utility>

#include <nlohmann/json.hpp>

namespace meshnet::apps {

namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostTransformsPerRow = 200.0;

float to_db(double power) {
    return static_cast<float>(10.0 * std::log10(std::max(power, 1e-20)));
}

SpectrumRow row_of(const std::vector<double>& sum, std::uint64_t count) {
    SpectrumRow out;
    for (const double power : sum) {
        out.push_back(to_db(power / static_cast<double>(count)));
    }
    return out;
}

}  // namespace

std::string station_text(mac::StationId id) {
    if (id == kBroadcast) {
        return "everybody";
    }
    char text[16];
    std::snprintf(text, sizeof text, "%08x", static_cast<unsigned>(id));
    return text;
}

std::string HeardFrame::who() const {
    if (!sender) {
        return {};
    }
    std::string out = station_text(*sender);
    if (hello) {
        out += " hello";
    }
    for (std::size_t i = 0; i < targets.size(); ++i) {
        out += (i == 0 ? " > " : ", ") + station_text(targets[i]);
    }
    return out;
}

ChannelView::ChannelView(const phy::Profile& profile, double row_seconds)
    : rate_hz_(profile.sample_rate_hz),
      row_seconds_(row_seconds),
      transform_(kBins, phy::Fft::Direction::kForward),
      window_(kBins),
      row_sum_(kBins),
      long_sum_(kBins) {
    for (std::size_t i = 0; i < kBins; ++i) {  // Hann
        const double phase = 2.0 * std::numbers::pi * (static_cast<double>(i) + 0.5) / static_cast<double>(kBins);
        window_[i] = static_cast<float>(0.5 - 0.5 * std::cos(phase));
        window_power_ += static_cast<double>(window_[i]) * static_cast<double>(window_[i]);
    }
}

void ChannelView::set_row_seconds(double seconds) {
    row_seconds_ = seconds;
}

double ChannelView::busy() const noexcept {
    return counted_ == 0 ? 0.0 : static_cast<double>(busy_samples_) / static_cast<double>(counted_);
}

void ChannelView::on_samples(std::span<const phy::Sample> samples, const phy::Receiver& receiver) {
    const bool busy = receiver.carrier_busy();
    const float floor = receiver.noise_floor_dbfs();
    if (std::isfinite(floor)) {
        floor_dbfs_ = static_cast<double>(floor);
    }
    samples_ += samples.size();
    if (uncounted_ == 0) {
        counted_ += samples.size();
        busy_samples_ += busy ? samples.size() : 0;
        const double seconds = static_cast<double>(samples.size()) / rate_hz_;
        busy_lately_ += ((busy ? 1.0 : 0.0) - busy_lately_) * (1.0 - std::exp(-seconds));
    }
    uncounted_ -= std::min<std::uint64_t>(uncounted_, samples.size());
    if (samples.size() >= kBins && samples_ >= next_transform_) {
        add_spectrum(samples.first(kBins));
        next_transform_ = samples_ + static_cast<std::uint64_t>(row_seconds_ * rate_hz_ / kMostTransformsPerRow);
    }
    row_samples_ += samples.size();
    if (static_cast<double>(row_samples_) >= row_seconds_ * rate_hz_ && row_count_ > 0) {
        rows_.push_front(row_of(row_sum_, row_count_));
        if (rows_.size() > kMostRows) {
            rows_.pop_back();
        }
        std::fill(row_sum_.begin(), row_sum_.end(), 0.0);
        row_count_ = 0;
        row_samples_ = 0;
    }
}

void ChannelView::add_spectrum(std::span<const phy::Sample> samples) {
    const auto in = transform_.in();
    for (std::size_t i = 0; i < kBins; ++i) {
        const bool finite = std::isfinite(samples[i].real()) && std::isfinite(samples[i].imag());
        in[i] = finite ? samples[i] * window_[i] : phy::Sample{};
    }
    transform_.run();
    const auto out = transform_.out();
    for (std::size_t i = 0; i < kBins; ++i) {
        const double power =
            static_cast<double>(std::norm(out[(i + kBins / 2) % kBins])) / (static_cast<double>(kBins) * window_power_);
        row_sum_[i] += power;
        long_sum_[i] += power;
    }
    ++row_count_;
    ++long_count_;
}

SpectrumRow ChannelView::take_spectrum(std::size_t bins) {
    if (long_count_ == 0) {
        return {};
    }
    SpectrumRow out = resample_row(row_of(long_sum_, long_count_), bins);
    std::fill(long_sum_.begin(), long_sum_.end(), 0.0);
    long_count_ = 0;
    return out;
}

const HeardFrame& ChannelView::on_frame(const phy::Frame& frame, const Place& place) {
    HeardFrame heard;
    heard.frame = frame;
    heard.frame.payload.clear();
    heard.place = place;
    heard.bytes = frame.payload.size();
    if (const auto burst = mac::parse_burst(frame.payload)) {
        heard.sender = burst->header.sender;
        heard.hello = burst->hello.has_value();
        for (const mac::Target& target : burst->header.targets) {
            heard.targets.push_back(target.peer);
        }
    }
    const std::size_t lost = frame.blocks.size() - blocks_ok(frame);
    ++frames_heard_;
    frames_with_errors_ += lost > 0 ? 1 : 0;
    HeardStation& station = stations_[heard.sender];
    ++station.frames;
    station.blocks += frame.blocks.size();
    station.blocks_lost += lost;
    station.snr_db = static_cast<double>(frame.snr_db);
    station.snr_sum_db += static_cast<double>(frame.snr_db);
    station.cfo_hz = static_cast<double>(frame.cfo_hz);
    station.last_s = seconds();
    if (stations_.size() > kMostStations) {
        forget_oldest_station();
    }
    frames_.push_front(std::move(heard));
    if (frames_.size() > kMostFrames) {
        frames_.pop_back();
    }
    return frames_.front();
}

void ChannelView::forget_oldest_station() {
    stations_.erase(std::min_element(stations_.begin(), stations_.end(),
                                     [](const auto& a, const auto& b) { return a.second.last_s < b.second.last_s; }));
}

SpectrumRow resample_row(const SpectrumRow& row, std::size_t columns) {
    SpectrumRow out;
    for (std::size_t i = 0; i < columns; ++i) {
        const std::size_t first = i * row.size() / columns;
        const std::size_t last = std::max((i + 1) * row.size() / columns, first + 1);
        double power = 0.0;
        for (std::size_t k = first; k < last; ++k) {
            power += std::pow(10.0, static_cast<double>(row[k]) / 10.0);
        }
        out.push_back(to_db(power / static_cast<double>(last - first)));
    }
    return out;
}

Json json_of(const HeardFrame& h) {
    Json out = frame_json(h.frame, h.place);
    out["bytes"] = h.bytes;
    out["sender"] = h.sender ? Json(station_text(*h.sender)) : Json(nullptr);
    Json targets = Json::array();
    for (const mac::StationId id : h.targets) {
        targets.push_back(station_text(id));
    }
    out["targets"] = std::move(targets);
    out["hello"] = h.hello;
    return out;
}

Json stations_json(const ChannelView& view) {
    Json out = Json::array();
    for (const auto& [id, s] : view.stations()) {
        out.push_back(Json{{"station", id ? Json(station_text(*id)) : Json(nullptr)},
                           {"frames", s.frames},
                           {"blocks", s.blocks},
                           {"blocks_lost", s.blocks_lost},
                           {"snr_db", s.snr_db},
                           {"mean_snr_db", s.mean_snr_db()},
                           {"cfo_hz", s.cfo_hz},
                           {"last_heard_s", s.last_s}});
    }
    return out;
}

}  // namespace meshnet::apps
