// SPDX-License-Identifier: MIT
#include "lab/monte_carlo.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <thread>

#include "core/bytes.hpp"
#include "core/random.hpp"
#include "lab/genie.hpp"
#include "phy/frame.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::lab {
namespace {

constexpr std::size_t kBatchSamples = 400'000;
constexpr std::size_t kMaxBatchFrames = 32;

sim::Channel::Config base_channel(const Scenario& s) {
    sim::Channel::Config base;
    base.sample_rate_hz = s.profile->sample_rate_hz;
    base.occupied_fraction = s.profile->occupied_bandwidth_hz() / s.profile->sample_rate_hz;
    base.snr_db = s.snr_db;
    return base;
}

/// The whole receiver behind the channel, and the buffers of one thread.
class Worker {
public:
    explicit Worker(const Scenario& s) : s_(s), source_(s, true) {}

    Tally run(std::uint64_t first_frame, std::size_t frames) {
        phy::Receiver::Config config;
        config.profile = s_.profile;
        phy::Receiver receiver(config);
        Tally tally;
        tally.frame_samples = phy::frame_samples(*s_.profile, s_.mode, s_.payload_bytes);
        for (std::size_t i = 0; i < frames; ++i) {
            one_frame(first_frame + i, receiver, tally);
        }
        return tally;
    }

private:
    void one_frame(std::uint64_t index, phy::Receiver& receiver, Tally& tally) {
        auto& sent = source_.make(index);
        sim::Channel channel(channel_of_frame(s_, index));
        sent.resize(sent.size() + source_.tail(channel));
        received_.clear();
        channel.process(sent, received_);

        const std::uint64_t begin = receiver.counters().samples;
        const std::uint64_t preambles_before = receiver.counters().preambles;
        receiver.push(received_);
        const std::uint64_t preambles = receiver.counters().preambles - preambles_before;
        bool header = false;
        bool right = false;
        while (const auto frame = receiver.poll_frame()) {
            const bool of_ours =
                frame->mode == s_.mode && frame->payload.size() == s_.payload_bytes && frame->sample_index >= begin;
            // The same frame may come once more with more of its blocks.
            if (!of_ours || (header && !frame->recovered)) {
                ++tally.false_headers;
                continue;
            }
            for (const auto& block : frame->blocks) {
                tally.blocks += header ? 0 : 1;
                tally.iterations += block.iterations;
            }
            header = true;
            const bool same = frame->payload == source_.payload();
            right = right || (frame->ok() && same);
            tally.undetected += frame->ok() && !same ? 1 : 0;
        }
        ++tally.frames;
        tally.errors += right ? 0 : 1;
        tally.detect_miss += preambles == 0 && !header ? 1 : 0;
        tally.header_miss += preambles != 0 && !header ? 1 : 0;
        tally.false_alarms += preambles > 1 ? preambles - 1 : 0;
    }

    const Scenario& s_;
    FrameSource source_;
    std::vector<phy::Sample> received_;
};

}  // namespace

std::vector<phy::Sample>& FrameSource::make(std::uint64_t index) {
    Rng payload_rng(seed_of(s_.seed, index, Stream::kPayload));
    payload_.resize(s_.payload_bytes);
    payload_rng.fill(payload_);
    Rng time_rng(seed_of(s_.seed, index, Stream::kTime));
    // The rising chirp's peak comes early by up to 0.15 chirps under a positive offset: that must not be before the
    // receiver's first sample.
    const auto chirp = phy::class_params(*s_.profile, phy::modes()[s_.mode].preamble).chirp_samples;
    sent_.assign(200 + chirp + time_rng.below(2000), phy::Sample{});
    gap_ = sent_.size();
    transmitter_.modulate(s_.mode, payload_, sent_);
    const double angle = 2.0 * std::numbers::pi * time_rng.uniform();
    phase_ = phy::Sample(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
    for (std::size_t i = gap_; i < sent_.size(); ++i) {
        sent_[i] *= phase_;
    }
    return sent_;
}

std::size_t FrameSource::tail(const sim::Channel& channel) const {
    double delay = channel.config().delay_samples;
    double spread = 0.0;
    for (const auto& path : channel.config().paths) {
        spread = std::max(spread, path.delay_samples);
    }
    delay += spread + static_cast<double>(channel.latency());
    const auto params = phy::class_params(*s_.profile, phy::modes()[s_.mode].preamble);
    return static_cast<std::size_t>(std::ceil(delay)) + 8 * params.chirp_samples + 512;
}

std::uint64_t seed_of(std::uint64_t seed, std::uint64_t frame, Stream stream) {
    Rng mix(seed * 0x9e3779b97f4a7c15ULL + frame * 4 + static_cast<std::uint64_t>(stream));
    return mix.next_u64() >> 8;  // the channel multiplies it
}

Status check(const Scenario& s) {
    if (s.profile == nullptr) {
        return Error{ErrorCode::kInvalidArgument, "no profile given"};
    }
    if (s.mode >= phy::modes().size()) {
        return Error{ErrorCode::kInvalidArgument, "no such mode"};
    }
    if (s.payload_bytes < 1 || s.payload_bytes > phy::kMaxPayloadBytes) {
        return Error{ErrorCode::kInvalidArgument, "payload must be 1.." + std::to_string(phy::kMaxPayloadBytes) +
                                                      " bytes, is " + std::to_string(s.payload_bytes)};
    }
    if (!std::isfinite(s.snr_db) || s.snr_db < -60.0 || s.snr_db > 100.0) {
        return Error{ErrorCode::kInvalidArgument, "SNR must be within -60..100 dB"};
    }
    if (s.cfo_hz && !(std::abs(*s.cfo_hz) <= s.profile->sample_rate_hz / 2.0)) {
        return Error{ErrorCode::kInvalidArgument,
                     "carrier offset must be within half the sample rate, +-" +
                         std::to_string(static_cast<long>(s.profile->sample_rate_hz / 2.0)) + " Hz"};
    }
    if (s.sfo_ppm && !(std::abs(*s.sfo_ppm) <= 1000.0)) {
        return Error{ErrorCode::kInvalidArgument, "sampling clock error must be within +-1000 ppm"};
    }
    const auto config = sim::Channel::configure(s.channel, base_channel(s));
    if (!config) {
        return config.error();
    }
    return Ok{};
}

sim::Channel::Config channel_of_frame(const Scenario& s, std::uint64_t index) {
    auto config = sim::Channel::configure(s.channel, base_channel(s)).value();
    Rng rng(seed_of(s.seed, index, Stream::kChannel));
    config.seed = rng.next_u64() >> 8;
    config.delay_samples += rng.uniform();
    const double offset = (2.0 * rng.uniform() - 1.0) * s.profile->max_cfo_hz;
    if (s.cfo_hz) {
        config.cfo_hz = *s.cfo_hz;
    } else if (config.cfo_hz == 0.0) {
        config.cfo_hz = offset;
    }
    if (s.sfo_ppm) {
        config.sfo_ppm = *s.sfo_ppm;
    }
    return config;
}

double Tally::throughput_bps(const Scenario& s) const noexcept {
    if (frames == 0) {
        return 0.0;
    }
    const double air_s = static_cast<double>(frame_samples) / s.profile->sample_rate_hz;
    return (1.0 - per()) * 8.0 * static_cast<double>(s.payload_bytes) / air_s;
}

void Tally::add(const Tally& other) noexcept {
    frames += other.frames;
    errors += other.errors;
    detect_miss += other.detect_miss;
    header_miss += other.header_miss;
    undetected += other.undetected;
    false_alarms += other.false_alarms;
    false_headers += other.false_headers;
    blocks += other.blocks;
    iterations += other.iterations;
    frame_samples = other.frame_samples;
}

std::size_t batch_frames(const Scenario& s) noexcept {
    return std::clamp(kBatchSamples / phy::frame_samples(*s.profile, s.mode, s.payload_bytes), std::size_t{1},
                      kMaxBatchFrames);
}

Tally run_point(const Scenario& s, const Effort& effort) {
    if (s.genie) {
        return run_genie_point(s, effort);
    }
    return run_batches(effort, batch_frames(s), [&s]() -> BatchRunner {
        return [worker = std::make_shared<Worker>(s)](std::uint64_t first, std::size_t count) {
            return worker->run(first, count);
        };
    });
}

Tally run_batches(const Effort& effort, std::size_t per_batch, const std::function<BatchRunner()>& make) {
    // Batches finish in any order and are counted in theirs, so that stopping early stops at the same frame always.
    std::mutex mutex;
    std::map<std::uint64_t, Tally> waiting;
    Tally total;
    std::uint64_t next_to_run = effort.first_batch;
    std::uint64_t next_to_count = effort.first_batch;
    bool enough = false;
    const std::uint64_t batches = (effort.frames + per_batch - 1) / per_batch;

    const auto work = [&] {
        const BatchRunner run = make();
        for (;;) {
            std::uint64_t batch = 0;
            {
                const std::lock_guard lock(mutex);
                if (enough || next_to_run >= batches) {
                    return;
                }
                batch = next_to_run;
                next_to_run += effort.every_batch;
            }
            const std::uint64_t first = batch * per_batch;
            const Tally tally =
                run(first, static_cast<std::size_t>(std::min<std::uint64_t>(per_batch, effort.frames - first)));
            const std::lock_guard lock(mutex);
            waiting.emplace(batch, tally);
            for (auto it = waiting.find(next_to_count); it != waiting.end() && !enough;
                 it = waiting.find(next_to_count)) {
                total.add(it->second);
                waiting.erase(it);
                next_to_count += effort.every_batch;
                enough = effort.min_errors > 0 && total.errors >= effort.min_errors;
            }
            if (effort.progress) {
                effort.progress(total.frames, total.errors);
            }
        }
    };
    std::vector<std::thread> helpers;
    for (unsigned t = 1; t < std::min<std::uint64_t>(effort.threads, batches); ++t) {
        helpers.emplace_back(work);
    }
    work();
    for (auto& helper : helpers) {
        helper.join();
    }
    return total;
}

}  // namespace meshnet::lab
