// SPDX-License-Identifier: GPL-3.0-or-later
// What `monitor` knows of a channel: spectrum over time, how busy it is, the frames and who sent them. No terminal
// here.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "apps/cli/frame_printer.hpp"
#include "mac/frame_format.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/profile.hpp"
#include "phy/receiver.hpp"

namespace meshnet::apps {

/// Mean power of each of kBins frequencies over a stretch of time, dB relative to full scale, the lowest first; the
/// bins of white noise add up to its power.
using SpectrumRow = std::vector<float>;

/// A frame, with whoever its MAC header names.
struct HeardFrame {
    phy::Frame frame;  ///< payload emptied
    Place place;
    std::size_t bytes = 0;                 ///< of its payload
    std::optional<mac::StationId> sender;  ///< unset: no header of the MAC is readable
    std::vector<mac::StationId> targets;   ///< whom its fragments are for
    bool hello = false;

    /// "1f3a9c02 > 77aa0b1c", "1f3a9c02 hello", "" if nobody is named.
    [[nodiscard]] std::string who() const;
};

/// Everything heard from one sender.
struct HeardStation {
    std::uint64_t frames = 0, blocks = 0, blocks_lost = 0;
    double snr_db = 0.0, snr_sum_db = 0.0;  ///< of the last frame; of all of them
    double cfo_hz = 0.0;
    double last_s = 0.0;  ///< when it was heard last

    [[nodiscard]] double mean_snr_db() const noexcept { return snr_sum_db / static_cast<double>(frames); }
};

/// "1f3a9c02", the first digits of the node id; "everybody".
[[nodiscard]] std::string station_text(mac::StationId id);

class ChannelView {
public:
    static constexpr std::size_t kBins = 256;
    static constexpr std::uint64_t kFloorMemory = 1U << 20;  ///< of phy's power meter, samples
    static constexpr std::size_t kMostRows = 512, kMostFrames = 256, kMostStations = 256;

    ChannelView(const phy::Profile& profile, double row_seconds);

    /// 1024 samples at the profile's rate, or what is left, after `receiver` has had them.
    void on_samples(std::span<const phy::Sample> samples, const phy::Receiver& receiver);
    /// Samples were lost: they are silence to the receiver, and until it has forgotten that (2^20 samples) every noise
    /// is busy to it, so that nothing is counted.
    void on_gap() noexcept { uncounted_ = kFloorMemory; }
    /// Gives back what was noted of it.
    const HeardFrame& on_frame(const phy::Frame& frame, const Place& place);

    /// How long a row lasts from now on, s.
    void set_row_seconds(double seconds);
    [[nodiscard]] double row_seconds() const noexcept { return row_seconds_; }

    [[nodiscard]] double seconds() const noexcept { return static_cast<double>(samples_) / rate_hz_; }
    [[nodiscard]] double rate_hz() const noexcept { return rate_hz_; }
    /// Share of the time that the channel was busy: of all, and lately (time constant 1 s).
    [[nodiscard]] double busy() const noexcept;
    [[nodiscard]] double busy_lately() const noexcept { return busy_lately_; }
    /// Unset before the receiver has an estimate.
    [[nodiscard]] std::optional<double> noise_floor_dbfs() const noexcept { return floor_dbfs_; }
    [[nodiscard]] const std::deque<SpectrumRow>& rows() const noexcept { return rows_; }     ///< the newest first
    [[nodiscard]] const std::deque<HeardFrame>& frames() const noexcept { return frames_; }  ///< the newest first
    [[nodiscard]] const std::map<std::optional<mac::StationId>, HeardStation>& stations() const noexcept {
        return stations_;
    }
    [[nodiscard]] std::uint64_t frames_heard() const noexcept { return frames_heard_; }
    [[nodiscard]] std::uint64_t frames_with_errors() const noexcept { return frames_with_errors_; }
    /// Mean spectrum since the last call, in `bins` values (a divisor of kBins); empty if nothing came.
    [[nodiscard]] SpectrumRow take_spectrum(std::size_t bins);

private:
    void add_spectrum(std::span<const phy::Sample> samples);
    void forget_oldest_station();

    double rate_hz_, row_seconds_;
    phy::Fft transform_;
    std::vector<float> window_;
    double window_power_ = 0.0;
    std::vector<double> row_sum_, long_sum_;
    std::uint64_t row_count_ = 0, long_count_ = 0, row_samples_ = 0;
    std::uint64_t samples_ = 0, counted_ = 0, busy_samples_ = 0, uncounted_ = 0, next_transform_ = 0;
    double busy_lately_ = 0.0;
    std::optional<double> floor_dbfs_;
    std::deque<SpectrumRow> rows_;
    std::deque<HeardFrame> frames_;
    std::map<std::optional<mac::StationId>, HeardStation> stations_;
    std::uint64_t frames_heard_ = 0, frames_with_errors_ = 0;
};

/// `row` as `columns` values: means of power where there are fewer columns than bins.
[[nodiscard]] SpectrumRow resample_row(const SpectrumRow& row, std::size_t columns);

[[nodiscard]] nlohmann::ordered_json json_of(const HeardFrame& frame);
[[nodiscard]] nlohmann::ordered_json stations_json(const ChannelView& view);

}  // namespace meshnet::apps
