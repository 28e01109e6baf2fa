// SPDX-License-Identifier: GPL-3.0-or-later
#include "station/meshair/receive_path.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace meshnet::meshair {

namespace {

constexpr std::size_t kShortestQueue = 262'144;  // samples
constexpr double kQueueSeconds = 0.25;

}  // namespace

ReceivePath::ReceivePath(const DeviceModel& model, const AirFacts& air, std::uint64_t seed)
    : model_(model),
      air_(air),
      seed_(seed),
      converter_(settings_.band(Direction::kReceive, air)),
      noise_(settings_, air, seed),
      imbalance_(model.image_gain_db, model.image_phase_deg,
                 {static_cast<float>(model.dc_offset), static_cast<float>(-0.5 * model.dc_offset)}),
      quantizer_(model.receive.converter_bits, 1.0) {}

void ReceivePath::set(const ChannelSettings& settings) {
    if (settings == settings_) {
        return;
    }
    const bool new_rate = settings.ratio != settings_.ratio;
    const bool new_band = settings.band(Direction::kReceive, air_) != converter_.band();
    const bool new_noise =
        new_band || settings.bandwidth_hz != settings_.bandwidth_hz || settings.frequency_hz != settings_.frequency_hz;
    settings_ = settings;
    if (new_band) {
        // The filter starts empty; the count of samples goes on.
        const std::uint64_t next_out = converter_.next_out();
        converter_ = BandConverter(settings.band(Direction::kReceive, air_));
        converter_.start(next_index_, new_rate ? converter_.first_free_of(next_index_) : next_out);
    }
    if (new_noise) {
        noise_ = NoiseFill(settings, air_, seed_);
    }
    if (new_rate) {
        queue_.clear();
        queued_ = 0;
        transfer_ = {};
        gap_ = false;
    }
}

void ReceivePath::start(std::optional<std::uint64_t> tick, std::uint64_t count) {
    queue_.clear();
    queued_ = 0;
    transfer_ = {};
    late_ = overflow_ = gap_ = false;
    const std::uint64_t soonest = settings_.ratio.tick_at(next_index_);
    if (tick && *tick < soonest) {
        running_ = false;
        late_ = true;
        return;
    }
    running_ = true;
    left_ = count;
    converter_.start(next_index_, tick ? *tick : converter_.first_free_of(next_index_));
}

void ReceivePath::stop() {
    running_ = false;
}

void ReceivePath::mute_until(std::uint64_t index) {
    mute_until_ = std::max(mute_until_, index);
    transfer_ = {};
}

void ReceivePath::on_air(std::uint64_t first_index, std::span<const phy::Sample> samples) {
    const bool missing = first_index != next_index_;
    next_index_ = first_index + samples.size();
    if (!running_) {
        return;
    }
    if (const std::uint64_t from = std::max(mute_until_, lose_until_); first_index < from) {
        // Cut off what is not received; the stream goes on behind it.
        const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(samples.size(), from - first_index));
        gap_ = gap_ || first_index < lose_until_;
        first_index += skipped;
        samples = samples.subspan(skipped);
        converter_.start(first_index, std::max(converter_.next_out(), converter_.first_free_of(first_index)));
    } else if (missing) {
        gap_ = true;
        converter_.start(first_index, std::max(converter_.next_out(), converter_.first_free_of(first_index)));
    }
    convert(first_index, samples);
}

void ReceivePath::convert(std::uint64_t first_index, std::span<const phy::Sample> samples) {
    if (samples.empty()) {
        return;
    }
    if (converter_.next_in() != first_index) {
        converter_.start(first_index, std::max(converter_.next_out(), converter_.first_free_of(first_index)));
    }
    Chunk chunk;
    chunk.tick = converter_.next_out();
    converter_.process(samples, chunk.samples);
    if (left_ > 0 && chunk.samples.size() >= left_) {
        chunk.samples.resize(static_cast<std::size_t>(left_));
        chunk.end = true;
        running_ = false;
    }
    if (chunk.samples.empty()) {
        return;
    }
    left_ -= std::min<std::uint64_t>(left_, chunk.samples.size());
    make_real(chunk.samples, chunk.tick);
    if (model_.has_time) {
        keep(std::move(chunk));
    } else {
        keep_transfers(std::move(chunk));
    }
}

void ReceivePath::make_real(std::span<phy::Sample> samples, std::uint64_t tick) {
    noise_.add(samples, tick);
    const auto gain = static_cast<float>(std::pow(10.0, (settings_.gain_db - model_.receive.nominal_gain_db) / 20.0));
    for (phy::Sample& s : samples) {
        s *= gain;
    }
    if (model_.image_gain_db != 0.0) {
        imbalance_.process(samples);
    }
    quantizer_.process(samples);
}

std::size_t ReceivePath::capacity() const noexcept {
    return std::max(kShortestQueue, static_cast<std::size_t>(kQueueSeconds * settings_.ratio.rate_hz(air_.rate_hz)));
}

void ReceivePath::keep(Chunk&& chunk) {
    if (queued_ + chunk.samples.size() > capacity()) {
        gap_ = true;
        if (!chunk.end) {
            return;
        }
        chunk.samples.clear();  // the reader still learns that the stream has ended
    }
    chunk.gap = std::exchange(gap_, false);
    queued_ += chunk.samples.size();
    queue_.push_back(std::move(chunk));
}

void ReceivePath::keep_transfers(Chunk&& chunk) {
    gap_ = false;  // nobody counts its samples
    for (std::size_t done = 0; done < chunk.samples.size();) {
        const std::size_t count = std::min(chunk.samples.size() - done, model_.mtu - transfer_.samples.size());
        const auto from = chunk.samples.begin() + static_cast<std::ptrdiff_t>(done);
        transfer_.samples.insert(transfer_.samples.end(), from, from + static_cast<std::ptrdiff_t>(count));
        done += count;
        if (transfer_.samples.size() < model_.mtu) {
            break;
        }
        if (queue_.size() >= model_.receive_transfers) {
            overflow_ = true;
            queued_ -= queue_.front().samples.size() - queue_.front().used;
            queue_.pop_front();
        }
        queued_ += transfer_.samples.size();
        queue_.push_back(std::exchange(transfer_, Chunk{}));
    }
}

ReceivePath::Read ReceivePath::read(std::span<phy::Sample> out) {
    Read result;
    if (std::exchange(late_, false)) {
        result.outcome = Outcome::kLate;
        return result;
    }
    if (!queue_.empty() && std::exchange(queue_.front().gap, false)) {
        overflow_ = true;
        result.tick = queue_.front().tick;
    }
    if (std::exchange(overflow_, false)) {
        result.outcome = Outcome::kOverflow;
        return result;
    }
    while (!queue_.empty() && !result.end) {
        Chunk& front = queue_.front();
        const std::uint64_t tick = front.tick + front.used;
        const bool goes_on = result.count == 0 || (!front.gap && tick == result.tick + result.count);
        if (!goes_on && model_.has_time) {
            break;
        }
        if (result.count == 0) {
            result.tick = tick;
        }
        const std::size_t count = std::min(out.size() - result.count, front.samples.size() - front.used);
        std::copy_n(front.samples.begin() + static_cast<std::ptrdiff_t>(front.used), count,
                    out.begin() + static_cast<std::ptrdiff_t>(result.count));
        result.count += count;
        front.used += count;
        queued_ -= count;
        if (front.used < front.samples.size()) {
            break;
        }
        result.end = front.end;
        queue_.pop_front();
    }
    if (result.count > 0 || result.end) {
        result.outcome = Outcome::kSamples;
    }
    return result;
}

}  // namespace meshnet::meshair
