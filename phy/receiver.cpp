// SPDX-License-Identifier: MIT
#include "phy/receiver.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <deque>
#include <stdexcept>
#include <string>

#include "phy/frame_demodulator.hpp"
#include "phy/frame_synchronizer.hpp"
#include "phy/power_meter.hpp"
#include "phy/sample_gate.hpp"
#include "phy/sample_ring.hpp"

namespace meshnet::phy {
namespace {

constexpr std::size_t kStep = 128;        // samples between looks: everything happens at multiples of it
constexpr std::size_t kDemodulators = 4;  // overlapping frames held at once

std::size_t ring_capacity(const Profile& profile) {
    // A long preamble is reported at most latency() after it began, and a demodulator looks one symbol further back.
    std::size_t needed = 16 * 4096 + 8 * profile.symbol_samples() + 2 * kStep;
    std::size_t capacity = 1;
    while (capacity < needed) {
        capacity *= 2;
    }
    return capacity;
}

const Profile& checked(const Receiver::Config& config) {
    if (config.profile == nullptr) {
        throw std::invalid_argument("Receiver: profile is not set");
    }
    if (config.max_iterations < 1 || config.max_iterations > 100) {
        throw std::invalid_argument("Receiver: max_iterations must be 1..100, is " +
                                    std::to_string(config.max_iterations));
    }
    if (!config.search_short && !config.search_medium && !config.search_long) {
        throw std::invalid_argument("Receiver: search_short, search_medium and search_long are all off");
    }
    return *config.profile;
}

}  // namespace

struct Receiver::Impl {
    explicit Impl(const Config& c) : config(c), shared(checked(c)), ring(ring_capacity(*c.profile)) {
        const Profile& p = *c.profile;
        if (c.search_short) synchronizers.emplace_back(p, PreambleClass::kShort);
        if (c.search_medium) synchronizers.emplace_back(p, PreambleClass::kMedium);
        if (c.search_long) synchronizers.emplace_back(p, PreambleClass::kLong);
        for (std::size_t i = 0; i < kDemodulators; ++i) {
            demodulators.emplace_back(shared);
        }
        found.reserve(16);
        gated.resize(kStep);
        if (c.keep_constellation) {
            points.reserve(4096);
            shared.constellation_out = &points;
        }
    }

    void look() {
        found.clear();
        for (auto& s : synchronizers) {
            s.advance(ring, found);
        }
        for (const auto& start : found) {
            begin(start);
        }
        for (auto& d : demodulators) {
            advance(d);
        }
    }

    void begin(const FrameStart& start) {
        ++counters.preambles;
        for (auto& d : demodulators) {
            // The same arrival found again (another class, an echo): the stronger one is already at work.
            if (d.state() != FrameDemodulator::State::kIdle) {
                const auto other = d.frame_start().sample_index;
                const auto distance =
                    other > start.sample_index ? other - start.sample_index : start.sample_index - other;
                if (distance < 32) {
                    return;
                }
            }
        }
        for (auto& d : demodulators) {
            if (d.state() == FrameDemodulator::State::kIdle) {
                d.start(start);
                return;
            }
        }
        ++counters.detections_dropped;
    }

    void advance(FrameDemodulator& d) {
        using State = FrameDemodulator::State;
        if (d.state() == State::kIdle) {
            return;
        }
        const bool had_header = d.header_ok();
        d.advance(ring, config.max_iterations);
        if (d.header_ok() && !had_header) {
            ++counters.headers_ok;
        }
        if (d.state() == State::kDone) {
            Frame frame = d.take();
            std::size_t ok = 0;
            for (const auto& b : frame.blocks) {
                ok += b.crc_ok ? 1 : 0;
            }
            counters.blocks_ok += ok;
            counters.blocks_bad += frame.blocks.size() - ok;
            counters.frames_ok += ok == frame.blocks.size() ? 1 : 0;
            counters.frames_partial += ok > 0 && ok < frame.blocks.size() ? 1 : 0;
            frames.push_back(std::move(frame));
        } else if (d.state() == State::kLost) {
            d.release();
        }
    }

    Config config;
    DemodulatorShared shared;
    SampleRing ring;
    SampleGate gate;
    PowerMeter meter;
    std::vector<FrameSynchronizer> synchronizers;
    std::vector<FrameDemodulator> demodulators;
    std::vector<FrameStart> found;
    std::vector<Sample> gated;
    std::size_t gated_count = 0;
    std::vector<Sample> points;
    std::deque<Frame> frames;
    ReceiverCounters counters;
};

Receiver::Receiver(const Config& config) : impl_(std::make_unique<Impl>(config)) {}
Receiver::~Receiver() = default;
Receiver::Receiver(Receiver&&) noexcept = default;
Receiver& Receiver::operator=(Receiver&&) noexcept = default;

void Receiver::push(std::span<const Sample> samples) {
    Impl& r = *impl_;
    r.counters.samples += samples.size();
    while (!samples.empty()) {
        const std::size_t n = std::min(kStep - r.gated_count, samples.size());
        r.gate.pass(samples.first(n), std::span(r.gated).subspan(r.gated_count, n));
        r.gated_count += n;
        samples = samples.subspan(n);
        if (r.gated_count == kStep) {
            r.ring.push(r.gated);
            r.meter.add(r.gated);
            r.gated_count = 0;
            r.look();
        }
    }
    r.counters.samples_not_finite = r.gate.not_finite();
    r.counters.samples_clipped = r.gate.clipped();
}

std::optional<Frame> Receiver::poll_frame() {
    if (impl_->frames.empty()) {
        return std::nullopt;
    }
    Frame frame = std::move(impl_->frames.front());
    impl_->frames.pop_front();
    return frame;
}

void Receiver::flush() {
    // Silence behind the last sample lets every detector and demodulator run to its end; what needs real samples beyond
    // the end of the input fails its CRC and is lost.
    Impl& r = *impl_;
    const std::vector<Sample> silence(kStep);
    std::size_t left = 16 * 4096 + 8 * r.config.profile->symbol_samples();
    const auto counted = r.counters.samples;
    while (left >= kStep) {
        push(silence);
        left -= kStep;
    }
    r.counters.samples = counted;
}

bool Receiver::carrier_busy() const noexcept {
    for (const auto& d : impl_->demodulators) {
        if (d.header_ok() && d.state() == FrameDemodulator::State::kData) {
            return true;
        }
    }
    return impl_->meter.busy();
}

std::optional<std::uint64_t> Receiver::reception_ends() const noexcept {
    std::optional<std::uint64_t> latest;
    for (const auto& d : impl_->demodulators) {
        if (d.state() == FrameDemodulator::State::kData) {
            const auto end = d.end_index();
            if (end && (!latest || *end > *latest)) {
                latest = end;
            }
        }
    }
    return latest;
}

float Receiver::noise_floor_dbfs() const noexcept {
    return impl_->meter.floor_dbfs();
}

const ReceiverCounters& Receiver::counters() const noexcept {
    return impl_->counters;
}

std::span<const Sample> Receiver::constellation() const noexcept {
    return impl_->points;
}

}  // namespace meshnet::phy
