// SPDX-License-Identifier: MIT
#include "phy/moving_channel.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <numbers>
#include <numeric>

#include "phy/carrier_rotation.hpp"

namespace meshnet::phy {
namespace {

constexpr double kTwoPi = 2.0 * std::numbers::pi;
constexpr std::size_t kMaxTaps = 24;
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

// Jacobi's method: `a` (n x n, Hermitian) becomes diagonal, `vectors` holds the eigenvectors in its columns.
// Source: G. Golub, C. Van Loan, "Matrix Computations", 8.5.
void hermitian_eigenvectors(std::vector<Complex>& a, std::size_t n, std::vector<Complex>& vectors) {
    vectors.assign(n * n, Complex{});
    double total = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        vectors[i * n + i] = 1.0;
        total += a[i * n + i].real();
    }
    for (int sweep = 0; sweep < 12; ++sweep) {
        double off = 0.0;
        for (std::size_t p = 0; p < n; ++p) {
            for (std::size_t q = p + 1; q < n; ++q) {
                const double size = std::abs(a[p * n + q]);
                off += size * size;
                if (!(size > 1e-14 * total)) {
                    continue;
                }
                // Turn q so that the element is real, then rotate by the real angle.
                const Complex turn = a[p * n + q] / size;
                const double theta = (a[q * n + q].real() - a[p * n + p].real()) / (2.0 * size);
                const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
                const double c = 1.0 / std::sqrt(t * t + 1.0);
                const double s = t * c;
                const auto rotate = [&](Complex& x, Complex& y, Complex phase) {
                    const Complex u = x;
                    const Complex v = y * phase;
                    x = c * u - s * v;
                    y = s * u + c * v;
                };
                for (std::size_t k = 0; k < n; ++k) {
                    rotate(a[k * n + p], a[k * n + q], std::conj(turn));
                }
                for (std::size_t k = 0; k < n; ++k) {
                    rotate(a[p * n + k], a[q * n + k], turn);
                }
                for (std::size_t k = 0; k < n; ++k) {
                    rotate(vectors[k * n + p], vectors[k * n + q], std::conj(turn));
                }
            }
        }
        if (!(off > 1e-20 * total * total)) {
            break;
        }
    }
}

}  // namespace

void PilotRecord::clear() noexcept {
    rows_.clear();
    values_.clear();
}

std::size_t PilotRecord::count(const Row& row) const noexcept {
    return row.pattern == kTraining ? grid_.carriers()
                                    : grid_.pilots(row.number, row.pattern >= Grid::kPatterns).size();
}

void PilotRecord::add_training(std::span<const Sample> response, double symbol, double weight) {
    rows_.push_back({symbol, weight, values_.size(), kTraining, 0});
    values_.insert(values_.end(), response.begin(), response.end());
}

void PilotRecord::add_pilots(std::span<const Sample> carriers, std::size_t symbol, bool dense, double time) {
    rows_.push_back({static_cast<double>(symbol), 1.0, values_.size(),
                     symbol % Grid::kPatterns + (dense ? Grid::kPatterns : 0), symbol});
    const double per_carrier = kTwoPi / static_cast<double>(grid_.profile().fft_size);
    CarrierRotation back(0.0, per_carrier * time);
    for (const std::uint16_t c : grid_.pilots(symbol, dense)) {
        values_.push_back(carriers[c] * back.at(grid_.subcarrier(c)) * grid_.pilot(symbol, c));
    }
}

void PilotRecord::drop_before(double symbol) {
    const auto keep = std::find_if(rows_.begin(), rows_.end(), [&](const Row& r) { return r.symbol >= symbol; });
    const std::size_t first = keep == rows_.end() ? values_.size() : keep->first;
    rows_.erase(rows_.begin(), keep);
    values_.erase(values_.begin(), values_.begin() + static_cast<std::ptrdiff_t>(first));
    for (auto& row : rows_) {
        row.first -= first;
    }
}

void PilotRecord::drop_after(double symbol) {
    while (!rows_.empty() && rows_.back().symbol > symbol) {
        values_.resize(rows_.back().first);
        rows_.pop_back();
    }
}

MovingChannel::MovingChannel(const Grid& grid)
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

std::span<const MovingChannel::Complex> MovingChannel::correlation(std::size_t pattern) const noexcept {
    return std::span(correlation_).subspan(pattern * support_.size(), support_.size());
}

// Profiles with a long prefix: the delays where the record has most energy.
void MovingChannel::select_taps(const PilotRecord& record) {
    taps_ = support_;
    if (support_.size() <= kMaxTaps) {
        return;
    }
    const std::size_t n = grid_.profile().fft_size;
    std::vector<double> energy(support_.size());
    // Groups of neighbouring symbols are summed before the energy is taken.
    std::vector<Sample> sums(support_.size());
    std::size_t in_group = 0;
    const auto close = [&] {
        for (std::size_t t = 0; t < sums.size(); ++t) {
            energy[t] += static_cast<double>(std::norm(sums[t]));
            sums[t] = {};
        }
        in_group = 0;
    };
    for (const auto& row : record.rows_) {
        const bool training = row.pattern == PilotRecord::kTraining;
        const auto carriers =
            training ? std::span<const std::uint16_t>{} : grid_.pilots(row.number, row.pattern >= Grid::kPatterns);
        const std::size_t count = record.count(row);
        for (std::size_t i = 0; i < count; ++i) {
            const int sub = grid_.subcarrier(training ? i : carriers[i]);
            const Sample z = record.values_[row.first + i];
            for (std::size_t t = 0; t < sums.size(); ++t) {
                sums[t] += z * std::conj(twiddle_[static_cast<std::size_t>(sub * support_[t]) & (n - 1)]);
            }
        }
        if (training || ++in_group == 4) {
            close();
        }
    }
    close();
    std::vector<std::size_t> order(support_.size());
    for (std::size_t t = 0; t < order.size(); ++t) {
        order[t] = t;
    }
    std::partial_sort(order.begin(), order.begin() + kMaxTaps, order.end(),
                      [&](std::size_t a, std::size_t b) { return energy[a] > energy[b]; });
    order.resize(kMaxTaps);
    std::sort(order.begin(), order.end());
    taps_.clear();
    for (const std::size_t t : order) {
        taps_.push_back(support_[t]);
    }
}

void MovingChannel::project(const PilotRecord& record) {
    const std::size_t n = grid_.profile().fft_size;
    const std::size_t taps = taps_.size();
    projection_.assign(record.rows_.size() * taps, Sample{});
    energy_ = 0.0;
    observations_ = 0.0;
    for (std::size_t r = 0; r < record.rows_.size(); ++r) {
        const auto& row = record.rows_[r];
        const bool training = row.pattern == PilotRecord::kTraining;
        const auto carriers =
            training ? std::span<const std::uint16_t>{} : grid_.pilots(row.number, row.pattern >= Grid::kPatterns);
        const std::size_t count = record.count(row);
        Sample* out = &projection_[r * taps];
        double energy = 0.0;
        for (std::size_t i = 0; i < count; ++i) {
            const int sub = grid_.subcarrier(training ? i : carriers[i]);
            const Sample z = record.values_[row.first + i];
            energy += static_cast<double>(std::norm(z));
            for (std::size_t t = 0; t < taps; ++t) {
                out[t] += z * std::conj(twiddle_[static_cast<std::size_t>(sub * taps_[t]) & (n - 1)]);
            }
        }
        energy_ += row.weight * energy;
        // A training response was smoothed: it holds as many independent values as there are delays.
        observations_ += static_cast<double>(training ? std::min(count, support_.size()) : count);
    }
}

// The carrier offset that is left, as the strongest taps turn from symbol to symbol: fades do not disturb it, since
// what is weak weighs little.
void MovingChannel::guess_turn(const PilotRecord& record, double noise, Fit& out) const noexcept {
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
    out.turn = lag == Complex{} ? 0.0 : std::arg(lag);
    // Each lag: a product of two vectors with noise of `pilots * noise` in every tap.
    const double variance = pilots * noise;
    const double mean = std::max(std::abs(lag) / std::max(lags, 1.0), 1e-30);
    const double of_one = (variance * mean + 0.5 * variance * variance * static_cast<double>(taps)) / (mean * mean);
    out.turn_deviation = std::sqrt(of_one / std::max(lags, 1.0));
}

// Turns the projected pilots back by `radians` per symbol.
void MovingChannel::turn_back(const PilotRecord& record, double radians) noexcept {
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
double MovingChannel::turn_of_solution() const noexcept {
    const std::size_t shapes = power_.size();
    std::vector<Complex> before(shapes);
    std::vector<Complex> now(shapes);
    Complex lag{};
    for (double symbol = begin_; symbol <= end_; symbol += 1.0) {
        double w[kOrder];
        const std::size_t q = spline(symbol, w);
        for (std::size_t i = 0; i < shapes; ++i) {
            now[i] = {};
            for (std::size_t a = 0; a < kOrder; ++a) {
                now[i] += w[a] * solution_[(q + a) * shapes + i];
            }
            if (symbol > begin_) {
                lag += now[i] * std::conj(before[i]);
            }
        }
        before.swap(now);
    }
    return lag == Complex{} ? 0.0 : std::arg(lag);
}

void MovingChannel::set_knots(std::size_t coefficients) noexcept {
    coefficients_ = coefficients;
    spacing_ = std::max(end_ - begin_, 1e-9) / static_cast<double>(coefficients - (kOrder - 1));
}

// The first coefficient that touches `symbol`, and the weights of it and the three that follow.
std::size_t MovingChannel::spline(double symbol, double (&w)[4]) const noexcept {
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

void MovingChannel::build(const PilotRecord& record) {
    const std::size_t taps = taps_.size();
    const std::size_t shapes = power_.size();
    const std::size_t unknowns = coefficients_ * shapes;
    const std::size_t band = kOrder * shapes;
    right_.assign(unknowns, Complex{});
    normal_.assign(unknowns * band, Complex{});
    weight_.assign(coefficients_ * kOrder * kAllPatterns, 0.0);
    std::vector<Complex> in_basis(shapes);
    for (std::size_t r = 0; r < record.rows_.size(); ++r) {
        const auto& row = record.rows_[r];
        for (std::size_t i = 0; i < shapes; ++i) {
            in_basis[i] = {};
            for (std::size_t t = 0; t < taps; ++t) {
                in_basis[i] += std::conj(basis_[i * taps + t]) * Complex(projection_[r * taps + t]);
            }
        }
        double w[kOrder];
        const std::size_t q = spline(row.symbol, w);
        for (std::size_t a = 0; a < kOrder; ++a) {
            for (std::size_t b = a; b < kOrder; ++b) {
                weight_[((q + a) * kOrder + b - a) * kAllPatterns + row.pattern] += row.weight * w[a] * w[b];
            }
            for (std::size_t i = 0; i < shapes; ++i) {
                right_[(q + a) * shapes + i] += row.weight * w[a] * in_basis[i];
            }
        }
    }
    std::vector<Complex> toeplitz(support_.size());
    std::vector<Complex> product(taps * shapes);  // [tap][shape]
    for (std::size_t q = 0; q < coefficients_; ++q) {
        for (std::size_t a = 0; a < kOrder && q + a < coefficients_; ++a) {
            std::fill(toeplitz.begin(), toeplitz.end(), Complex{});
            const double* weights = &weight_[(q * kOrder + a) * kAllPatterns];
            for (std::size_t p = 0; p < kAllPatterns; ++p) {
                if (weights[p] != 0.0) {
                    const auto g = correlation(p);
                    for (std::size_t d = 0; d < toeplitz.size(); ++d) {
                        toeplitz[d] += weights[p] * g[d];
                    }
                }
            }
            for (std::size_t t = 0; t < taps; ++t) {
                for (std::size_t j = 0; j < shapes; ++j) {
                    Complex sum{};
                    for (std::size_t u = 0; u < taps; ++u) {
                        const int difference = taps_[u] - taps_[t];
                        const Complex g = toeplitz[static_cast<std::size_t>(std::abs(difference))];
                        sum += (difference < 0 ? std::conj(g) : g) * basis_[j * taps + u];
                    }
                    product[t * shapes + j] = sum;
                }
            }
            // Column: coefficient q, shape j; row: coefficient q + a, shape i.
            for (std::size_t j = 0; j < shapes; ++j) {
                Complex* column = &normal_[(q * shapes + j) * band];
                for (std::size_t i = a == 0 ? j : 0; i < shapes; ++i) {
                    Complex sum{};
                    for (std::size_t t = 0; t < taps; ++t) {
                        sum += std::conj(basis_[i * taps + t]) * product[t * shapes + j];
                    }
                    column[a * shapes + i - j] = sum;
                }
            }
        }
    }
}

// (normal + ridge) solution = right, by Cholesky within the band.
void MovingChannel::solve() {
    const std::size_t shapes = power_.size();
    const std::size_t band = kOrder * shapes;
    const std::size_t n = right_.size();
    factor_ = normal_;
    solution_ = right_;
    for (std::size_t j = 0; j < n; ++j) {
        Complex* column = &factor_[j * band];
        const double diagonal = std::sqrt(std::max(column[0].real() + ridge_[j % shapes], 1e-12));
        const double inverse = 1.0 / diagonal;
        const std::size_t length = std::min(band, n - j);
        column[0] = diagonal;
        for (std::size_t i = 1; i < length; ++i) {
            column[i] *= inverse;
        }
        const Complex x = solution_[j] * inverse;
        solution_[j] = x;
        for (std::size_t i = 1; i < length; ++i) {
            solution_[j + i] -= column[i] * x;
        }
        for (std::size_t k = 1; k < length; ++k) {
            const Complex factor = std::conj(column[k]);
            Complex* to = &factor_[(j + k) * band];
            for (std::size_t i = k; i < length; ++i) {
                to[i - k] -= column[i] * factor;
            }
        }
    }
    for (std::size_t j = n; j-- > 0;) {
        const Complex* column = &factor_[j * band];
        const std::size_t length = std::min(band, n - j);
        Complex x = solution_[j];
        for (std::size_t i = 1; i < length; ++i) {
            x -= std::conj(column[i]) * solution_[j + i];
        }
        solution_[j] = x / column[0].real();
    }
}

// From a solution whose shapes are the taps: the shapes that the channel really takes, and the power of each. One path
// between two sampling instants is many taps and one shape.
void MovingChannel::learn_basis(double noise) {
    const std::size_t taps = taps_.size();
    std::vector<Complex> covariance(taps * taps);
    double sounded = 0.0;
    for (std::size_t q = 0; q < coefficients_; ++q) {
        const Complex* a = &solution_[q * taps];
        for (std::size_t t = 0; t < taps; ++t) {
            for (std::size_t u = 0; u < taps; ++u) {
                covariance[t * taps + u] += a[t] * std::conj(a[u]);
            }
            sounded += normal_[(q * taps + t) * kOrder * taps].real();
        }
    }
    for (auto& v : covariance) {
        v /= static_cast<double>(coefficients_);
    }
    const double chance = noise * static_cast<double>(coefficients_ * taps) / std::max(sounded, 1e-9);
    std::vector<Complex> vectors;
    hermitian_eigenvectors(covariance, taps, vectors);
    basis_.clear();
    power_.clear();
    std::vector<std::size_t> order(taps);
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto value = [&](std::size_t i) { return covariance[i * taps + i].real(); };
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return value(a) > value(b); });
    for (const std::size_t i : order) {
        if (!power_.empty() && value(i) < 1.5 * chance) {
            break;
        }
        power_.push_back(std::max(value(i) - chance, 0.1 * chance));
        for (std::size_t t = 0; t < taps; ++t) {
            basis_.push_back(vectors[t * taps + i]);
        }
    }
}

// What the solution leaves of the pilots, and what it spent on that.
MovingChannel::Fit MovingChannel::judge() const noexcept {
    const std::size_t shapes = power_.size();
    double left = energy_;
    double spent = 0.0;
    for (std::size_t i = 0; i < right_.size(); ++i) {
        const double ridge = ridge_[i % shapes];
        const double diagonal = normal_[i * kOrder * shapes].real();
        left -= (std::conj(solution_[i]) * right_[i]).real() + ridge * std::norm(solution_[i]);
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

std::size_t MovingChannel::coefficients_for(double spacing) const noexcept {
    return std::max(static_cast<std::size_t>(std::ceil((end_ - begin_) / spacing)), std::size_t{1}) + kOrder - 1;
}

MovingChannel::Fit MovingChannel::fit_shapes(const PilotRecord& record, double noise, double first_spacing) {
    // First every tap for itself, to see what shapes there are.
    const std::size_t taps = taps_.size();
    const double signal = std::max(energy_ / std::max(observations_, 1.0) - noise, 0.01 * noise);
    power_.assign(taps, signal / static_cast<double>(taps));
    basis_.assign(taps * taps, Complex{});
    for (std::size_t t = 0; t < taps; ++t) {
        basis_[t * taps + t] = 1.0;
    }
    ridge_.assign(taps, noise / power_.front());
    set_knots(coefficients_for(first_spacing));
    build(record);
    solve();
    learn_basis(noise);

    ridge_.clear();
    for (const double p : power_) {
        ridge_.push_back(noise / p);
    }
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
        solve();
        const Fit fit = judge();
        if (best_coefficients > 0 && !(fit.score < kBetter * best.score)) {
            if (best.noise < kExplained * noise) {
                break;
            }
            continue;  // knots far too wide: a little closer need not be any better
        }
        best = fit;
        best_coefficients = tried;
        best_.swap(solution_);
    }
    set_knots(best_coefficients);
    solution_.swap(best_);
    return best;
}

MovingChannel::Fit MovingChannel::fit(const PilotRecord& record, double noise) {
    assert(!record.rows_.empty() && noise > 0.0);
    begin_ = record.rows_.front().symbol;
    end_ = record.rows_.back().symbol;
    select_taps(record);
    project(record);
    Fit offset;
    guess_turn(record, noise, offset);
    turn_back(record, offset.turn);
    double turn = offset.turn;
    Fit best = fit_shapes(record, noise, kFirstSpacing);
    const auto attempt = [&](double other, double first_spacing, double back_to) {
        turn_back(record, other - turn);
        const Fit fit = fit_shapes(record, noise, first_spacing);
        turn = other;
        if (fit.score < best.score) {
            best = fit;
            return;
        }
        turn_back(record, back_to - turn);
        turn = back_to;
        best = fit_shapes(record, noise, kFirstSpacing);
    };
    if (best.noise > kExplained * noise) {
        // Few pilots a symbol take one delay for another, and that spoils the guess; or the channel is too fast for
        // shapes to be seen with knots so far apart.
        attempt(0.0, kFirstSpacingFast, offset.turn);
    }
    if (best.knots < kWide) {
        const double left = turn_of_solution();
        if (std::abs(left) > kStraight) {
            attempt(turn + left, kFirstSpacing, turn);
        }
    }
    best.turn = turn;
    best.turn_deviation = offset.turn_deviation;
    return best;
}

void MovingChannel::response(double symbol, std::span<Sample> out) {
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
            sum += w[a] * solution_[(q + a) * shapes + i];
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
