// SPDX-License-Identifier: MIT
#include "sim/channel/channel.hpp"

#include <cmath>
#include <optional>
#include <stdexcept>

#include "sim/channel/interferers.hpp"

namespace meshnet::sim {
namespace {

void check(bool ok, const char* what) {
    if (!ok) {
        throw std::invalid_argument(std::string("Channel: ") + what);
    }
}

bool is_on(double db) noexcept {
    return db > -300.0;
}
// Amplitude of a signal `db` stronger than ours.
double rms_of(const Channel::Config& c, double db) noexcept {
    return is_on(db) ? c.signal_rms * std::pow(10.0, db / 20.0) : 0.0;
}

}  // namespace

struct Channel::Impl {
    Config config;
    double noise = 0.0;
    std::optional<Resampler> resampler;
    std::optional<Multipath> multipath;
    std::optional<Cfo> cfo;
    std::optional<PhaseNoise> phase_noise;
    std::optional<Awgn> awgn;
    std::optional<Interferer> interferer;
    std::optional<Interferer> second_tone;
    std::optional<FskInterferer> fsk;
    std::optional<ChirpInterferer> chirp;
    std::optional<PulseInterferer> pulses;
    std::optional<NeighbourInterferer> neighbour;
    std::optional<IqImbalance> iq;
    std::optional<Quantizer> quantizer;
    std::optional<DroppedSamples> drops;
    std::vector<phy::Sample> work;

    void add_interferers(std::uint64_t seed);
};

void Channel::Impl::add_interferers(std::uint64_t seed) {
    const Config& c = config;
    const double rate = c.sample_rate_hz;
    if (is_on(c.tone_db) || c.impulses_per_million > 0.0) {
        Interferer::Config foreign;
        foreign.tone_turns_per_sample = c.tone_hz / rate;
        foreign.tone_rms = rms_of(c, c.tone_db);
        foreign.impulses_per_million = c.impulses_per_million;
        foreign.impulse_amplitude = 10.0 * c.signal_rms;
        interferer.emplace(foreign, seed + 4);
    }
    if (is_on(c.second_tone_db)) {
        second_tone.emplace(Interferer::Config{c.second_tone_hz / rate, rms_of(c, c.second_tone_db), 0.0, 0.0},
                            seed + 6);
    }
    if (is_on(c.fsk_db)) {
        fsk.emplace(FskInterferer::Config{rms_of(c, c.fsk_db), c.fsk_hz / rate, 3e3 / rate, rate / 9600.0}, seed + 7);
    }
    if (is_on(c.chirp_db)) {
        constexpr double kBandwidth = 125e3;
        chirp.emplace(ChirpInterferer::Config{rms_of(c, c.chirp_db), c.chirp_hz / rate, kBandwidth / rate,
                                              128.0 / kBandwidth * rate, 128},
                      seed + 8);
    }
    if (is_on(c.pulse_db)) {
        pulses.emplace(PulseInterferer::Config{rms_of(c, c.pulse_db), c.pulse_s * rate, rate / c.pulse_rate_hz},
                       seed + 9);
    }
    if (is_on(c.neighbour_db)) {
        neighbour.emplace(NeighbourInterferer::Config{rms_of(c, c.neighbour_db),
                                                      c.neighbour_offset * c.occupied_fraction, c.occupied_fraction},
                          seed + 10);
    }
}

Channel::Channel(const Config& config) : impl_(std::make_unique<Impl>()) {
    check(config.sample_rate_hz > 0.0 && std::isfinite(config.sample_rate_hz), "sample_rate_hz must be positive");
    check(config.occupied_fraction > 0.0 && config.occupied_fraction <= 1.0, "occupied_fraction must be within (0, 1]");
    check(config.signal_rms > 0.0 && std::isfinite(config.signal_rms), "signal_rms must be positive");
    check(!std::isnan(config.snr_db) && config.snr_db > -100.0, "snr_db must be above -100");
    check(std::isfinite(config.cfo_hz) && std::abs(config.cfo_hz) <= config.sample_rate_hz / 2.0,
          "cfo_hz must be within half the sample rate");
    check(std::isfinite(config.doppler_rate_hz_per_s), "doppler_rate_hz_per_s must be finite");
    check(config.fading_hz >= 0.0 && config.fading_hz <= 0.1 * config.sample_rate_hz,
          "fading_hz must be within 0..0.1 of the sample rate");
    check(config.gaps_per_million >= 0.0 && config.impulses_per_million >= 0.0,
          "gaps_per_million and impulses_per_million must not be negative");
    for (const double db : {config.tone_db, config.second_tone_db, config.fsk_db, config.chirp_db, config.pulse_db,
                            config.neighbour_db, config.dc_db}) {
        check(db <= 100.0, "levels of tones, interferers and DC must be at most 100 dB");
    }
    Impl& it = *impl_;
    it.config = config;
    const std::uint64_t seed = config.seed * 16;  // one stream of randomness per model
    if (config.sfo_ppm != 0.0 || config.delay_samples != 0.0 || config.delay_rate != 0.0 ||
        config.delay_acceleration != 0.0) {
        it.resampler.emplace(
            Resampler::Config{config.sfo_ppm, config.delay_samples, config.delay_rate, config.delay_acceleration});
    }
    if (!config.paths.empty()) {
        it.multipath.emplace(config.paths, config.fading_hz / config.sample_rate_hz, seed + 1);
    }
    if (config.cfo_hz != 0.0 || config.doppler_rate_hz_per_s != 0.0) {
        it.cfo.emplace(config.sample_rate_hz, config.cfo_hz, config.doppler_rate_hz_per_s);
    }
    if (config.phase_noise_dbc_per_hz > -200.0) {
        it.phase_noise.emplace(PhaseNoise::Config{config.sample_rate_hz, config.phase_noise_dbc_per_hz, 10e3,
                                                  config.phase_noise_corner_hz},
                               seed + 2);
    }
    if (std::isfinite(config.snr_db)) {
        it.noise = sim::noise_power(config.snr_db, config.signal_rms, config.occupied_fraction);
        it.awgn.emplace(it.noise, seed + 3);
    }
    it.add_interferers(seed);
    if (config.iq_gain_db != 0.0 || config.iq_phase_deg != 0.0 || config.dc_db > -300.0) {
        const double dc = config.dc_db > -300.0 ? config.signal_rms * std::pow(10.0, config.dc_db / 20.0) : 0.0;
        const float each = static_cast<float>(dc / std::sqrt(2.0));
        it.iq.emplace(config.iq_gain_db, config.iq_phase_deg, phy::Sample{each, each});
    }
    if (config.bits != 0) {
        it.quantizer.emplace(config.bits, 4.0 * std::sqrt(config.signal_rms * config.signal_rms + it.noise));
    }
    if (config.gaps_per_million > 0.0) {
        it.drops.emplace(DroppedSamples::Config{config.gaps_per_million, 1, config.longest_gap}, seed + 5);
    }
}

Channel::~Channel() = default;
Channel::Channel(Channel&&) noexcept = default;
Channel& Channel::operator=(Channel&&) noexcept = default;

void Channel::process(std::span<const phy::Sample> in, std::vector<phy::Sample>& out) {
    Impl& it = *impl_;
    it.work.clear();
    if (it.resampler) {
        it.resampler->process(in, it.work);
    } else {
        it.work.assign(in.begin(), in.end());
    }
    const std::span<phy::Sample> samples = it.work;
    if (it.multipath) it.multipath->process(samples);
    if (it.cfo) it.cfo->process(samples);
    if (it.phase_noise) it.phase_noise->process(samples);
    if (it.awgn) it.awgn->process(samples);
    if (it.interferer) it.interferer->process(samples);
    if (it.second_tone) it.second_tone->process(samples);
    if (it.fsk) it.fsk->add(samples);
    if (it.chirp) it.chirp->add(samples);
    if (it.pulses) it.pulses->add(samples);
    if (it.neighbour) it.neighbour->add(samples);
    if (it.iq) it.iq->process(samples);
    if (it.quantizer) it.quantizer->process(samples);
    if (it.drops) {
        it.drops->process(samples, out);
    } else {
        out.insert(out.end(), samples.begin(), samples.end());
    }
}

std::size_t Channel::latency() const noexcept {
    return impl_->multipath ? Multipath::kLatency : 0;
}
double Channel::noise_power() const noexcept {
    return impl_->noise;
}
const Channel::Config& Channel::config() const noexcept {
    return impl_->config;
}

}  // namespace meshnet::sim
