// SPDX-License-Identifier: MIT
#include "phy/transmitter.hpp"

#include <cassert>
#include <cmath>

#include "phy/block_decoder.hpp"
#include "phy/constellation.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/frame.hpp"
#include "phy/frame_layout.hpp"
#include "phy/grid.hpp"
#include "phy/header_codec.hpp"
#include "phy/peak_limiter.hpp"
#include "phy/preamble.hpp"

namespace meshnet::phy {

struct Transmitter::Impl {
    Impl(const Profile& profile, bool limit)
        : grid(profile),
          limiter(grid),
          limit_peaks(limit),
          inverse(profile.fft_size, Fft::Direction::kInverse),
          carriers(profile.carriers) {
        for (const unsigned per_point : {2U, 4U, 6U, 8U}) {
            constellations.emplace_back(per_point);
        }
        for (std::size_t c = 0; c < 3; ++c) {
            preambles[c] = preamble_samples(profile, static_cast<PreambleClass>(c));
            for (auto& s : preambles[c]) {
                s *= kTransmitRms;
            }
        }
        scale = kTransmitRms / std::sqrt(static_cast<float>(profile.carriers));
    }

    // carriers -> one symbol with its prefix, appended.
    void emit_symbol(std::vector<Sample>& out) {
        const auto& p = grid.profile();
        auto in = inverse.in();
        std::fill(in.begin(), in.end(), Sample{});
        for (std::size_t c = 0; c < p.carriers; ++c) {
            in[grid.bin(c)] = carriers[c] * scale;
        }
        inverse.run();
        const auto time = inverse.out();
        out.insert(out.end(), time.end() - static_cast<std::ptrdiff_t>(p.cyclic_prefix), time.end());
        out.insert(out.end(), time.begin(), time.end());
    }

    void place_pilots(std::size_t symbol, bool dense) {
        for (const std::uint16_t c : grid.pilots(symbol, dense)) {
            carriers[c] = Sample(grid.pilot(symbol, c), 0.0F);
        }
    }

    Grid grid;
    PeakLimiter limiter;
    bool limit_peaks;
    Fft inverse;
    std::vector<Sample> carriers;
    std::vector<Constellation> constellations;
    std::vector<Sample> preambles[3];
    HeaderCodec header_codec;
    BlockEncoder encoder;
    std::vector<std::uint8_t> bits;
    float scale = 1.0F;
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

void Transmitter::modulate(ModeIndex mode, ByteView payload, std::vector<Sample>& out, unsigned redundancy_version) {
    assert(mode < modes().size() && !payload.empty() && payload.size() <= kMaxPayloadBytes && redundancy_version < 4);
    Impl& t = *impl_;
    const Mode& m = modes()[mode];
    const auto params = class_params(t.grid.profile(), m.preamble);
    const bool dense = params.dense_pilots;
    const auto& preamble = t.preambles[static_cast<std::size_t>(m.preamble)];
    out.reserve(out.size() + frame_samples(mode, payload.size()));
    out.insert(out.end(), preamble.begin(), preamble.end());

    std::copy(t.grid.training().begin(), t.grid.training().end(), t.carriers.begin());
    for (std::size_t s = 0; s < params.training_symbols; ++s) {
        t.emit_symbol(out);
    }

    using Strength = PeakLimiter::Strength;
    const Strength strength = m.rate_den == 5               ? Strength::kStrong
                              : 2 * m.rate_num > m.rate_den ? Strength::kGentle
                                                            : Strength::kNormal;
    Header header;
    header.mode = mode;
    header.payload_bytes = static_cast<std::uint16_t>(payload.size());
    header.redundancy_version = static_cast<std::uint8_t>(redundancy_version);
    const auto coded = t.header_codec.encode(header);
    const std::size_t per_symbol = t.grid.data_per_symbol(dense);
    const std::size_t header_count = header_symbols(t.grid, m.preamble);
    std::size_t symbol = 0;
    std::size_t bit = 0;
    for (; symbol < header_count; ++symbol) {
        t.place_pilots(symbol, dense);
        for (const std::uint16_t c : t.grid.data(symbol, dense)) {
            const std::uint8_t pair[2] = {coded[HeaderCodec::coded_bit(bit)], coded[HeaderCodec::coded_bit(bit + 1)]};
            t.carriers[c] = t.constellations[0].map(pair);
            bit += 2;
        }
        if (t.limit_peaks) {
            t.limiter.apply(t.carriers, t.grid.data(symbol, dense), strength);
        }
        t.emit_symbol(out);
    }

    const PayloadLayout layout(m, payload.size(), per_symbol);
    const auto& constellation = t.constellations[m.bits_per_symbol / 2 - 1];
    std::size_t block = 0;
    std::size_t point = 0;
    std::size_t points = 0;
    for (std::size_t s = 0; s < layout.symbols(); ++s, ++symbol) {
        t.place_pilots(symbol, dense);
        for (const std::uint16_t c : t.grid.data(symbol, dense)) {
            if (point == points) {
                assert(block < layout.blocks());
                points = layout.block_points(block);
                point = 0;
                t.bits.resize(points * m.bits_per_symbol);
                t.encoder.encode(payload.subspan(layout.block_offset(block), layout.block_bytes(block)),
                                 redundancy_version, points, m.bits_per_symbol, t.bits);
                ++block;
            }
            t.carriers[c] = constellation.map(&t.bits[point * m.bits_per_symbol]);
            ++point;
        }
        if (t.limit_peaks && m.bits_per_symbol == 2) {
            t.limiter.apply(t.carriers, t.grid.data(symbol, dense), strength);
        }
        t.emit_symbol(out);
    }
}

}  // namespace meshnet::phy
