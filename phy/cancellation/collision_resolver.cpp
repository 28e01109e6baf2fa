// SPDX-License-Identifier: MIT
#include "phy/cancellation/collision_resolver.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace meshnet::phy {
namespace {

constexpr std::uint64_t kSameArrival = ReceiverChain::kSameArrival;
constexpr std::uint64_t kMargin = 2048;  // samples before a frame that its detection may look at
// Residual interference that calls for a SIC pass: 3 dB above the noise floor, and not so far below the frame that a
// time-varying channel may have left it.
constexpr double kOverNoise = 2.0;
constexpr double kOverSignal = 0.003;
constexpr unsigned kMaxSuspicionsPerPass = 8;

std::uint64_t distance(std::uint64_t a, std::uint64_t b) noexcept {
    return a > b ? a - b : b - a;
}

// Distinguishes payloads; not cryptographic.
std::uint64_t digest(ByteView bytes) noexcept {
    std::uint64_t out = bytes.size();
    while (!bytes.empty()) {
        std::uint64_t word = 0;
        const std::size_t n = std::min(bytes.size(), sizeof word);
        std::memcpy(&word, bytes.data(), n);
        out = (out ^ word) * 0x9E3779B97F4A7C15ULL;
        out ^= out >> 29;
        bytes = bytes.subspan(n);
    }
    return out;
}

bool overlap(std::uint64_t start_a, std::uint64_t end_a, std::uint64_t start_b, std::uint64_t end_b) noexcept {
    return start_a < end_b && start_b < end_a;
}

}  // namespace

CollisionResolver::CollisionResolver(DemodulatorShared& shared, const Config& config)
    : config_(config),
      canceller_(shared.grid, config.cancel ? config.history : 0),
      fft_size_(shared.grid.profile().fft_size) {
    PreambleClass longest = PreambleClass::kShort;
    if (config.chain.search_medium) longest = PreambleClass::kMedium;
    if (config.chain.search_long) longest = PreambleClass::kLong;
    reach_ = kMargin + 2 * class_params(shared.grid.profile(), longest).chirp_samples;
    newest_.resize(ReceiverChain::kStep);
    if (config.cancel) {
        residual_.resize(config.history);
        for (auto& pass : passes_) {
            pass.chain = std::make_unique<ReceiverChain>(shared, config.chain);
            pass.ended.reserve(config.chain.demodulators);
        }
    }
}

void CollisionResolver::step(const ReceiverChain& live, std::span<EndedReception> ended, double noise_power,
                             std::vector<Frame>& out, ReceiverCounters& counters) {
    bind(live, noise_power, out, counters);
    bool copied = false;
    for (auto& pass : passes_) {
        if (pass.active) {
            if (!copied) {
                live.ring().copy(live.ring().end() - newest_.size(), newest_);
                copied = true;
            }
            run(pass, newest_);
        }
    }
    for (auto& e : ended) {
        take(e, nullptr);
    }
    while (pending_ && start_due_pass()) {
    }
}

void CollisionResolver::take(const ReceiverChain& live, std::span<EndedReception> ended, double noise_power,
                             std::vector<Frame>& out, ReceiverCounters& counters) {
    bind(live, noise_power, out, counters);
    for (auto& e : ended) {
        take(e, nullptr);
    }
}

void CollisionResolver::bind(const ReceiverChain& live, double noise_power, std::vector<Frame>& out,
                             ReceiverCounters& counters) noexcept {
    live_ = &live;
    noise_power_ = noise_power;
    out_ = &out;
    counters_ = &counters;
}

std::optional<std::uint64_t> CollisionResolver::reception_ends() const noexcept {
    std::optional<std::uint64_t> latest;
    for (const auto& pass : passes_) {
        if (pass.active) {
            if (const auto end = pass.chain->reception_ends()) {
                latest = std::max(latest.value_or(0), pass.first + *end);
            }
        }
    }
    return latest;
}

// One step of samples through a SIC pass.
void CollisionResolver::run(Pass& pass, std::span<const Sample> step) {
    pass.chain->push(step);
    pass.ended.clear();
    pass.chain->look(pass.before - pass.first, pass.ended, nullptr);
    for (auto& e : pass.ended) {
        take(e, &pass);
    }
    if (pass.chain->idle() && pass.chain->searched(pass.before - pass.first)) {
        end_pass(pass);
    }
}

void CollisionResolver::end_pass(Pass& pass) noexcept {
    pass.active = false;
    pending_ = true;  // others may have waited for it
    if (pass.fruitful) {
        suspicions_per_pass_ = 1;
    } else if (pass.on_suspicion) {
        suspicions_per_pass_ = std::min(2 * suspicions_per_pass_, kMaxSuspicionsPerPass);
    }
}

// A reception ended: deliver it if it is new, remember what it means for others.
void CollisionResolver::take(EndedReception& ended, Pass* pass) {
    const std::uint64_t first = pass != nullptr ? pass->first : 0;
    const std::uint64_t start = first + ended.start.sample_index;
    const std::uint64_t end = first + ended.end;
    const std::uint64_t serial = pass != nullptr ? pass->serial : 0;
    if (!ended.frame) {
        note_failure(start, end, serial);
        return;
    }
    Frame frame = std::move(*ended.frame);
    frame.sample_index += first;
    Delivered d;
    d.start = start;
    d.bytes = frame.payload.size();
    d.blocks = frame.blocks.size();
    for (const auto& b : frame.blocks) {
        d.good += b.crc_ok ? 1 : 0;
    }
    d.mode = frame.mode;
    d.redundancy_version = frame.redundancy_version;
    d.digest = digest(frame.payload);
    const bool error_free = d.good == d.blocks;
    if (is_repetition(d)) {
        return;
    }
    if (!error_free) {
        note_failure(start, end, serial);
    }
    if (pass != nullptr && d.good == 0) {
        return;  // the residual of a frame that was subtracted, more likely than a frame
    }
    if (config_.cancel && error_free && d.blocks > 0 && frame.version == kWaveformVersion) {
        note_error_free(frame, ended, pass);
    }
    delivered_[next_delivered_] = d;
    next_delivered_ = (next_delivered_ + 1) % delivered_.size();
    ReceiverCounters& c = *counters_;
    c.blocks_ok += d.good;
    c.blocks_bad += d.blocks - d.good;
    c.frames_ok += error_free ? 1 : 0;
    c.frames_partial += !error_free && d.good > 0 ? 1 : 0;
    c.frames_inverted += frame.inverted && d.good > 0 ? 1 : 0;
    if (pass != nullptr) {
        ++c.preambles;
        ++c.headers_ok;
        ++c.frames_recovered;
        frame.recovered = true;
        pass->fruitful = true;
    }
    out_->push_back(std::move(frame));
}

// Delivered already, with as many good blocks?
bool CollisionResolver::is_repetition(const Delivered& d) const noexcept {
    return std::any_of(delivered_.begin(), delivered_.end(), [&](const Delivered& o) {
        if (o.blocks == 0 || o.mode != d.mode || o.bytes != d.bytes || o.redundancy_version != d.redundancy_version ||
            distance(o.start, d.start) >= kSameArrival) {
            return false;
        }
        return o.good == o.blocks ? d.good < d.blocks || d.digest == o.digest : d.good <= o.good;
    });
}

void CollisionResolver::note_failure(std::uint64_t start, std::uint64_t end, std::uint64_t serial) {
    if (!config_.cancel || end <= start) {
        return;
    }
    pending_ = true;
    for (auto& f : failed_) {
        if (f.end != 0 && distance(f.start, start) < kSameArrival) {
            f.end = std::max(f.end, end);
            f.serial = std::max(f.serial, serial);
            return;
        }
    }
    failed_[next_failed_] = {start, end, serial, 0};
    next_failed_ = (next_failed_ + 1) % failed_.size();
}

void CollisionResolver::note_error_free(Frame frame, const EndedReception& ended, const Pass* pass) {
    const std::uint64_t first = pass != nullptr ? pass->first : 0;
    const unsigned level = pass != nullptr ? pass->level : 0;
    const std::uint64_t subtracted = pass != nullptr ? pass->serial : 0;
    const std::uint64_t start = first + ended.start.sample_index;
    const std::uint64_t end = first + ended.end;
    // Of the same arrival only failures of other frames remain.
    for (auto& f : failed_) {
        if (f.end != 0 && distance(f.start, start) < kSameArrival && f.end <= end) {
            f = {};
        }
    }
    ErrorFree& w = error_free_[serial_ % error_free_.size()];
    w.decoded.frame = std::move(frame);
    w.decoded.start = start;
    w.decoded.timing_shift = ended.timing_shift;
    w.decoded.cfo_cycles_per_sample = ended.cfo;
    w.end = end;
    w.serial = ++serial_;
    w.level = level;
    const double residual = static_cast<double>(ended.residual_interference);
    w.unexplained = level < kDeepest && residual > kOverNoise * noise_power_ * static_cast<double>(fft_size_) &&
                    residual > kOverSignal * static_cast<double>(ended.signal_power) &&
                    !explained(start, end, w.serial, subtracted);
    pending_ = true;
}

// Is there another frame in [start, end), received or under way? Error-free frame `serial` does not count, nor do those
// up to `subtracted`, which were taken out of the samples.
bool CollisionResolver::explained(std::uint64_t start, std::uint64_t end, std::uint64_t serial,
                                  std::uint64_t subtracted) const noexcept {
    const auto running = [&](const ReceiverChain& chain, std::uint64_t first) {
        return end > first && chain.receiving_since_before(end - first);
    };
    return running(*live_, 0) ||
           std::any_of(passes_.begin(), passes_.end(),
                       [&](const Pass& p) { return p.active && running(*p.chain, p.first); }) ||
           std::any_of(error_free_.begin(), error_free_.end(), [&](const ErrorFree& w) {
               return w.serial > subtracted && w.serial != serial && overlap(w.decoded.start, w.end, start, end);
           });
}

// Starts one SIC pass if one is due and can be made.
bool CollisionResolver::start_due_pass() {
    const std::uint64_t oldest = live_->ring().begin();
    const auto at_hand = [&](const ErrorFree& w) { return w.serial != 0 && w.decoded.start >= oldest; };
    Pass* pass = nullptr;
    for (auto& p : passes_) {
        if (!p.active) {
            pass = &p;
            break;
        }
    }
    if (pass == nullptr) {
        return false;  // tried again when one of them ends
    }
    std::uint64_t from = ReceiverChain::kForever;
    unsigned level = 0;
    bool on_suspicion = true;
    for (auto& w : error_free_) {
        if (!at_hand(w) || w.level >= kDeepest) {
            continue;
        }
        if (w.unexplained && ++suspicions_ignored_ < suspicions_per_pass_) {
            w.unexplained = false;
        }
        if (w.unexplained) {
            suspicions_ignored_ = 0;
            from = std::min(from, w.decoded.start - std::min<std::uint64_t>(w.decoded.start, reach_));
            level = std::max(level, w.level + 1);
            w.unexplained = false;
        }
        for (auto& f : failed_) {
            if (f.end != 0 && f.start >= oldest && f.attempts < kDeepest && w.serial > f.serial &&
                overlap(w.decoded.start, w.end, f.start, f.end)) {
                from = std::min(from, f.start - std::min<std::uint64_t>(f.start, kMargin));
                level = std::max(level, w.level + 1);
                on_suspicion = false;
            }
        }
    }
    if (from == ReceiverChain::kForever) {
        pending_ = false;
        return false;
    }
    for (auto& f : failed_) {
        if (f.end != 0 && f.start >= from) {
            f.attempts += f.serial < serial_ ? 1 : 0;
            f.serial = serial_;
        }
    }
    pass->on_suspicion = on_suspicion;
    start_pass(*pass, from, level);
    return true;
}

void CollisionResolver::start_pass(Pass& pass, std::uint64_t from, unsigned level) {
    constexpr std::uint64_t kStep = ReceiverChain::kStep;
    const SampleRing& raw = live_->ring();
    const auto up = [](std::uint64_t index) { return (index + kStep - 1) / kStep * kStep; };
    from = std::max(from / kStep * kStep, up(raw.begin()));
    // Error-free frames that overlap the samples to be searched, the strongest first; from the earliest of them on.
    std::array<const ErrorFree*, kErrorFree> over{};
    std::size_t count = 0;
    std::uint64_t base = from;
    for (const auto& w : error_free_) {
        if (w.serial != 0 && w.end > from && w.decoded.start >= up(raw.begin())) {
            over[count++] = &w;
            base = std::min(base, w.decoded.start / kStep * kStep);
        }
    }
    std::sort(over.begin(), over.begin() + static_cast<std::ptrdiff_t>(count),
              [](const ErrorFree* a, const ErrorFree* b) {
                  const float pa = a->decoded.frame.power_dbfs;
                  const float pb = b->decoded.frame.power_dbfs;
                  return pa > pb || (!(pa < pb) && a->serial < b->serial);
              });
    const std::size_t length = std::min<std::size_t>(raw.end() - base, residual_.size());
    const std::span<Sample> samples(residual_.data(), length);
    raw.copy(base, samples);
    std::uint64_t before = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (canceller_.cancel(over[i]->decoded, base, samples)) {
            before = std::max(before, over[i]->end);
            ++counters_->frames_cancelled;
        }
    }
    if (before <= from) {
        return;
    }
    ++counters_->sic_passes;
    pass.chain->restart();
    pass.active = true;
    pass.fruitful = false;
    pass.first = from;
    pass.before = before;
    pass.serial = serial_;
    pass.level = level;
    for (std::size_t at = from - base; at < length && pass.active; at += kStep) {
        run(pass, samples.subspan(at, kStep));
    }
}

}  // namespace meshnet::phy
