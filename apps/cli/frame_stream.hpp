// SPDX-License-Identifier: GPL-3.0-or-later
// Samples of a radio or a recording -> frames, each with its place on the source's own count, across gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "apps/cli/frame_printer.hpp"
#include "phy/receiver.hpp"
#include "station/radio/resampler.hpp"

namespace meshnet::apps {

/// From the receiver's count of samples to the source's.
class Timeline {
public:
    /// `rate_hz` is the source's; `delay` of the resampler between, in its samples; `lead_in`: samples that the
    /// receiver had before the source's first.
    Timeline(double rate_hz, double profile_hz, double delay, std::size_t lead_in)
        : rate_hz_(rate_hz), scale_(rate_hz / profile_hz), delay_(delay), lead_in_(static_cast<double>(lead_in)) {}

    /// From here on, `fed` samples of the source's rate having gone on to the receiver. Old marks are forgotten.
    void mark(std::uint64_t fed, std::uint64_t sample_index, std::uint64_t time_index);
    [[nodiscard]] Place place_of(const phy::Frame& f) const;

private:
    struct Mark {
        std::uint64_t fed, sample_index, time_index;
    };
    double rate_hz_, scale_, delay_, lead_in_;
    std::vector<Mark> marks_;
};

/// A receiver behind a resampler, with silence where samples were lost.
class FrameStream {
public:
    struct Config {
        const phy::Profile* profile = nullptr;
        unsigned decode_threads = 0;
        /// Silence put before the first sample, so that a frame that begins with it is found like any other.
        std::size_t lead_in = 0;
        bool from_zero = true;  ///< the source's count begins at 0: what lacks before the first samples was lost
    };
    using OnFrame = std::function<void(const phy::Frame&, const Place&)>;
    using OnSlice = std::function<void(std::span<const phy::Sample>)>;

    /// `resampler`: from `rate_hz` to the profile's; unset: it is the profile's.
    FrameStream(const Config& config, double rate_hz, std::optional<station::Resampler> resampler, OnFrame on_frame);

    /// Called with every 1024 samples of the profile's rate after the receiver has had them.
    void watch_slices(OnSlice on_slice) { on_slice_ = std::move(on_slice); }

    /// The next samples, which stand at `sample_index` of the source and at `time_index` of its time line. A jump of
    /// the time means lost samples; a step back, that the source counts anew.
    void push(std::span<const phy::Sample> samples, std::uint64_t sample_index, std::uint64_t time_index);
    /// Nothing more comes.
    void finish();

    [[nodiscard]] const phy::Receiver& receiver() const noexcept { return receiver_; }
    /// Samples of the source's rate that came, and that were lost.
    [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
    [[nodiscard]] std::uint64_t samples_lost() const noexcept { return lost_; }
    /// Both of them together.
    [[nodiscard]] double seconds() const noexcept { return static_cast<double>(samples_ + lost_) / rate_hz_; }
    /// Where the source's time line stands, s.
    [[nodiscard]] double time_s() const noexcept { return static_cast<double>(next_time_) / rate_hz_; }
    /// Frames that came out before their last sample was there: the source ended in them.
    [[nodiscard]] std::uint64_t cut_off() const noexcept { return cut_off_; }

private:
    void feed(std::span<const phy::Sample> samples);
    void receive(std::span<const phy::Sample> samples);
    void poll();

    double rate_hz_;
    std::optional<station::Resampler> resampler_;
    Timeline timeline_;
    phy::Receiver receiver_;
    OnFrame on_frame_;
    OnSlice on_slice_;
    std::vector<phy::Sample> at_rate_;
    std::uint64_t fed_ = 0, pushed_ = 0, next_time_ = 0, next_sample_ = 0;
    std::uint64_t samples_ = 0, lost_ = 0, cut_off_ = 0;
    bool started_;
};

}  // namespace meshnet::apps
