// SPDX-License-Identifier: MIT
#include "lab/detection.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numbers>

#include "core/random.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "phy/waveform/grid.hpp"
#include "sim/channel/gaussian.hpp"

namespace meshnet::lab {
namespace {

constexpr std::size_t kStep = 128;
constexpr std::size_t kTrialsPerBatch = 16;
constexpr std::uint64_t kNoiseBatch = 4'000'000;

phy::ModeIndex most_robust(phy::PreambleClass preamble) {
    const auto modes = phy::modes();
    const auto it = std::find_if(modes.begin(), modes.end(), [&](const auto& m) { return m.preamble == preamble; });
    return static_cast<phy::ModeIndex>(it - modes.begin());
}

struct Trial {
    bool found = false;
    std::uint64_t elsewhere = 0;
    double time_error = 0.0;
    double cfo_error_hz = 0.0;
};

Trial one_trial(const phy::Profile& profile, phy::PreambleClass preamble, phy::Transmitter& transmitter, double snr_db,
                std::uint64_t seed, std::uint64_t index) {
    Scenario s;
    s.profile = &profile;
    s.mode = most_robust(preamble);
    s.payload_bytes = 16;
    s.snr_db = snr_db;
    s.seed = seed;
    const auto params = phy::class_params(profile, preamble);
    Rng rng(seed_of(seed, index, Stream::kTime));
    // The peak of the rising chirp comes early under a positive offset: room for it before the frame.
    std::vector<phy::Sample> sent(params.chirp_samples + 300 + rng.below(4 * params.chirp_samples));
    const std::size_t gap = sent.size();
    Bytes payload(s.payload_bytes);
    rng.fill(payload);
    transmitter.modulate(s.mode, payload, sent);
    sent.resize(gap + std::min(sent.size() - gap,
                               2 * params.chirp_samples + params.training_symbols * profile.symbol_samples()));
    const double phase_rad = 2.0 * std::numbers::pi * rng.uniform();
    const phy::Sample phase(static_cast<float>(std::cos(phase_rad)), static_cast<float>(std::sin(phase_rad)));
    for (auto& x : sent) {
        x *= phase;
    }
    phy::FrameSynchronizer synchronizer(profile, preamble);
    sent.resize((sent.size() + synchronizer.latency() + 2 * kStep) / kStep * kStep);
    const auto config = channel_of_frame(s, index);
    sim::Channel channel(config);
    std::vector<phy::Sample> heard;
    channel.process(sent, heard);
    heard.resize(heard.size() / kStep * kStep);

    std::size_t capacity = 1;
    while (capacity < synchronizer.latency() + 8 * params.chirp_samples + 1024) {
        capacity *= 2;
    }
    phy::SampleRing ring(capacity);
    std::vector<phy::FrameStart> starts;
    for (std::size_t i = 0; i < heard.size(); i += kStep) {
        ring.push(std::span(heard).subspan(i, kStep));
        synchronizer.advance(ring, starts);
    }
    Trial trial;
    const double expected = static_cast<double>(gap) + config.delay_samples;
    for (const auto& start : starts) {
        const double error = static_cast<double>(start.sample_index) + start.fraction - expected;
        if (!trial.found && std::abs(error) <= static_cast<double>(profile.cyclic_prefix)) {
            trial.found = true;
            trial.time_error = error;
            trial.cfo_error_hz = start.cfo_cycles_per_sample * profile.sample_rate_hz - config.cfo_hz;
        } else {
            ++trial.elsewhere;
        }
    }
    return trial;
}

}  // namespace

DetectionTally measure_detection(const phy::Profile& profile, phy::PreambleClass preamble, double snr_db,
                                 std::uint64_t trials, std::uint64_t seed, unsigned threads) {
    // Sums of doubles depend on their order: each trial has a place of its own and they are added up afterwards.
    std::vector<Trial> results(trials);
    Effort effort;
    effort.frames = trials;
    effort.threads = threads;
    (void)run_batches(effort, kTrialsPerBatch, [&]() -> BatchRunner {
        return [&, transmitter = std::make_shared<phy::Transmitter>(profile)](std::uint64_t first, std::size_t count) {
            for (std::uint64_t i = first; i < first + count; ++i) {
                results[i] = one_trial(profile, preamble, *transmitter, snr_db, seed, i);
            }
            Tally tally;
            tally.frames = count;
            return tally;
        };
    });
    DetectionTally out;
    for (const Trial& trial : results) {
        ++out.trials;
        out.found += trial.found ? 1 : 0;
        out.elsewhere += trial.elsewhere;
        out.time_error_squared += trial.time_error * trial.time_error;
        out.cfo_error_squared += trial.cfo_error_hz * trial.cfo_error_hz;
    }
    return out;
}

NoiseTally measure_false_alarms(const phy::Profile& profile, std::uint64_t samples, std::uint64_t seed,
                                const Effort& effort) {
    Effort in_batches = effort;
    in_batches.frames = (samples + kNoiseBatch - 1) / kNoiseBatch;
    in_batches.min_errors = 0;
    const Tally tally = run_batches(in_batches, 1, [&]() -> BatchRunner {
        return [&](std::uint64_t first, std::size_t) {
            phy::Receiver::Config config;
            config.profile = &profile;
            phy::Receiver receiver(config);
            sim::Gaussian noise(seed_of(seed, first, Stream::kChannel));
            std::vector<phy::Sample> chunk(8192);
            for (std::uint64_t done = 0; done < kNoiseBatch; done += chunk.size()) {
                std::fill(chunk.begin(), chunk.end(), phy::Sample{});
                noise.add(chunk, 0.1F);
                receiver.push(chunk);
            }
            Tally batch;
            batch.frames = 1;
            batch.frame_samples = receiver.counters().samples;
            batch.false_alarms = receiver.counters().preambles;
            batch.false_headers = receiver.counters().headers_ok;
            return batch;
        };
    });
    return {tally.frames * tally.frame_samples, tally.false_alarms, tally.false_headers};
}

}  // namespace meshnet::lab
