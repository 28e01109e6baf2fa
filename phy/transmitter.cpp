// SPDX-License-Identifier: MIT
#include "phy/transmitter.hpp"

#include <cassert>

#include "phy/dsp/doppler_oscillator.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_layout.hpp"
#include "phy/waveform/frame_mapper.hpp"
#include "phy/waveform/grid.hpp"
#include "phy/waveform/preamble.hpp"
#include "phy/waveform/symbol_modulator.hpp"

namespace meshnet::phy {

struct Transmitter::Impl {
    Impl(const Profile& profile, bool limit)
        : grid(profile), mapper(grid), modulator(grid, kTransmitRms), limit_peaks(limit) {
        for (std::size_t c = 0; c < 3; ++c) {
            preambles[c] = preamble_samples(profile, static_cast<PreambleClass>(c));
            for (auto& s : preambles[c]) {
                s *= kTransmitRms;
            }
        }
    }

    Grid grid;
    FrameMapper mapper;
    SymbolModulator modulator;
    bool limit_peaks;
    std::vector<Sample> preambles[3];
};

Transmitter::Transmitter(const Profile& profile, bool limit_peaks)
    : impl_(std::make_unique<Impl>(profile, limit_peaks)) {}
Transmitter::~Transmitter() = default;
Transmitter::Transmitter(Transmitter&&) noexcept = default;
Transmitter& Transmitter::operator=(Transmitter&&) noexcept = default;

const Profile& Transmitter::profile() const noexcept {
    return impl_->grid.profile();
}

std::size_t Transmitter::frame_samples(ModeIndex mode, std::size_t bytes) const noexcept {
    return phy::frame_samples(profile(), mode, bytes);
}

std::size_t frame_samples(const Profile& profile, ModeIndex mode, std::size_t bytes) noexcept {
    assert(mode < modes().size());
    const Mode& m = modes()[mode];
    const auto params = class_params(profile, m.preamble);
    const std::size_t per_symbol = profile.carriers / 13 * (params.dense_pilots ? 11 : 12);
    const std::size_t header = (params.header_copies * kHeaderCodedBits / 2 + per_symbol - 1) / per_symbol;
    const std::size_t payload = PayloadLayout(m, bytes, per_symbol).symbols();
    return 2 * params.chirp_samples + (params.training_symbols + header + payload) * profile.symbol_samples();
}

void Transmitter::modulate(ModeIndex mode, ByteView payload, std::vector<Sample>& out, unsigned redundancy_version,
                           DopplerShift shift) {
    assert(mode < modes().size() && !payload.empty() && payload.size() <= kMaxPayloadBytes && redundancy_version < 4);
    Impl& t = *impl_;
    const std::size_t first = out.size();
    const auto& preamble = t.preambles[static_cast<std::size_t>(modes()[mode].preamble)];
    out.reserve(out.size() + frame_samples(mode, payload.size()));
    out.insert(out.end(), preamble.begin(), preamble.end());
    t.mapper.begin(mode, payload, redundancy_version, t.limit_peaks);
    for (std::size_t s = t.mapper.symbols(); s > 0; --s) {
        t.modulator.append(t.mapper.next(), out);
    }
    if (shift.hz != 0.0 || shift.hz_per_s != 0.0) {
        DopplerOscillator oscillator(profile().sample_rate_hz);
        oscillator.set(shift);
        oscillator.rotate(std::span(out).subspan(first), 1.0);
    }
}

}  // namespace meshnet::phy
