// SPDX-License-Identifier: MIT
#include "phy/receiver.hpp"
#include "phy/dsp/dc_blocker.hpp"
#include "phy/dsp/silence_detector.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "phy/cancellation/collision_resolver.hpp"
#include "phy/demodulation/receiver_chain.hpp"
#include "phy/demodulation/search_ahead.hpp"
#include "phy/dsp/sample_gate.hpp"
#include "phy/estimation/power_meter.hpp"

namespace meshnet::phy {
namespace {

constexpr std::size_t kStep = ReceiverChain::kStep;
// Silence before the first sample, so that a frame may begin with it: what the largest carrier offset moves a peak by,
// and a prefix of paths.
constexpr std::size_t kOrigin = 8 * kStep;
constexpr std::size_t kDemodulators = 4;                // overlapping frames held at once
constexpr std::size_t kHistory = std::size_t{1} << 18;  // samples: the longest frame that can be subtracted

const Profile& checked(const Receiver::Config& config) {
    if (config.profile == nullptr) {
        throw std::invalid_argument("Receiver: profile is not set");
    }
    if (config.max_iterations < 1 || config.max_iterations > 100) {
        throw std::invalid_argument("Receiver: max_iterations must be 1..100, is " +
                                    std::to_string(config.max_iterations));
    }
    if (config.decode_threads > 16) {
        throw std::invalid_argument("Receiver: decode_threads must be 0..16, is " +
                                    std::to_string(config.decode_threads));
    }
    if (!config.search_short && !config.search_medium && !config.search_long) {
        throw std::invalid_argument("Receiver: search_short, search_medium and search_long are all off");
    }
    return *config.profile;
}

}  // namespace

struct Receiver::Impl {
    explicit Impl(const Config& c)
        : config(c),
          shared(checked(c)),
          live(shared, chain_config(c, c.cancel_interference ? kHistory : 0)),
          resolver(shared, {chain_config(c, 0), live.ring().capacity(), c.cancel_interference}),
          oscillator(c.profile->sample_rate_hz) {
        if (c.decode_threads > 0) {
            shared.workers = std::make_unique<DecodeWorkers>(c.decode_threads, shared.grid);
            ahead = std::make_unique<SearchAhead>(live.synchronizers(), *shared.workers, live.ring().capacity());
            found.reserve(16);
        }
        gated.resize(kStep);
        step.resize(kStep);
        spare.resize(kStep);
        ended.reserve(kDemodulators);
        finished.reserve(kDemodulators);
        if (c.keep_constellation) {
            points.reserve(kMaxShownPoints);
            shared.constellation_out = &points;
        }
        shared.keep_channel = c.keep_channel;
        shared.keep_soft_bits = c.keep_soft_bits;
        hints[0].shift = {};
        for (std::size_t at = 0; at < kOrigin; at += kStep) {
            live.push(spare);
            if (ahead) {
                std::fill_n(ahead->next_step().begin(), kStep, Sample{});
                ahead->add();
                ahead->search_here();
                ahead->take(found);
            }
        }
    }

    static ReceiverChain::Config chain_config(const Config& c, std::size_t history) {
        ReceiverChain::Config out;
        out.search_short = c.search_short;
        out.search_medium = c.search_medium;
        out.search_long = c.search_long;
        out.demodulators = kDemodulators;
        out.max_iterations = c.max_iterations;
        out.ring_capacity = std::max(history, ReceiverChain::shortest_ring(*c.profile));
        return out;
    }

    // Everything the receiver does with the samples since the last time: those up to the end of a step, or up to the
    // end of a frame within it, which is complete then and not a step later.
    void work() {
        const bool whole = gated_count == kStep;
        const auto fresh = std::span(step).subspan(looked_count, gated_count - looked_count);
        std::copy_n(gated.begin() + static_cast<std::ptrdiff_t>(looked_count), fresh.size(), fresh.begin());
        dc.apply(fresh);
        if (whole) {
            dc.learn(step);
            silence.look(gated);
            meter.add(step, silence.end_step());
        }
        if (next_hint && looked_count == 0) {
            oscillator.set(*next_hint);
            next_hint.reset();
            newest_hint = (newest_hint + 1) % hints.size();
            hints[newest_hint] = {live.ring().end(), oscillator.now()};
        }
        if (!ahead && oscillator.idle()) {
            look(fresh);
            return;
        }
        const auto turned =
            std::span(ahead ? ahead->next_step() : std::span(spare)).subspan(looked_count, fresh.size());
        std::copy(fresh.begin(), fresh.end(), turned.begin());
        if (!oscillator.idle()) {
            oscillator.rotate(turned, -1.0);
        }
        if (ahead && whole) {
            ahead->add();
            ahead->search_here();
        }
        look(turned);
    }

    // Enough samples that waking a thread pays, and nothing that a step's beginning changes for all.
    [[nodiscard]] bool may_work_ahead(std::size_t samples) const noexcept {
        constexpr std::size_t kFewest = 8;  // steps
        return ahead && gated_count == 0 && samples >= kFewest * kStep && oscillator.idle() && !next_hint;
    }

    // Steps of `samples` that the search may see before the demodulators do; returns how many samples they are.
    std::size_t work_ahead(std::span<const Sample> samples) {
        const std::size_t size = samples.size() / kStep * kStep;
        while (samples.size() >= kStep || ahead->ahead() > 0) {
            if (samples.size() >= kStep && ahead->ahead() <= SearchAhead::kMostAhead / 2) {
                while (samples.size() >= kStep && ahead->ahead() < SearchAhead::kMostAhead) {
                    const auto next = ahead->next_step();
                    gate.pass(samples.first(kStep), next);
                    samples = samples.subspan(kStep);
                    silence.look(next);
                    silent[next_silent++ % SearchAhead::kMostAhead] = silence.end_step();
                    dc.apply(next);
                    dc.learn(next);
                    ahead->add();
                }
                ahead->search();
            }
            const auto oldest = ahead->oldest();
            while (looked_count < kStep) {
                gated_count = next_look;
                if (gated_count == kStep) {
                    meter.add(oldest, silent[oldest_silent++ % SearchAhead::kMostAhead]);
                }
                if (look(oldest.subspan(looked_count, gated_count - looked_count))) {
                    break;
                }
            }
        }
        return size;
    }

    // The next samples, up to gated_count of the step. True if that was its end.
    bool look(std::span<const Sample> fresh) {
        const bool whole = gated_count == kStep;
        live.push(fresh);
        ended.clear();
        if (ahead) {
            found.clear();
            if (whole) {
                ahead->take(found);
            }
            live.look(found, ended, &counters);
        } else {
            live.look(ReceiverChain::kForever, ended, &counters);
        }
        finished.clear();
        if (whole) {
            resolver.step(live, ended, meter.floor_power(), finished, counters);
            gated_count = 0;
        } else {
            resolver.take(live, ended, meter.floor_power(), finished, counters);
        }
        looked_count = gated_count;
        find_next_look();
        for (auto& frame : finished) {
            // The hint was taken out of the samples as they came: of an inverted spectrum, with the other sign.
            const auto hint = static_cast<float>(hint_at(frame.sample_index + frame.length_samples));
            frame.cfo_hz += frame.inverted ? -hint : hint;
            frame.sample_index -= std::min<std::uint64_t>(frame.sample_index, kOrigin);
            frames.push_back(std::move(frame));
        }
        return whole;
    }

    void find_next_look() noexcept {
        next_look = kStep;
        if (const auto end = live.next_reception_end()) {
            next_look = std::min<std::uint64_t>(kStep, gated_count + (*end - live.ring().end()));
        }
    }

    // The hint in force at sample `index`, Hz.
    [[nodiscard]] double hint_at(std::uint64_t index) const noexcept {
        const Hint* best = nullptr;
        for (std::size_t i = 0; i < hints.size(); ++i) {
            const Hint& h = hints[(newest_hint + hints.size() - i) % hints.size()];
            best = &h;
            if (h.from <= index) {
                break;
            }
        }
        const double seconds =
            index > best->from ? static_cast<double>(index - best->from) / config.profile->sample_rate_hz : 0.0;
        return best->shift.hz + best->shift.hz_per_s * seconds;
    }

    struct Hint {
        std::uint64_t from = 0;
        DopplerShift shift;
    };

    Config config;
    DemodulatorShared shared;
    ReceiverChain live;
    CollisionResolver resolver;
    SampleGate gate;
    SilenceDetector silence;
    DcBlocker dc;
    PowerMeter meter;
    DopplerOscillator oscillator;
    std::optional<DopplerShift> next_hint;
    std::array<Hint, 16> hints;  // the latest ones, in a ring
    std::size_t newest_hint = 0;
    std::vector<EndedReception> ended;
    std::vector<Frame> finished;
    std::unique_ptr<SearchAhead> ahead;                  // nullptr: `live` searches itself
    std::vector<FrameStart> found;                       // by it, of a step
    std::array<bool, SearchAhead::kMostAhead> silent{};  // of the steps ahead, by number
    std::size_t next_silent = 0;
    std::size_t oldest_silent = 0;
    std::vector<Sample> gated;     // of the step under way
    std::vector<Sample> step;      // the same without DC
    std::vector<Sample> spare;     // the same without the Doppler hint
    std::size_t gated_count = 0;   // of the step under way
    std::size_t looked_count = 0;  // of them, those that went through work()
    std::size_t next_look = kStep;
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
        if (r.may_work_ahead(samples.size())) {
            samples = samples.subspan(r.work_ahead(samples));
            continue;
        }
        const std::size_t n = std::min(samples_wanted(), samples.size());
        r.gate.pass(samples.first(n), std::span(r.gated).subspan(r.gated_count, n));
        r.gated_count += n;
        samples = samples.subspan(n);
        if (r.gated_count == r.next_look) {
            r.work();
        }
    }
    r.counters.samples_not_finite = r.gate.not_finite();
    r.counters.samples_clipped = r.gate.clipped();
}

std::size_t Receiver::samples_wanted() const noexcept {
    return impl_->next_look - impl_->gated_count;
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
    std::size_t left = ReceiverChain::longest_latency(*r.config.profile);
    const auto counted = r.counters.samples;
    while (left >= kStep) {
        push(silence);
        left -= kStep;
    }
    r.counters.samples = counted;
}

void Receiver::set_doppler_hint(DopplerShift shift) {
    const double limit = 0.5 * impl_->config.profile->sample_rate_hz;
    if (!(std::abs(shift.hz) <= limit) || !std::isfinite(shift.hz_per_s)) {
        throw std::invalid_argument("Receiver: Doppler hint must be within half the sample rate, and finite");
    }
    impl_->next_hint = shift;
}

bool Receiver::carrier_busy() const noexcept {
    return impl_->meter.busy() || impl_->live.reception_ends().has_value() ||
           impl_->resolver.reception_ends().has_value();
}

std::optional<std::uint64_t> Receiver::reception_ends() const noexcept {
    const auto live = impl_->live.reception_ends();
    const auto cancelled = impl_->resolver.reception_ends();
    if (!live && !cancelled) {
        return std::nullopt;
    }
    return std::max(live.value_or(0), cancelled.value_or(0)) - kOrigin;
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
