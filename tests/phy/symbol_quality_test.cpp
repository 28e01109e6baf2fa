// SPDX-License-Identifier: MIT
// No header or payload symbol is special: error vector, mean power and peak of what is sent, in every profile and mode,
// for random payloads and for those that repeat themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/frame.hpp"
#include "phy/waveform/frame_mapper.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {
namespace {

/// What the limiter did to the symbols of one kind.
struct Quality {
    double error = 0.0, power = 0.0, intended = 0.0;
    double worst_evm_db = -100.0;  // of a single symbol
    std::vector<double> peaks_db;  // of each symbol
    [[nodiscard]] double evm_db() const { return 10.0 * std::log10(error / intended + 1e-30); }
    [[nodiscard]] double mean_power() const { return power / intended; }
    [[nodiscard]] double peak_db(double exceeded_by) {
        std::sort(peaks_db.begin(), peaks_db.end());
        const auto at = static_cast<std::size_t>((1.0 - exceeded_by) * static_cast<double>(peaks_db.size()));
        return peaks_db[std::min(at, peaks_db.size() - 1)];
    }
};

class Meter {
public:
    explicit Meter(const Profile& profile)
        : grid_(profile), sent_(grid_), meant_(grid_), inverse_(4 * profile.fft_size, Fft::Direction::kInverse) {}

    void frame(ModeIndex mode, ByteView payload, unsigned version, Quality& header, Quality& body) {
        sent_.begin(mode, payload, version, true);
        meant_.begin(mode, payload, version, false);
        const bool dense = class_params(grid_.profile(), modes()[mode].preamble).dense_pilots;
        for (std::size_t s = 0; s < sent_.symbols(); ++s) {
            const auto x = sent_.next();
            const auto y = meant_.next();
            if (s >= sent_.training_symbols()) {
                const std::size_t number = s - sent_.training_symbols();
                compare(x, y, grid_.data(number, dense), number < sent_.header_symbols() ? header : body);
            }
        }
    }

private:
    void compare(std::span<const Sample> x, std::span<const Sample> y, std::span<const std::uint16_t> data,
                 Quality& q) {
        double error = 0.0;
        double intended = 0.0;
        for (const std::uint16_t c : data) {
            error += static_cast<double>(std::norm(x[c] - y[c]));
            intended += static_cast<double>(std::norm(y[c]));
            q.power += static_cast<double>(std::norm(x[c]));
        }
        q.error += error;
        q.intended += intended;
        q.worst_evm_db = std::max(q.worst_evm_db, 10.0 * std::log10(error / intended + 1e-30));
        auto in = inverse_.in();
        std::fill(in.begin(), in.end(), Sample{});
        double power = 0.0;
        for (std::size_t c = 0; c < x.size(); ++c) {
            const int k = grid_.subcarrier(c);
            in[static_cast<std::size_t>(k < 0 ? static_cast<int>(in.size()) + k : k)] = x[c];
            power += static_cast<double>(std::norm(x[c]));
        }
        inverse_.run();
        double peak = 0.0;
        for (const Sample s : inverse_.out()) {
            peak = std::max(peak, static_cast<double>(std::norm(s)));
        }
        q.peaks_db.push_back(10.0 * std::log10(peak / static_cast<double>(x.size())));
    }

    Grid grid_;
    FrameMapper sent_, meant_;
    Fft inverse_;
};

/// Payloads as users have them, and those that repeat themselves.
Bytes payload_of(Rng& rng, int kind, std::size_t bytes) {
    Bytes out(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
        switch (kind) {
            case 0:
                out[i] = static_cast<std::uint8_t>(rng.below(256));
                break;
            case 1:
                break;
            case 2:
                out[i] = 0xFF;
                break;
            case 3:
                out[i] = 0x55;
                break;
            default:
                out[i] = static_cast<std::uint8_t>(i);
        }
    }
    return out;
}

/// The error vector of all points of a mode, and the peak that one symbol in a hundred exceeds: docs/spec/phy.md,
/// "Carriers".
struct Limits {
    double evm_db, peak_db;
};

Limits limits_of(const Mode& mode, bool header) {
    switch (header ? 2U : mode.bits_per_symbol) {
        case 4:
            return {-32.0, 8.2};
        case 6:
            return {-37.0, 8.9};
        case 8:
            return {-44.0, 9.7};
        default:
            return mode.rate_den == 5 ? Limits{-16.5, 5.5} : Limits{-17.9, 5.6};
    }
}

TEST(SymbolQuality, NoSymbolIsSpecial) {
    constexpr std::size_t kLengths[] = {1, 3, 16, 40, 64, 100, 128, 256, 511, 512, 1'000, 1'024};
    for (const Profile& profile : profiles()) {
        Meter meter(profile);
        for (ModeIndex m = 0; m < modes().size(); ++m) {
            const Mode& mode = modes()[m];
            Rng rng(m + 1U);
            Quality header;
            Quality body;
            for (int kind = 0; kind < 5; ++kind) {
                for (const std::size_t length : kLengths) {
                    if (mode.spread * length > 1'100) {
                        continue;  // long enough to be seen, not to be waited for
                    }
                    for (unsigned version = 0; version < (kind == 0 && length <= 100 ? 4U : 1U); ++version) {
                        meter.frame(m, payload_of(rng, kind, length), version, header, body);
                    }
                }
            }
            for (Quality* q : {&header, &body}) {
                const Limits limits = limits_of(mode, q == &header);
                const std::string where = std::string(profile.name) + ", " + std::string(mode.name) +
                                          (q == &header ? ", header" : ", payload");
                EXPECT_LE(q->evm_db(), limits.evm_db) << where;
                if (profile.carriers >= 400) {  // few carriers make a bad symbol now and then, many do not
                    EXPECT_LE(q->worst_evm_db, limits.evm_db + 0.35 * -limits.evm_db) << where;
                }
                EXPECT_NEAR(q->mean_power(), 1.0, 0.015) << where;
                EXPECT_LE(q->peak_db(1e-2), limits.peak_db) << where;
            }
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
