// SPDX-License-Identifier: MIT
#include "lab/liquid_baseline.hpp"

#include <complex>
// liquid declares its complex type as std::complex if <complex> comes first.
#include <liquid/liquid.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <mutex>
#include <numbers>
#include <vector>

#include "core/bytes.hpp"
#include "core/random.hpp"

namespace meshnet::lab {
namespace {

constexpr unsigned kCarriers = 64;
constexpr unsigned kPrefix = 8;
constexpr unsigned kTaper = 4;
constexpr double kRate = 1e6;
constexpr std::size_t kBatchFrames = 32;

constexpr std::array kModes{
    LiquidMode{"qpsk-golay-1/2", 2, 0.5, LIQUID_MODEM_QPSK, LIQUID_FEC_GOLAY2412, 7.0F},
    LiquidMode{"qpsk-hamming-2/3", 2, 2.0 / 3.0, LIQUID_MODEM_QPSK, LIQUID_FEC_HAMMING128, 8.0F},
    LiquidMode{"qpsk-uncoded", 2, 1.0, LIQUID_MODEM_QPSK, LIQUID_FEC_NONE, 13.0F},
    LiquidMode{"16qam-golay-1/2", 4, 0.5, LIQUID_MODEM_QAM16, LIQUID_FEC_GOLAY2412, 14.0F},
    LiquidMode{"16qam-hamming-2/3", 4, 2.0 / 3.0, LIQUID_MODEM_QAM16, LIQUID_FEC_HAMMING128, 16.0F},
    LiquidMode{"64qam-hamming-2/3", 6, 2.0 / 3.0, LIQUID_MODEM_QAM64, LIQUID_FEC_HAMMING128, 22.0F},
};

/// Making and destroying plans transforms, and FFTW's planner is one for the whole program.
std::mutex& planner() {
    static std::mutex mutex;
    return mutex;
}

struct Heard {
    const Bytes* expected = nullptr;
    unsigned calls = 0;
    unsigned headers = 0;
    bool right = false;
    bool wrong = false;
};

int on_frame(unsigned char*, int header_valid, unsigned char* payload, unsigned length, int payload_valid,
             framesyncstats_s, void* context) {
    Heard& heard = *static_cast<Heard*>(context);
    ++heard.calls;
    heard.headers += header_valid != 0 ? 1 : 0;
    if (payload_valid != 0) {
        const bool same =
            length == heard.expected->size() && std::equal(payload, payload + length, heard.expected->begin());
        (same ? heard.right : heard.wrong) = true;
    }
    return 0;
}

class LiquidWorker {
public:
    explicit LiquidWorker(const LiquidScenario& s) : s_(s) {
        const std::lock_guard lock(planner());
        ofdmflexframegenprops_s properties;
        ofdmflexframegenprops_init_default(&properties);
        properties.check = LIQUID_CRC_32;
        properties.fec0 = static_cast<unsigned>(s.mode->code);
        properties.fec1 = LIQUID_FEC_NONE;
        properties.mod_scheme = static_cast<unsigned>(s.mode->modulation);
        generator_ = ofdmflexframegen_create(kCarriers, kPrefix, kTaper, nullptr, &properties);
        std::array<unsigned char, kCarriers> types{};
        ofdmframe_init_default_sctype(kCarriers, types.data());
        unsigned null = 0;
        unsigned pilots = 0;
        unsigned data = 0;
        ofdmframe_validate_sctype(types.data(), kCarriers, &null, &pilots, &data);
        occupied_ = static_cast<double>(pilots + data) / kCarriers;
    }
    ~LiquidWorker() {
        const std::lock_guard lock(planner());
        ofdmflexframegen_destroy(generator_);
    }
    LiquidWorker(const LiquidWorker&) = delete;
    LiquidWorker& operator=(const LiquidWorker&) = delete;

    Tally run(std::uint64_t first, std::size_t frames) {
        ofdmflexframesync sync = nullptr;
        {
            const std::lock_guard lock(planner());
            sync = ofdmflexframesync_create(kCarriers, kPrefix, kTaper, nullptr, on_frame, &heard_);
        }
        ofdmflexframesync_decode_header_soft(sync, 1);
        ofdmflexframesync_decode_payload_soft(sync, 1);
        Tally tally;
        for (std::size_t i = 0; i < frames; ++i) {
            one_frame(first + i, sync, tally);
        }
        const std::lock_guard lock(planner());
        ofdmflexframesync_destroy(sync);
        return tally;
    }

private:
    void one_frame(std::uint64_t index, ofdmflexframesync sync, Tally& tally) {
        Rng payload_rng(seed_of(s_.seed, index, Stream::kPayload));
        payload_.resize(s_.payload_bytes);
        payload_rng.fill(payload_);
        Rng rng(seed_of(s_.seed, index, Stream::kTime));
        samples_.assign(500 + rng.below(1000), phy::Sample{});
        const std::size_t gap = samples_.size();
        std::array<unsigned char, 8> header{};
        ofdmflexframegen_assemble(generator_, header.data(), payload_.data(), static_cast<unsigned>(payload_.size()));
        for (int last = 0; last == 0;) {
            samples_.resize(samples_.size() + 512);
            last = ofdmflexframegen_write(generator_, &*(samples_.end() - 512), 512);
        }
        while (samples_.size() > gap && samples_.back() == phy::Sample{}) {
            samples_.pop_back();
        }
        const double phase_rad = 2.0 * std::numbers::pi * rng.uniform();
        const phy::Sample phase(static_cast<float>(std::cos(phase_rad)), static_cast<float>(std::sin(phase_rad)));
        double power = 0.0;
        for (std::size_t n = gap; n < samples_.size(); ++n) {
            samples_[n] *= phase;
            power += static_cast<double>(std::norm(samples_[n]));
        }
        tally.frame_samples = samples_.size() - gap;

        sim::Channel::Config config;
        config.sample_rate_hz = kRate;
        config.occupied_fraction = occupied_;
        config.signal_rms = std::sqrt(power / static_cast<double>(samples_.size() - gap));
        config.snr_db = s_.snr_db;
        config.seed = seed_of(s_.seed, index, Stream::kChannel);
        config.delay_samples = rng.uniform();
        config.cfo_hz = (2.0 * rng.uniform() - 1.0) * 0.1 * kRate / kCarriers;
        sim::Channel channel(config);
        samples_.resize(samples_.size() + 1000);
        received_.clear();
        channel.process(samples_, received_);

        heard_ = {};
        heard_.expected = &payload_;
        ofdmflexframesync_execute(sync, received_.data(), static_cast<unsigned>(received_.size()));
        ofdmflexframesync_reset(sync);  // a false start must not cost it the next frame
        ++tally.frames;
        tally.errors += heard_.right ? 0 : 1;
        tally.undetected += heard_.wrong ? 1 : 0;
        tally.detect_miss += heard_.calls == 0 ? 1 : 0;
        tally.header_miss += heard_.calls != 0 && heard_.headers == 0 ? 1 : 0;
        tally.false_alarms += heard_.calls > 1 ? heard_.calls - 1 : 0;
    }

    const LiquidScenario& s_;
    ofdmflexframegen generator_ = nullptr;
    double occupied_ = 1.0;
    Heard heard_;
    Bytes payload_;
    std::vector<phy::Sample> samples_;
    std::vector<phy::Sample> received_;
};

}  // namespace

std::span<const LiquidMode> liquid_modes() noexcept {
    return kModes;
}

const LiquidMode* find_liquid_mode(std::string_view name) noexcept {
    const auto it = std::find_if(kModes.begin(), kModes.end(), [&](const LiquidMode& m) { return m.name == name; });
    return it == kModes.end() ? nullptr : &*it;
}

Tally run_liquid_point(const LiquidScenario& s, const Effort& effort) {
    return run_batches(effort, kBatchFrames, [&s]() -> BatchRunner {
        return [worker = std::make_shared<LiquidWorker>(s)](std::uint64_t first, std::size_t count) {
            return worker->run(first, count);
        };
    });
}

}  // namespace meshnet::lab
