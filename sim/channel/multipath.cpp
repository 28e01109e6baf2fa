// SPDX-License-Identifier: MIT
#include "sim/channel/multipath.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "core/random.hpp"
#include "sim/channel/interpolator.hpp"

namespace meshnet::sim {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;
constexpr std::size_t kWaves = 16;
constexpr std::size_t kLanes = 8;

struct Tap {
    double delay;  // in units of the delay spread
    double power_db;
};

// 3GPP TR 38.901, tables 7.7.2-1, -2 and -3, in their order.
constexpr std::array<Tap, 23> kTdlA{
    {{0.0000, -13.4}, {0.3819, 0.0},   {0.4025, -2.2},  {0.5868, -4.0},  {0.4610, -6.0},  {0.5375, -8.2},
     {0.6708, -9.9},  {0.5750, -10.5}, {0.7618, -7.5},  {1.5375, -15.9}, {1.8978, -6.6},  {2.2242, -16.7},
     {2.1718, -12.4}, {2.4942, -15.2}, {2.5119, -10.8}, {3.0582, -11.3}, {4.0810, -12.7}, {4.4579, -16.2},
     {4.5695, -18.3}, {4.7966, -18.9}, {5.0066, -16.6}, {5.3043, -19.9}, {9.6586, -29.7}}};
constexpr std::array<Tap, 23> kTdlB{{{0.0000, 0.0},   {0.1072, -2.2}, {0.2155, -4.0},  {0.2095, -3.2}, {0.2870, -9.8},
                                     {0.2986, -1.2},  {0.3752, -3.4}, {0.5055, -5.2},  {0.3681, -7.6}, {0.3697, -3.0},
                                     {0.5700, -8.9},  {0.5283, -9.0}, {1.1021, -4.8},  {1.2756, -5.7}, {1.5474, -7.5},
                                     {1.7842, -1.9},  {2.0169, -7.6}, {2.8294, -12.2}, {3.0219, -9.8}, {3.6187, -11.4},
                                     {4.1067, -14.9}, {4.2790, -9.2}, {4.7834, -11.3}}};
constexpr std::array<Tap, 24> kTdlC{
    {{0.0000, -4.4},  {0.2099, -1.2},  {0.2219, -3.5},  {0.2329, -5.2},  {0.2176, -2.5},  {0.6366, 0.0},
     {0.6448, -2.2},  {0.6560, -3.9},  {0.6584, -7.4},  {0.7935, -7.1},  {0.8213, -10.7}, {0.9336, -11.1},
     {1.2285, -5.1},  {1.3083, -6.8},  {2.1704, -8.7},  {2.7105, -13.2}, {4.2589, -13.9}, {4.6003, -13.9},
     {5.4902, -15.8}, {5.6077, -17.1}, {6.3065, -16.0}, {6.6374, -15.7}, {7.0427, -21.6}, {8.6523, -22.8}}};

double power_of(double db) {
    return std::pow(10.0, db / 10.0);
}

}  // namespace

std::vector<PathSpec> tdl_paths(TdlProfile profile, double delay_spread_samples) {
    std::span<const Tap> table = kTdlA;
    if (profile == TdlProfile::kB) {
        table = kTdlB;
    } else if (profile == TdlProfile::kC) {
        table = kTdlC;
    }
    double total = 0.0;
    for (const Tap& tap : table) {
        total += power_of(tap.power_db);
    }
    std::vector<PathSpec> out;
    for (const Tap& tap : table) {
        PathSpec path;
        path.delay_samples = tap.delay * delay_spread_samples;
        path.gain_db = tap.power_db - 10.0 * std::log10(total);
        path.k_factor_db = -std::numeric_limits<double>::infinity();
        out.push_back(path);
    }
    return out;
}

std::vector<PathSpec> two_ray_paths(double relative_delay_samples, double relative_gain_db,
                                    double relative_phase_turns) {
    PathSpec reflected;
    reflected.delay_samples = relative_delay_samples;
    reflected.gain_db = relative_gain_db;
    reflected.phase_turns = relative_phase_turns;
    return {PathSpec{}, reflected};
}

double sea_reflection_delay_s(double distance_m, double height_a_m, double height_b_m) noexcept {
    constexpr double kLight = 299'792'458.0;
    const double direct = std::hypot(distance_m, height_a_m - height_b_m);
    const double reflected = std::hypot(distance_m, height_a_m + height_b_m);
    return (4.0 * height_a_m * height_b_m / (direct + reflected)) /
           kLight;  // = reflected - direct, without cancellation
}

Multipath::Multipath(const std::vector<PathSpec>& paths, double doppler_turns_per_sample, std::uint64_t seed) {
    if (paths.empty()) {
        throw std::invalid_argument("Multipath: at least one path is needed");
    }
    if (!(doppler_turns_per_sample >= 0.0 && doppler_turns_per_sample <= 0.1)) {
        throw std::invalid_argument("Multipath: doppler_turns_per_sample must be within 0..0.1");
    }
    Rng rng(seed);
    std::size_t length = 0;
    for (const PathSpec& spec : paths) {
        if (!(spec.delay_samples >= 0.0 && spec.delay_samples <= kMaxDelaySamples)) {
            throw std::invalid_argument("Multipath: delay_samples must be within 0..4096");
        }
        if (!(std::abs(spec.gain_db) <= 200.0) || std::isnan(spec.k_factor_db)) {
            throw std::invalid_argument("Multipath: gain_db must be within -200..200 and k_factor_db a number");
        }
        Path path{};
        const double whole = std::floor(spec.delay_samples);
        path.first_tap = static_cast<std::size_t>(whole);
        // The pulse at delay d has its taps at d - (interpolation point): interpolating x at -d, written backwards.
        const double fraction = spec.delay_samples - whole;
        std::array<float, Interpolator::kTaps> taps{};
        if (fraction == 0.0) {
            taps[Interpolator::kBefore] = 1.0F;
        } else {
            Interpolator::taps(static_cast<float>(fraction), taps.data());
        }
        path.pulse.assign(taps.begin(), taps.end());
        const double power = power_of(spec.gain_db);
        const bool steady_only = std::isinf(spec.k_factor_db) && spec.k_factor_db > 0.0;
        const double k = power_of(spec.k_factor_db);
        const double steady_power = steady_only ? power : power * k / (1.0 + k);
        const double fading_power = steady_only ? 0.0 : power / (1.0 + k);
        const bool moves = doppler_turns_per_sample > 0.0 && !steady_only;
        if (moves) {
            fading_ = true;
            if (steady_power > 0.0) {  // line of sight at 0.7 of the highest Doppler, as TR 38.901 7.7.2 sets it
                path.waves.push_back({Phasor(spec.phase_turns, 0.7 * doppler_turns_per_sample),
                                      static_cast<float>(std::sqrt(steady_power))});
            }
        } else {
            path.steady =
                static_cast<float>(std::sqrt(steady_power)) * phase_to_phasor(turns_to_phase(spec.phase_turns));
        }
        if (fading_power > 0.0) {
            const float amplitude = static_cast<float>(std::sqrt(fading_power / static_cast<double>(kWaves)));
            for (std::size_t w = 0; w < kWaves; ++w) {
                const double angle = kTurn * (static_cast<double>(w) + rng.uniform()) / static_cast<double>(kWaves);
                const Phasor phasor(rng.uniform() - 0.5, doppler_turns_per_sample * std::cos(angle));
                if (moves) {
                    path.waves.push_back({phasor, amplitude});
                } else {  // one frozen draw of the fading
                    Phasor once = phasor;
                    path.steady += amplitude * once.next();
                }
            }
        }
        length = std::max(length, path.first_tap + Interpolator::kTaps);
        paths_.push_back(std::move(path));
    }
    length = (length + kLanes - 1) / kLanes * kLanes;
    // Between two responses a wave turns by at most 0.04 rad, so that linear interpolation errs by less than -70 dB.
    while (grid_ > 1 && kTurn * doppler_turns_per_sample * static_cast<double>(grid_) > 0.04) {
        grid_ /= 2;
    }
    for (Taps* taps : {&now_, &next_}) {
        taps->re.resize(length);
        taps->im.resize(length);
    }
    compute(now_);
    if (fading_) {
        compute(next_);
    } else {
        next_ = now_;
    }
    history_re_.assign(length - 1, 0.0F);
    history_im_.assign(length - 1, 0.0F);
}

void Multipath::compute(Taps& taps) {
    std::fill(taps.re.begin(), taps.re.end(), 0.0F);
    std::fill(taps.im.begin(), taps.im.end(), 0.0F);
    const std::size_t last = taps.re.size() - 1;
    for (Path& path : paths_) {
        phy::Sample gain = path.steady;
        for (Wave& wave : path.waves) {
            gain += wave.amplitude * wave.phasor.next(grid_);
        }
        for (std::size_t k = 0; k < path.pulse.size(); ++k) {
            // Stored reversed, so that the filter is a plain dot product with the newest sample last.
            const std::size_t at = last - (path.first_tap + k);
            taps.re[at] += gain.real() * path.pulse[k];
            taps.im[at] += gain.imag() * path.pulse[k];
        }
    }
}

void Multipath::process(std::span<phy::Sample> samples) {
    const std::size_t length = now_.re.size();
    const std::size_t start = history_re_.size();
    for (const phy::Sample& s : samples) {
        history_re_.push_back(s.real());
        history_im_.push_back(s.imag());
    }
    for (std::size_t n = 0; n < samples.size(); ++n) {
        if (fading_ && in_grid_ == grid_) {
            std::swap(now_, next_);
            compute(next_);
            in_grid_ = 0;
        }
        const float mu = fading_ ? static_cast<float>(in_grid_) / static_cast<float>(grid_) : 0.0F;
        ++in_grid_;
        const float* const xr = history_re_.data() + (start + n + 1 - length);
        const float* const xi = history_im_.data() + (start + n + 1 - length);
        std::array<float, kLanes> re{};
        std::array<float, kLanes> im{};
        for (std::size_t k = 0; k < length; k += kLanes) {
            for (std::size_t lane = 0; lane < kLanes; ++lane) {
                const std::size_t i = k + lane;
                const float hr = now_.re[i] + mu * (next_.re[i] - now_.re[i]);
                const float hi = now_.im[i] + mu * (next_.im[i] - now_.im[i]);
                re[lane] += hr * xr[i] - hi * xi[i];
                im[lane] += hr * xi[i] + hi * xr[i];
            }
        }
        phy::Sample out{};
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            out += phy::Sample{re[lane], im[lane]};
        }
        samples[n] = out;
    }
    const auto used = static_cast<std::ptrdiff_t>(samples.size());
    history_re_.erase(history_re_.begin(), history_re_.begin() + used);
    history_im_.erase(history_im_.begin(), history_im_.begin() + used);
    if (!fading_) {
        in_grid_ = 0;
    }
}

std::vector<phy::Sample> Multipath::response() const {
    const float mu = fading_ ? static_cast<float>(in_grid_) / static_cast<float>(grid_) : 0.0F;
    std::vector<phy::Sample> out(now_.re.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t at = out.size() - 1 - i;
        out[i] = {now_.re[at] + mu * (next_.re[at] - now_.re[at]), now_.im[at] + mu * (next_.im[at] - now_.im[at])};
    }
    return out;
}

}  // namespace meshnet::sim
