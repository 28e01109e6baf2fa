// SPDX-License-Identifier: MIT
#include "lab/genie.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "phy/demodulation/frame_demodulator.hpp"
#include "phy/demodulation/receiver_truth.hpp"
#include "phy/dsp/sample_ring.hpp"
#include "phy/estimation/frame_synchronizer.hpp"
#include "phy/waveform/constellation.hpp"
#include "phy/waveform/frame_mapper.hpp"

namespace meshnet::lab {
namespace {

constexpr unsigned kIterations = 25;
constexpr std::uint64_t kSameArrival = 32;  // samples

/// Log-likelihood ratios from the sums over all points, as they are defined; limited as the receiver's are.
class ExactDemapper {
public:
    explicit ExactDemapper(unsigned bits) : bits_(bits) {
        const phy::Constellation constellation(bits);
        std::array<std::uint8_t, 8> word{};
        for (std::size_t i = 0; i < std::size_t{1} << bits; ++i) {
            for (unsigned b = 0; b < bits; ++b) {
                word[b] = static_cast<std::uint8_t>((i >> b) & 1U);
            }
            points_.push_back(constellation.map(word.data()));
        }
    }
    void demap(phy::Sample point, float snr, float* llr) const {
        double nearest = 1e30;
        for (const phy::Sample p : points_) {
            nearest = std::min(nearest, static_cast<double>(std::norm(point - p)));
        }
        std::array<std::array<double, 2>, 8> sum{};
        for (std::size_t i = 0; i < points_.size(); ++i) {
            const double distance = static_cast<double>(std::norm(point - points_[i]));
            const double likelihood = std::exp(-static_cast<double>(snr) * (distance - nearest));
            for (unsigned b = 0; b < bits_; ++b) {
                sum[b][(i >> b) & 1U] += likelihood;
            }
        }
        for (unsigned b = 0; b < bits_; ++b) {
            const double ratio = std::log((sum[b][0] + 1e-30) / (sum[b][1] + 1e-30));
            constexpr double kLargest = static_cast<double>(phy::Constellation::kLargestLlr);
            llr[b] = static_cast<float>(std::clamp(ratio, -kLargest, kLargest));
        }
    }

private:
    unsigned bits_;
    std::vector<phy::Sample> points_;
};

class Genie {
public:
    explicit Genie(const Scenario& s)
        : s_(s),
          told_(*s.told),
          source_(s, !told_.peaks),
          shared_(*s.profile),
          mapper_(shared_.grid),
          synchronizer_(*s.profile, phy::modes()[s.mode].preamble),
          demodulator_(shared_),
          exact_(phy::modes()[s.mode].bits_per_symbol) {}

    Tally run(std::uint64_t first, std::size_t count) {
        Tally tally;
        tally.frame_samples = phy::frame_samples(*s_.profile, s_.mode, s_.payload_bytes);
        for (std::size_t i = 0; i < count; ++i) {
            one_frame(first + i, tally);
        }
        return tally;
    }

private:
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
        auto in = shared_.forward.in();
        std::copy_n(sent.begin() + static_cast<std::ptrdiff_t>(symbol_begin(0)), n, in.begin());
        shared_.forward.run();
        phy::Sample sum{};
        float power = 0.0F;
        for (std::size_t c = 0; c < shared_.grid.carriers(); ++c) {
            sum += shared_.forward.out()[shared_.grid.bin(c)] * std::conj(carriers_[c]);
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

    void one_frame(std::uint64_t index, Tally& tally) {
        auto& sent = source_.make(index);
        auto config = channel_of_frame(s_, index);
        sim::Channel channel(config);
        const double noise_power = channel.noise_power();
        config.snr_db = std::numeric_limits<double>::infinity();
        sim::Channel quiet(config);
        sent.resize(sent.size() + source_.tail(channel));
        heard_.clear();
        clean_.clear();
        channel.process(sent, heard_);
        carriers_.clear();
        mapper_.begin(s_.mode, source_.payload(), 0, !told_.peaks);
        for (std::size_t i = 0; i < mapper_.symbols(); ++i) {
            const auto next = mapper_.next();
            if (i >= mapper_.training_symbols()) {
                carriers_.insert(carriers_.end(), next.begin(), next.end());
            }
        }
        phy::ReceiverTruth truth;
        // Echoes beyond the prefix and motion within a symbol make carriers leak: only impulses do not know that.
        const bool by_impulses = !config.paths.empty();
        if (by_impulses) {
            truth.impulse_gain = impulse_gain(sent);
            put_impulses(sent);
        } else {
            truth.sent = carriers_;
        }
        quiet.process(sent, clean_);
        const std::size_t capacity = power_of_two(std::max(heard_.size(), clean_.size()));
        phy::SampleRing heard(capacity);
        phy::SampleRing clean(capacity);
        heard.push(heard_);
        clean.push(clean_);

        truth.clean = &clean;
        truth.noise = static_cast<float>(noise_power * static_cast<double>(s_.profile->fft_size));
        if (told_.header) {
            truth.header.emplace();
            truth.header->mode = s_.mode;
            truth.header->payload_bytes = static_cast<std::uint16_t>(s_.payload_bytes);
        }
        truth.tell_phase = told_.phase;
        truth.tell_channel = told_.channel;
        truth.tell_noise = told_.noise;
        if (told_.demapper) {
            truth.demap = [this](phy::Sample point, float snr, float* llr) { exact_.demap(point, snr, llr); };
        }
        shared_.truth = &truth;

        // Impulses have no preamble: there the start is found with noise.
        auto starts = search(told_.start && !by_impulses ? clean : heard);
        if (told_.start && !by_impulses) {
            const auto best = strongest(starts);
            starts.clear();
            if (best) {
                starts.push_back(*best);
                // How sure a start is decides how far it is trusted: this one is exact.
                starts.front().cfo_cycles_per_sample = config.cfo_hz / config.sample_rate_hz;
                starts.front().metric = 0.999F;
            }
        }
        bool header = false;
        bool right = false;
        bool any = false;
        std::uint64_t taken_from = 0;
        for (const auto& start : starts) {
            if (any && start.sample_index - taken_from < kSameArrival) {
                continue;
            }
            any = true;
            taken_from = start.sample_index;
            demodulator_.start(start);
            demodulator_.advance(heard, kIterations);
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
        shared_.truth = nullptr;
        ++tally.frames;
        tally.errors += right ? 0 : 1;
        tally.detect_miss += any || right ? 0 : 1;
        tally.header_miss += any && !header ? 1 : 0;
    }

    const Scenario& s_;
    Truths told_;
    FrameSource source_;
    phy::DemodulatorShared shared_;
    phy::FrameMapper mapper_;
    phy::FrameSynchronizer synchronizer_;
    phy::FrameDemodulator demodulator_;
    ExactDemapper exact_;
    std::vector<phy::Sample> heard_;
    std::vector<phy::Sample> clean_;
    std::vector<phy::Sample> carriers_;
};

}  // namespace

Result<Truths> truths_named(std::string_view names) {
    Truths out;
    for (std::string_view left = names;;) {
        const std::size_t plus = left.find('+');
        const std::string_view name = left.substr(0, plus);
        const bool all = name == "all";
        const bool csi = all || name == "csi";
        out.start = out.start || all || name == "start";
        out.header = out.header || all || name == "header";
        out.demapper = out.demapper || all || name == "demapper";
        out.peaks = out.peaks || all || name == "peaks";
        out.phase = out.phase || csi || name == "phase";
        out.channel = out.channel || csi || name == "channel";
        out.noise = out.noise || csi || name == "noise";
        const bool known = csi || name == "start" || name == "header" || name == "demapper" || name == "peaks" ||
                           name == "phase" || name == "channel" || name == "noise" || name == "none";
        if (!known) {
            return Error{"unknown truth '" + std::string(name) +
                         "'; known are start header phase channel noise demapper peaks csi all none, joined by '+'"};
        }
        if (plus == std::string_view::npos) {
            return out;
        }
        left = left.substr(plus + 1);
    }
}

Tally run_genie_point(const Scenario& s, const Effort& effort) {
    return run_batches(effort, batch_frames(s), [&s]() -> BatchRunner {
        return [genie = std::make_shared<Genie>(s)](std::uint64_t first, std::size_t count) {
            return genie->run(first, count);
        };
    });
}

}  // namespace meshnet::lab
