// SPDX-License-Identifier: MIT
#include "phy/estimation/time_varying_channel.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

#include "phy/dsp/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr std::size_t kMaxTaps = 24;
constexpr std::size_t kFarthest = 15;  // subcarriers from one pilot to the next
constexpr std::size_t kAllPatterns = 2 * Grid::kPatterns + 1;
constexpr std::size_t kOrder = 4;  // coefficients that touch one symbol: cubic
// Distances of knots that are tried, symbols: for 0.005, 0.008, 0.013, 0.02, 0.035, 0.06 cycles per symbol.
constexpr std::array<double, 6> kSpacings{52.0, 32.0, 20.0, 13.0, 8.0, 4.5};
constexpr double kFirstSpacing = 16.0;
constexpr double kFirstSpacingFast = 6.0;
constexpr double kWide = 30.0;      // knots that far apart need no better offset
constexpr double kStraight = 0.02;  // radians per symbol
constexpr double kExplained = 1.5;  // times the noise known: nothing is left for closer knots to find
constexpr double kBetter = 0.98;    // closer knots must lower the score at least to this

using Complex = std::complex<double>;

void add_scaled(std::size_t n, double scale, const double* __restrict from, double* __restrict to) noexcept {
    for (std::size_t i = 0; i < n; ++i) {
        to[i] += scale * from[i];
    }
}

}  // namespace

TimeVaryingChannel::TimeVaryingChannel(const Grid& grid)
    : grid_(grid), forward_(grid.profile().fft_size, Fft::Direction::kForward) {
    const auto& profile = grid.profile();
    const std::size_t n = profile.fft_size;
    for (std::size_t i = 0; i < n; ++i) {
        const double angle = -kTwoPi * static_cast<double>(i) / static_cast<double>(n);
        twiddle_.emplace_back(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
    }
    for (int d = -1; d <= static_cast<int>(profile.cyclic_prefix) + 1; ++d) {
        support_.push_back(d);
    }
    const std::size_t differences = support_.size();
    correlation_.resize(kAllPatterns * differences);
    for (std::size_t p = 0; p < kAllPatterns; ++p) {
        for (std::size_t d = 0; d < differences; ++d) {
            std::complex<double> sum{};
            const auto add = [&](std::size_t c) {
                const auto at = static_cast<std::size_t>(grid.subcarrier(c) * static_cast<int>(d)) & (n - 1);
                sum += std::complex<double>(twiddle_[at]);
            };
            if (p == PilotRecord::kTraining) {
                for (std::size_t c = 0; c < grid.carriers(); ++c) {
                    add(c);
                }
            } else {
                for (const std::uint16_t c : grid.pilots(p % Grid::kPatterns, p >= Grid::kPatterns)) {
                    add(c);
                }
            }
            correlation_[p * differences + d] = sum;
        }
    }
}

std::span<const TimeVaryingChannel::Complex> TimeVaryingChannel::correlation(std::size_t pattern) const noexcept {
    return std::span(correlation_).subspan(pattern * support_.size(), support_.size());
}

// Profiles with a long prefix: the delays where the record has most energy.
void TimeVaryingChannel::select_taps(const PilotRecord& record) {
    taps_.assign(support_.begin(), support_.end());
    if (support_.size() <= kMaxTaps) {
        return;
    }
    const std::size_t n = grid_.profile().fft_size;
    delay_energy_.assign(support_.size(), 0.0);
    auto in = forward_.in();
    std::fill(in.begin(), in.end(), Sample{});
    // Groups of neighbouring symbols are summed before the energy is taken. A forward transform of conjugates has the
    // magnitudes of a backward one.
    const auto close = [&] {
        forward_.run();
        const auto response = forward_.out();
        for (std::size_t t = 0; t < support_.size(); ++t) {
            const Sample h = response[static_cast<std::size_t>(support_[t]) & (n - 1)];
            delay_energy_[t] += std::fmax(static_cast<double>(std::norm(h)), 0.0);  // 0 if it is not a number
        }
        std::fill(in.begin(), in.end(), Sample{});
    };
    std::size_t in_group = 0;
    for (const auto& row : record.rows_) {
        const bool training = row.pattern == PilotRecord::kTraining;
        const auto carriers =
            training ? std::span<const std::uint16_t>{} : grid_.pilots(row.number, row.pattern >= Grid::kPatterns);
        const std::size_t count = record.count(row);
        for (std::size_t i = 0; i < count; ++i) {
            in[grid_.bin(training ? i : carriers[i])] += std::conj(record.values_[row.first + i]);
        }
        ++in_group;
        if (training || in_group == 4) {
            close();
            in_group = 0;
        }
    }
    if (in_group > 0) {
        close();
    }
    order_.resize(support_.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::partial_sort(order_.begin(), order_.begin() + kMaxTaps, order_.end(),
                      [&](std::size_t a, std::size_t b) { return delay_energy_[a] > delay_energy_[b]; });
    order_.resize(kMaxTaps);
    std::sort(order_.begin(), order_.end());
    taps_.clear();
    for (const std::size_t t : order_) {
        taps_.push_back(support_[t]);
    }
}

// Memory for whatever shapes and knots the stretch asks for: another one as long finds it there.
void TimeVaryingChannel::reserve(const PilotRecord& record) {
    const std::size_t taps = taps_.size();
    const std::size_t unknowns = coefficients_for(kSpacings.back()) * taps;
    for (auto* values : {&solution_, &best_, &aside_.solution, &right_}) {
        values->reserve(unknowns);
    }
    normal_.reserve(coefficients_for(kFirstSpacingFast) * taps * kOrder * taps);
    diagonal_.reserve(unknowns);
    weight_.reserve(coefficients_for(kSpacings.back()) * kOrder * kAllPatterns);
    patterns_.reserve(kAllPatterns);
    gram_.reserve(kAllPatterns * taps * taps);
    heard_.reserve(record.rows_.size() * taps);
    basis_.reserve(taps * taps);
    aside_.basis.reserve(taps * taps);
    product_.reserve(2 * taps);
    for (auto* values : {&power_, &aside_.power, &ridge_}) {
        values->reserve(taps);
    }
}

void TimeVaryingChannel::project(const PilotRecord& record) {
    const std::size_t n = grid_.profile().fft_size;
    const std::size_t taps = taps_.size();
    const auto back = [&](int subcarrier, int tap) {
        return std::conj(twiddle_[static_cast<std::size_t>(subcarrier * tap) & (n - 1)]);
    };
    // Horner's rule over the pilots, all taps at once: from pilot to pilot each tap turns by its own step.
    using Lanes = std::array<float, kMaxTaps>;
    std::array<Lanes, kFarthest + 1> step_re;
    std::array<Lanes, kFarthest + 1> step_im;
    for (std::size_t d = 1; d <= kFarthest; ++d) {
        for (std::size_t t = 0; t < kMaxTaps; ++t) {
            const Sample w = t < taps ? back(static_cast<int>(d), taps_[t]) : Sample{};
            step_re[d][t] = w.real();
            step_im[d][t] = w.imag();
        }
    }
    const std::size_t lanes = (taps + 3) / 4 * 4;
    projection_.resize(record.rows_.size() * taps);
    energy_ = 0.0;
    observations_ = 0.0;
    for (std::size_t r = 0; r < record.rows_.size(); ++r) {
        const auto& row = record.rows_[r];
        const bool training = row.pattern == PilotRecord::kTraining;
        const auto carriers =
            training ? std::span<const std::uint16_t>{} : grid_.pilots(row.number, row.pattern >= Grid::kPatterns);
        const std::size_t count = record.count(row);
        Lanes re{};
        Lanes im{};
        double energy = 0.0;
        int above = 0;  // subcarrier of the pilot before, which lies above
        for (std::size_t i = count; i-- > 0;) {
            const int sub = grid_.subcarrier(training ? i : carriers[i]);
            const auto distance = static_cast<std::size_t>(i + 1 < count ? above - sub : 1);
            assert(distance <= kFarthest);
            const Lanes& w_re = step_re[distance];
            const Lanes& w_im = step_im[distance];
            const Sample z = record.values_[row.first + i];
            const float x = z.real();
            const float y = z.imag();
            energy += static_cast<double>(std::norm(z));
            for (std::size_t t = 0; t < lanes; ++t) {
                const float turned = re[t] * w_re[t] - im[t] * w_im[t] + x;
                im[t] = re[t] * w_im[t] + im[t] * w_re[t] + y;
                re[t] = turned;
            }
            above = sub;
        }
        for (std::size_t t = 0; t < taps; ++t) {
            projection_[r * taps + t] = Sample(re[t], im[t]) * back(above, taps_[t]);
        }
        energy_ += row.weight * energy;
        // A training response was smoothed: it holds as many independent values as there are delays.
        observations_ += static_cast<double>(training ? std::min(count, support_.size()) : count);
    }
}

// The carrier offset that is left, as the strongest taps turn from symbol to symbol: fades do not disturb it, since
// what is weak weighs little.
void TimeVaryingChannel::guess_residual_cfo(const PilotRecord& record, double noise, Fit& out) const noexcept {
    const std::size_t taps = taps_.size();
    Complex lag{};
    double lags = 0.0;
    double pilots = 0.0;
    for (std::size_t r = 1; r < record.rows_.size(); ++r) {
        if (record.rows_[r - 1].pattern == PilotRecord::kTraining) {
            continue;
        }
        Complex sum{};
        for (std::size_t t = 0; t < taps; ++t) {
            sum += Complex(projection_[r * taps + t] * std::conj(projection_[(r - 1) * taps + t]));
        }
        lag += sum;
        lags += 1.0;
        pilots = static_cast<double>(record.count(record.rows_[r]));
    }
    out.residual_cfo = lag == Complex{} ? 0.0 : std::arg(lag);
    // Each lag: a product of two vectors with noise of `pilots * noise` in every tap.
    const double variance = pilots * noise;
    const double mean = std::max(std::abs(lag) / std::max(lags, 1.0), 1e-30);
    const double of_one = (variance * mean + 0.5 * variance * variance * static_cast<double>(taps)) / (mean * mean);
    out.residual_cfo_deviation = std::sqrt(of_one / std::max(lags, 1.0));
}

// Derotates the projected pilots by `radians` per symbol.
void TimeVaryingChannel::derotate(const PilotRecord& record, double radians) noexcept {
    const std::size_t taps = taps_.size();
    for (std::size_t r = 0; r < record.rows_.size(); ++r) {
        const double angle = -radians * record.rows_[r].symbol;
        const Sample back(static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle)));
        for (std::size_t t = 0; t < taps; ++t) {
            projection_[r * taps + t] *= back;
        }
    }
}

// By how much the solution itself turns per symbol.
double TimeVaryingChannel::residual_cfo_of_solution() {
    const std::size_t shapes = power_.size();
    product_.resize(2 * shapes);
    const std::span<Complex> now = std::span(product_).first(shapes);
    const std::span<Complex> before = std::span(product_).last(shapes);
    Complex lag{};
    for (double symbol = begin_; symbol <= end_; symbol += 1.0) {
        double w[kOrder];
        const std::size_t q = spline(symbol, w);
        for (std::size_t i = 0; i < shapes; ++i) {
            now[i] = {};
            for (std::size_t a = 0; a < kOrder; ++a) {
                now[i] += w[a] * solution_.at((q + a) * shapes + i);
            }
            if (symbol > begin_) {
                lag += now[i] * std::conj(before[i]);
            }
            before[i] = now[i];
        }
    }
    return lag == Complex{} ? 0.0 : std::arg(lag);
}

void TimeVaryingChannel::set_knots(std::size_t coefficients) noexcept {
    coefficients_ = coefficients;
    spacing_ = std::max(end_ - begin_, 1e-9) / static_cast<double>(coefficients - (kOrder - 1));
}

// The first coefficient that touches `symbol`, and the weights of it and the three that follow.
std::size_t TimeVaryingChannel::spline(double symbol, double (&w)[4]) const noexcept {
    const double u = std::clamp((symbol - begin_) / spacing_, 0.0, static_cast<double>(coefficients_ - (kOrder - 1)));
    const std::size_t q = std::min(static_cast<std::size_t>(u), coefficients_ - kOrder);
    const double f = u - static_cast<double>(q);
    const double g = 1.0 - f;
    w[0] = g * g * g / 6.0;
    w[1] = (3.0 * f * f * f - 6.0 * f * f + 4.0) / 6.0;
    w[2] = (3.0 * g * g * g - 6.0 * g * g + 4.0) / 6.0;
    w[3] = f * f * f / 6.0;
    return q;
}

// Every tap a shape of its own.
void TimeVaryingChannel::take_taps_for_shapes(const PilotRecord& record, double noise) {
    const std::size_t taps = taps_.size();
    const double signal = std::max(energy_ / std::max(observations_, 1.0) - noise, 0.01 * noise);
    power_.assign(taps, signal / static_cast<double>(taps));
    ridge_.assign(taps, noise / power_.front());
    patterns_.clear();
    for (const auto& row : record.rows_) {
        if (std::find(patterns_.begin(), patterns_.end(), row.pattern) == patterns_.end()) {
            patterns_.push_back(row.pattern);
        }
    }
    gram_.assign(patterns_.size() * taps * taps);
    for (std::size_t p = 0; p < patterns_.size(); ++p) {
        const auto g = correlation(patterns_[p]);
        for (std::size_t j = 0; j < taps; ++j) {
            for (std::size_t i = 0; i < taps; ++i) {
                const int difference = taps_[j] - taps_[i];
                const Complex value = g[static_cast<std::size_t>(std::abs(difference))];
                gram_.set((p * taps + j) * taps + i, difference < 0 ? std::conj(value) : value);
            }
        }
    }
    heard_.assign(projection_.size());
    for (std::size_t i = 0; i < projection_.size(); ++i) {
        heard_.set(i, Complex(projection_[i]));
    }
}

// Takes basis_ and power_ for what the channel is made of.
void TimeVaryingChannel::enter_basis(const PilotRecord& record, double noise) {
    const std::size_t taps = taps_.size();
    const std::size_t shapes = power_.size();
    ridge_.clear();
    for (const double p : power_) {
        ridge_.push_back(noise / p);
    }
    gram_.assign(patterns_.size() * shapes * shapes);
    product_.resize(taps);
    for (std::size_t p = 0; p < patterns_.size(); ++p) {
        const auto g = correlation(patterns_[p]);
        for (std::size_t j = 0; j < shapes; ++j) {
            for (std::size_t t = 0; t < taps; ++t) {
                Complex sum{};
                for (std::size_t u = 0; u < taps; ++u) {
                    const int difference = taps_[u] - taps_[t];
                    const Complex value = g[static_cast<std::size_t>(std::abs(difference))];
                    sum += (difference < 0 ? std::conj(value) : value) * basis_[j * taps + u];
                }
                product_[t] = sum;
            }
            for (std::size_t i = 0; i < shapes; ++i) {
                Complex sum{};
                for (std::size_t t = 0; t < taps; ++t) {
                    sum += std::conj(basis_[i * taps + t]) * product_[t];
                }
                gram_.set((p * shapes + j) * shapes + i, sum);
            }
        }
    }
    const std::size_t rows = record.rows_.size();
    heard_.assign(rows * shapes);
    for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t i = 0; i < shapes; ++i) {
            Complex sum{};
            for (std::size_t t = 0; t < taps; ++t) {
                sum += std::conj(basis_[i * taps + t]) * Complex(projection_[r * taps + t]);
            }
            heard_.set(r * shapes + i, sum);
        }
    }
}

// The normal equations for the knots that are set.
void TimeVaryingChannel::build(const PilotRecord& record) {
    const std::size_t shapes = power_.size();
    const std::size_t unknowns = coefficients_ * shapes;
    const std::size_t band = kOrder * shapes;
    const std::size_t patterns = patterns_.size();
    right_.assign(unknowns);
    normal_.assign(unknowns * band);
    diagonal_.resize(unknowns);
    weight_.assign(coefficients_ * kOrder * patterns, 0.0);
    for (std::size_t r = 0; r < record.rows_.size(); ++r) {
        const auto& row = record.rows_[r];
        const auto pattern =
            static_cast<std::size_t>(std::find(patterns_.begin(), patterns_.end(), row.pattern) - patterns_.begin());
        double w[kOrder];
        const std::size_t q = spline(row.symbol, w);
        for (std::size_t a = 0; a < kOrder; ++a) {
            for (std::size_t b = a; b < kOrder; ++b) {
                weight_[((q + a) * kOrder + b - a) * patterns + pattern] += row.weight * w[a] * w[b];
            }
            const double weight = row.weight * w[a];
            for (std::size_t i = 0; i < shapes; ++i) {
                right_.re[(q + a) * shapes + i] += weight * heard_.re[r * shapes + i];
                right_.im[(q + a) * shapes + i] += weight * heard_.im[r * shapes + i];
            }
        }
    }
    for (std::size_t q = 0; q < coefficients_; ++q) {
        for (std::size_t a = 0; a < kOrder && q + a < coefficients_; ++a) {
            for (std::size_t p = 0; p < patterns; ++p) {
                const double weight = weight_[(q * kOrder + a) * patterns + p];
                if (weight == 0.0) {
                    continue;
                }
                // Column: coefficient q, shape j; row: coefficient q + a, shape i.
                for (std::size_t j = 0; j < shapes; ++j) {
                    const std::size_t first = a == 0 ? j : 0;
                    const std::size_t to = (q * shapes + j) * band + a * shapes + first - j;
                    const std::size_t from = (p * shapes + j) * shapes + first;
                    add_scaled(shapes - first, weight, &gram_.re[from], &normal_.re[to]);
                    add_scaled(shapes - first, weight, &gram_.im[from], &normal_.im[to]);
                }
            }
        }
    }
    for (std::size_t i = 0; i < unknowns; ++i) {
        diagonal_[i] = normal_.re[i * band];
    }
    solution_.re.assign(right_.re.begin(), right_.re.end());
    solution_.im.assign(right_.im.begin(), right_.im.end());
}

// From a solution whose shapes are the taps: the shapes that the channel really takes, and the power of each. One path
// between two sampling instants is many taps and one shape.
void TimeVaryingChannel::learn_basis(double noise) {
    const std::size_t taps = taps_.size();
    covariance_.assign(taps * taps);
    for (std::size_t q = 0; q < coefficients_; ++q) {
        for (std::size_t t = 0; t < taps; ++t) {
            const Complex a = solution_.at(q * taps + t) / static_cast<double>(coefficients_);
            for (std::size_t u = 0; u < taps; ++u) {
                const Complex product = a * std::conj(solution_.at(q * taps + u));
                covariance_.re[t * taps + u] += product.real();
                covariance_.im[t * taps + u] += product.imag();
            }
        }
    }
    const double sounded = std::accumulate(diagonal_.begin(), diagonal_.end(), 0.0);
    const double chance = noise * static_cast<double>(coefficients_ * taps) / std::max(sounded, 1e-9);
    hermitian_eigenvectors(covariance_, taps, vectors_);
    basis_.clear();
    power_.clear();
    order_.resize(taps);
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto value = [&](std::size_t i) { return std::fmax(covariance_.re[i * taps + i], 0.0); };
    std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) { return value(a) > value(b); });
    for (const std::size_t i : order_) {
        if (!power_.empty() && value(i) < 1.5 * chance) {
            break;
        }
        power_.push_back(std::max(value(i) - chance, 0.1 * chance));
        for (std::size_t t = 0; t < taps; ++t) {
            basis_.push_back(vectors_.at(i * taps + t));
        }
    }
}

// What the solution leaves of the pilots, and what it spent on that.
TimeVaryingChannel::Fit TimeVaryingChannel::judge() const noexcept {
    const std::size_t shapes = power_.size();
    double left = energy_;
    double spent = 0.0;
    for (std::size_t i = 0; i < diagonal_.size(); ++i) {
        const double ridge = ridge_[i % shapes];
        const double diagonal = diagonal_[i];
        left -= (std::conj(solution_.at(i)) * right_.at(i)).real() + ridge * std::norm(solution_.at(i));
        spent += diagonal / (diagonal + ridge);
    }
    left = std::max(left, 1e-9 * energy_);
    const double free = std::max(observations_ - spent, 0.05 * observations_);
    Fit out;
    out.noise = left / free;
    out.score = left * observations_ / (free * free);
    out.knots = spacing_;
    return out;
}

std::size_t TimeVaryingChannel::coefficients_for(double spacing) const noexcept {
    return std::max(static_cast<std::size_t>(std::ceil((end_ - begin_) / spacing)), std::size_t{1}) + kOrder - 1;
}

// Puts the solution aside and takes back the one that was.
void TimeVaryingChannel::exchange_solutions() noexcept {
    std::swap(basis_, aside_.basis);
    std::swap(power_, aside_.power);
    std::swap(solution_, aside_.solution);
    std::swap(coefficients_, aside_.coefficients);
    std::swap(spacing_, aside_.spacing);
}

TimeVaryingChannel::Fit TimeVaryingChannel::fit_shapes(const PilotRecord& record, double noise, double first_spacing) {
    // First every tap for itself, to see what shapes there are.
    take_taps_for_shapes(record, noise);
    set_knots(coefficients_for(first_spacing));
    build(record);
    solve_banded(normal_, kOrder * power_.size(), ridge_, solution_);
    learn_basis(noise);

    enter_basis(record, noise);
    Fit best;
    std::size_t best_coefficients = 0;
    std::size_t tried = 0;
    for (const double spacing : kSpacings) {
        const std::size_t coefficients = coefficients_for(spacing);
        if (coefficients == tried) {
            continue;
        }
        tried = coefficients;
        set_knots(tried);
        build(record);
        solve_banded(normal_, kOrder * power_.size(), ridge_, solution_);
        const Fit fit = judge();
        if (best_coefficients > 0 && !(fit.score < kBetter * best.score)) {
            if (best.noise < kExplained * noise) {
                break;
            }
            continue;  // knots far too wide: a little closer need not be any better
        }
        best = fit;
        best_coefficients = tried;
        std::swap(best_, solution_);
    }
    set_knots(best_coefficients);
    std::swap(solution_, best_);
    return best;
}

TimeVaryingChannel::Fit TimeVaryingChannel::fit(const PilotRecord& record, double noise) {
    assert(!record.rows_.empty() && noise > 0.0);
    begin_ = record.rows_.front().symbol;
    end_ = record.rows_.back().symbol;
    select_taps(record);
    reserve(record);
    project(record);
    Fit offset;
    guess_residual_cfo(record, noise, offset);
    derotate(record, offset.residual_cfo);
    double removed = offset.residual_cfo;  // what projection_ was derotated by
    Fit best = fit_shapes(record, noise, kFirstSpacing);
    best.residual_cfo = removed;
    const auto attempt = [&](double cfo, double first_spacing) {
        derotate(record, cfo - removed);
        removed = cfo;
        exchange_solutions();
        Fit fit = fit_shapes(record, noise, first_spacing);
        if (fit.score < best.score) {
            best = fit;
            best.residual_cfo = cfo;
        } else {
            exchange_solutions();
        }
    };
    if (best.noise > kExplained * noise) {
        // Few pilots a symbol take one delay for another, and that spoils the guess; or the channel is too fast for
        // shapes to be seen with knots so far apart.
        attempt(0.0, kFirstSpacingFast);
    }
    if (best.knots < kWide) {
        const double left = residual_cfo_of_solution();
        if (std::abs(left) > kStraight) {
            attempt(best.residual_cfo + left, kFirstSpacing);
        }
    }
    best.residual_cfo_deviation = offset.residual_cfo_deviation;
    return best;
}

void TimeVaryingChannel::response(double symbol, std::span<Sample> out) {
    const std::size_t n = grid_.profile().fft_size;
    const std::size_t taps = taps_.size();
    const std::size_t shapes = power_.size();
    double w[kOrder];
    const std::size_t q = spline(symbol, w);
    auto in = forward_.in();
    std::fill(in.begin(), in.end(), Sample{});
    for (std::size_t i = 0; i < shapes; ++i) {
        Complex sum{};
        for (std::size_t a = 0; a < kOrder; ++a) {
            sum += w[a] * solution_.at((q + a) * shapes + i);
        }
        for (std::size_t t = 0; t < taps; ++t) {
            in[static_cast<std::size_t>(taps_[t] + static_cast<int>(n)) & (n - 1)] +=
                Sample(sum * basis_[i * taps + t]);
        }
    }
    forward_.run();
    const auto response = forward_.out();
    for (std::size_t c = 0; c < out.size(); ++c) {
        out[c] = response[grid_.bin(c)];
    }
}

}  // namespace meshnet::phy
