// SPDX-License-Identifier: MIT
#include "lab/genie.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "lab/genie_strategy.hpp"
#include "phy/demodulation/frame_demodulator.hpp"
#include "phy/demodulation/receiver_chain.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/waveform/frame_mapper.hpp"

namespace meshnet::lab {
namespace {

constexpr unsigned kIterations = 25;

/// A detector and one demodulator that a GenieStrategy aids, for the frames of one scenario.
class GenieReceiver {
public:
    explicit GenieReceiver(const Scenario& s)
        : s_(s),
          aid_(*s.genie),
          source_(s, !aid_.peaks),
          shared_(*s.profile, make_strategy(s)),
          mapper_(shared_.grid),
          synchronizer_(*s.profile, phy::modes()[s.mode].preamble),
          demodulator_(shared_) {}

    Tally run(std::uint64_t first, std::size_t count) {
        Tally tally;
        tally.frame_samples = phy::frame_samples(*s_.profile, s_.mode, s_.payload_bytes);
        for (std::size_t i = 0; i < count; ++i) {
            one_frame(first + i, tally);
        }
        return tally;
    }

private:
    std::unique_ptr<phy::EstimationStrategy> make_strategy(const Scenario& s) {
        auto strategy = std::make_unique<GenieStrategy>(*s.profile, *s.genie,
                                                        phy::payload_constellation(s.mode, phy::kWaveformVersion));
        strategy_ = strategy.get();
        return strategy;
    }

    [[nodiscard]] static std::size_t power_of_two(std::size_t least) {
        std::size_t n = 1;
        while (n < least) {
            n *= 2;
        }
        return n;
    }

    std::vector<phy::FrameStart> search(const phy::SampleRing& ring) {
        synchronizer_.reset();
        std::vector<phy::FrameStart> found;
        synchronizer_.advance(ring, found);
        return found;
    }

    // The strongest start; or nothing.
    static std::optional<phy::FrameStart> strongest(const std::vector<phy::FrameStart>& found) {
        const auto it = std::max_element(found.begin(), found.end(),
                                         [](const auto& a, const auto& b) { return a.metric < b.metric; });
        return it == found.end() ? std::nullopt : std::optional(*it);
    }

    // First sample of the transform part of symbol `s` of header and payload, as sent.
    [[nodiscard]] std::size_t symbol_begin(std::size_t s) const {
        const auto params = phy::class_params(*s_.profile, phy::modes()[s_.mode].preamble);
        return source_.gap() + 2 * params.chirp_samples + (params.training_symbols + s) * s_.profile->symbol_samples() +
               s_.profile->cyclic_prefix;
    }

    [[nodiscard]] phy::Sample impulse_gain(const std::vector<phy::Sample>& sent) {
        const std::size_t n = s_.profile->fft_size;
        phy::Fft forward(n, phy::Fft::Direction::kForward);
        std::copy_n(sent.begin() + static_cast<std::ptrdiff_t>(symbol_begin(0)), n, forward.in().begin());
        forward.run();
        phy::Sample sum{};
        float power = 0.0F;
        for (std::size_t c = 0; c < shared_.grid.carriers(); ++c) {
            sum += forward.out()[shared_.grid.bin(c)] * std::conj(carriers_[c]);
            power += std::norm(carriers_[c]);
        }
        return sum / power;
    }

    void put_impulses(std::vector<phy::Sample>& sent) const {
        std::fill(sent.begin(), sent.end(), phy::Sample{});
        const std::size_t symbols = mapper_.symbols() - mapper_.training_symbols();
        for (std::size_t s = 0; s < symbols; ++s) {
            sent[symbol_begin(s) + s_.profile->fft_size / 2] = phy::Sample(1.0F, 0.0F);
        }
    }

    // What is ideally known is the channel of the frame, not what others send.
    static void without_interferers(sim::Channel::Config& config) {
        constexpr double kNone = -300.0;
        config.tone_db = config.second_tone_db = config.fsk_db = config.chirp_db = kNone;
        config.pulse_db = config.neighbour_db = kNone;
        config.impulses_per_million = 0.0;
    }

    void one_frame(std::uint64_t index, Tally& tally) {
        auto& sent = source_.make(index);
        auto config = channel_of_frame(s_, index);
        sim::Channel channel(config);
        const double noise_power = channel.noise_power();
        config.snr_db = std::numeric_limits<double>::infinity();
        without_interferers(config);
        sim::Channel quiet(config);
        sent.resize(sent.size() + source_.tail(channel));
        received_.clear();
        clean_.clear();
        channel.process(sent, received_);
        carriers_.clear();
        mapper_.begin(s_.mode, source_.payload(), 0, !aid_.peaks);
        for (std::size_t i = 0; i < mapper_.symbols(); ++i) {
            const auto next = mapper_.next();
            if (i >= mapper_.training_symbols()) {
                carriers_.insert(carriers_.end(), next.begin(), next.end());
            }
        }
        IdealFrame ideal;
        // A delay spread beyond the prefix and variation within a symbol cause inter-carrier interference: the response
        // to impulses is free of it.
        const bool by_impulses = !config.paths.empty();
        if (by_impulses) {
            ideal.impulse_gain = impulse_gain(sent);
            put_impulses(sent);
        } else {
            ideal.sent = carriers_;
        }
        quiet.process(sent, clean_);
        const std::size_t capacity = power_of_two(std::max(received_.size(), clean_.size()));
        phy::SampleRing received(capacity);
        phy::SampleRing clean(capacity);
        received.push(received_);
        clean.push(clean_);

        ideal.clean = &clean;
        ideal.noise = static_cast<float>(noise_power * static_cast<double>(s_.profile->fft_size));
        ideal.header.mode = s_.mode;
        ideal.header.payload_bytes = static_cast<std::uint16_t>(s_.payload_bytes);
        strategy_->set_frame(ideal);

        // Impulses have no preamble: there the start is found with noise.
        auto starts = search(aid_.start && !by_impulses ? clean : received);
        if (aid_.start && !by_impulses) {
            const auto best = strongest(starts);
            starts.clear();
            if (best) {
                starts.push_back(*best);
                // The metric decides how far a start is trusted: this one is exact.
                starts.front().cfo_cycles_per_sample = config.cfo_hz / config.sample_rate_hz;
                starts.front().metric = 0.999F;
            }
        }
        demodulate(received, starts, tally);
    }

    // Demodulates the frame at each of `starts` and counts how it ended.
    void demodulate(const phy::SampleRing& received, const std::vector<phy::FrameStart>& starts, Tally& tally) {
        bool header = false;
        bool right = false;
        bool any = false;
        std::uint64_t taken_from = 0;
        for (const auto& start : starts) {
            if (any && start.sample_index - taken_from < phy::ReceiverChain::kSameArrival) {
                continue;
            }
            any = true;
            taken_from = start.sample_index;
            demodulator_.start(start);
            demodulator_.advance(received, kIterations);
            header = header || demodulator_.header_ok();
            if (demodulator_.state() != phy::FrameDemodulator::State::kDone) {
                demodulator_.release();
                continue;
            }
            const phy::Frame frame = demodulator_.take();
            const bool same = frame.payload == source_.payload();
            right = right || (frame.ok() && same);
            tally.undetected += frame.ok() && !same ? 1 : 0;
            for (const auto& block : frame.blocks) {
                ++tally.blocks;
                tally.iterations += block.iterations;
            }
        }
        ++tally.frames;
        tally.errors += right ? 0 : 1;
        tally.detect_miss += any || right ? 0 : 1;
        tally.header_miss += any && !header ? 1 : 0;
    }

    const Scenario& s_;
    GenieAid aid_;
    GenieStrategy* strategy_ = nullptr;  // belongs to shared_
    FrameSource source_;
    phy::DemodulatorShared shared_;
    phy::FrameMapper mapper_;
    phy::FrameSynchronizer synchronizer_;
    phy::FrameDemodulator demodulator_;
    std::vector<phy::Sample> received_;
    std::vector<phy::Sample> clean_;
    std::vector<phy::Sample> carriers_;
};

}  // namespace

Tally run_genie_point(const Scenario& s, const Effort& effort) {
    return run_batches(effort, batch_frames(s), [&s]() -> BatchRunner {
        return [receiver = std::make_shared<GenieReceiver>(s)](std::uint64_t first, std::size_t count) {
            return receiver->run(first, count);
        };
    });
}

}  // namespace meshnet::lab
