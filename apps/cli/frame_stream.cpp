// SPDX-License-Identifier: GPL-3.0-or-later
#include "apps/cli/frame_stream.hpp"

#include <algorithm>
#include <utility>

namespace meshnet::apps {

namespace {

// Lost samples are silence to the receiver, so that a frame around a short gap loses only blocks; of a long gap not
// more than this.
constexpr std::uint64_t kMostSilence = 65'536;
constexpr std::size_t kSlice = 1'024;

phy::Receiver::Config receiver_config(const FrameStream::Config& config) {
    phy::Receiver::Config out;
    out.profile = config.profile;
    out.decode_threads = config.decode_threads;
    return out;
}

}  // namespace

void Timeline::mark(std::uint64_t fed, std::uint64_t sample_index, std::uint64_t time_index) {
    constexpr std::ptrdiff_t kMostMarks = 4'096;
    if (std::ssize(marks_) == kMostMarks) {
        marks_.erase(marks_.begin(), marks_.begin() + kMostMarks / 2);  // of frames long delivered
    }
    marks_.push_back({fed, sample_index, time_index});
}

Place Timeline::place_of(const phy::Frame& f) const {
    const double behind_lead_in = static_cast<double>(f.sample_index) - lead_in_;
    const double fed = std::max((behind_lead_in + static_cast<double>(f.sample_fraction)) * scale_ - delay_, 0.0);
    auto mark = std::upper_bound(marks_.begin(), marks_.end(), fed,
                                 [](double at, const Mark& m) { return at < static_cast<double>(m.fed); });
    if (mark == marks_.begin()) {
        return {static_cast<std::uint64_t>(fed), fed / rate_hz_};
    }
    --mark;
    const double behind = fed - static_cast<double>(mark->fed);
    return {mark->sample_index + static_cast<std::uint64_t>(behind),
            (static_cast<double>(mark->time_index) + behind) / rate_hz_};
}

FrameStream::FrameStream(const Config& config, double rate_hz, std::optional<station::Resampler> resampler,
                         OnFrame on_frame)
    : rate_hz_(rate_hz),
      resampler_(std::move(resampler)),
      timeline_(rate_hz, config.profile->sample_rate_hz, resampler_ ? resampler_->delay_samples() : 0.0,
                config.lead_in),
      receiver_(receiver_config(config)),
      on_frame_(std::move(on_frame)),
      started_(config.from_zero) {
    receive(std::vector<phy::Sample>(config.lead_in));
}

void FrameStream::push(std::span<const phy::Sample> samples, std::uint64_t sample_index, std::uint64_t time_index) {
    if (started_ && time_index > next_time_) {
        const std::uint64_t gap = time_index - next_time_;
        lost_ += gap;
        feed(std::vector<phy::Sample>(static_cast<std::size_t>(std::min(gap, kMostSilence))));
    }
    if (!started_ || time_index != next_time_ || sample_index != next_sample_) {
        timeline_.mark(fed_, sample_index, time_index);
    }
    started_ = true;
    next_time_ = time_index + samples.size();
    next_sample_ = sample_index + samples.size();
    samples_ += samples.size();
    feed(samples);
}

void FrameStream::finish() {
    if (resampler_) {
        at_rate_.clear();
        resampler_->flush(at_rate_);
        receive(at_rate_);
    }
    receiver_.flush();
    poll();
}

void FrameStream::feed(std::span<const phy::Sample> samples) {
    fed_ += samples.size();
    if (!resampler_) {
        receive(samples);
        return;
    }
    at_rate_.clear();
    resampler_->process(samples, at_rate_);
    receive(at_rate_);
}

void FrameStream::receive(std::span<const phy::Sample> samples) {
    while (!samples.empty()) {
        const auto slice = samples.first(on_slice_ ? std::min(samples.size(), kSlice) : samples.size());
        samples = samples.subspan(slice.size());
        pushed_ += slice.size();
        receiver_.push(slice);
        poll();
        if (on_slice_) {
            on_slice_(slice);
        }
    }
}

void FrameStream::poll() {
    while (const auto frame = receiver_.poll_frame()) {
        cut_off_ += frame->sample_index + frame->length_samples > pushed_ ? 1 : 0;
        on_frame_(*frame, timeline_.place_of(*frame));
    }
}

}  // namespace meshnet::apps
