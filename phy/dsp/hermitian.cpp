// SPDX-License-Identifier: MIT
#include "phy/dsp/hermitian.hpp"

#include <algorithm>
#include <cmath>

namespace meshnet::phy {
namespace {

using Complex = std::complex<double>;

// x = c x - s phase y, y = s x + c phase y, element by element.
void rotate(std::size_t n, double c, double s, Complex phase, double* __restrict x_re, double* __restrict x_im,
            double* __restrict y_re, double* __restrict y_im) noexcept {
    const double p = phase.real();
    const double q = phase.imag();
    for (std::size_t k = 0; k < n; ++k) {
        const double v_re = y_re[k] * p - y_im[k] * q;
        const double v_im = y_re[k] * q + y_im[k] * p;
        const double u_re = x_re[k];
        const double u_im = x_im[k];
        x_re[k] = c * u_re - s * v_re;
        x_im[k] = c * u_im - s * v_im;
        y_re[k] = s * u_re + c * v_re;
        y_im[k] = s * u_im + c * v_im;
    }
}

// to -= f g, with f of one column and g of another.
void subtract(std::size_t n, const double* __restrict f_re, const double* __restrict f_im, Complex f,
              const double* __restrict g_re, const double* __restrict g_im, Complex g, double* __restrict to_re,
              double* __restrict to_im) noexcept {
    const double f0 = f.real();
    const double f1 = f.imag();
    const double g0 = g.real();
    const double g1 = g.imag();
    for (std::size_t i = 0; i < n; ++i) {
        to_re[i] -= f_re[i] * f0 - f_im[i] * f1 + (g_re[i] * g0 - g_im[i] * g1);
        to_im[i] -= f_re[i] * f1 + f_im[i] * f0 + (g_re[i] * g1 + g_im[i] * g0);
    }
}

void subtract(std::size_t n, const double* __restrict f_re, const double* __restrict f_im, Complex f,
              double* __restrict to_re, double* __restrict to_im) noexcept {
    const double f0 = f.real();
    const double f1 = f.imag();
    for (std::size_t i = 0; i < n; ++i) {
        to_re[i] -= f_re[i] * f0 - f_im[i] * f1;
        to_im[i] -= f_re[i] * f1 + f_im[i] * f0;
    }
}

}  // namespace

void hermitian_eigenvectors(PlanarComplex& a, std::size_t n, PlanarComplex& vectors) {
    constexpr double kSmall = 1e-10;
    vectors.assign(n * n);
    double trace = 0.0;
    for (std::size_t i = 0; i < n; ++i) {
        vectors.re[i * n + i] = 1.0;
        trace += a.re[i * n + i];
    }
    for (int sweep = 0; sweep < 12; ++sweep) {
        bool derotated = false;
        for (std::size_t p = 0; p < n; ++p) {
            for (std::size_t q = p + 1; q < n; ++q) {
                const Complex off = a.at(p * n + q);
                if (!(std::norm(off) > kSmall * kSmall * trace * trace)) {
                    continue;
                }
                const double size = std::sqrt(std::norm(off));
                derotated = true;
                // Turn q so that the element is real, then rotate by the real angle.
                const Complex turn = off / size;
                const double a_pp = a.re[p * n + p];
                const double a_qq = a.re[q * n + q];
                const double theta = (a_qq - a_pp) / (2.0 * size);
                const double t = std::copysign(1.0, theta) / (std::abs(theta) + std::sqrt(theta * theta + 1.0));
                const double c = 1.0 / std::sqrt(t * t + 1.0);
                const double s = t * c;
                rotate(n, c, s, turn, &a.re[p * n], &a.im[p * n], &a.re[q * n], &a.im[q * n]);
                rotate(n, c, s, std::conj(turn), &vectors.re[p * n], &vectors.im[p * n], &vectors.re[q * n],
                       &vectors.im[q * n]);
                // What the same rotation does from the right follows from symmetry.
                for (std::size_t k = 0; k < n; ++k) {
                    a.set(k * n + p, std::conj(a.at(p * n + k)));
                    a.set(k * n + q, std::conj(a.at(q * n + k)));
                }
                a.set(p * n + p, a_pp - t * size);
                a.set(q * n + q, a_qq + t * size);
                a.set(p * n + q, {});
                a.set(q * n + p, {});
            }
        }
        if (!derotated) {
            break;
        }
    }
}

void solve_banded(PlanarComplex& a, std::size_t band, std::span<const double> ridge, PlanarComplex& x) noexcept {
    const std::size_t n = x.re.size();
    const auto length = [&](std::size_t j) { return std::min(band, n - j); };
    // Column j of the factor, and what it takes from the right side.
    const auto finish = [&](std::size_t j) {
        double* re = &a.re[j * band];
        double* im = &a.im[j * band];
        const std::size_t count = length(j);
        const double diagonal = std::sqrt(std::max(re[0] + ridge[j % ridge.size()], 1e-12));
        const double inverse = 1.0 / diagonal;
        re[0] = diagonal;
        im[0] = 0.0;
        for (std::size_t i = 1; i < count; ++i) {
            re[i] *= inverse;
            im[i] *= inverse;
        }
        x.set(j, x.at(j) * inverse);
        if (count > 1) {
            subtract(count - 1, re + 1, im + 1, x.at(j), &x.re[j + 1], &x.im[j + 1]);
        }
    };
    // Two columns at a time: what follows is loaded and stored once for both.
    for (std::size_t j = 0; j < n; j += 2) {
        finish(j);
        const double* f_re = &a.re[j * band];
        const double* f_im = &a.im[j * band];
        const std::size_t f_count = length(j);
        const auto factor = [](const double* re, const double* im, std::size_t k) { return Complex(re[k], -im[k]); };
        if (f_count > 1) {
            subtract(f_count - 1, f_re + 1, f_im + 1, factor(f_re, f_im, 1), &a.re[(j + 1) * band],
                     &a.im[(j + 1) * band]);
        }
        if (j + 1 == n) {
            break;
        }
        finish(j + 1);
        const double* g_re = &a.re[(j + 1) * band];
        const double* g_im = &a.im[(j + 1) * band];
        const std::size_t g_count = length(j + 1);
        for (std::size_t k = 1; k < g_count; ++k) {
            double* to_re = &a.re[(j + 1 + k) * band];
            double* to_im = &a.im[(j + 1 + k) * band];
            const std::size_t both = f_count > k + 1 ? f_count - k - 1 : 0;
            if (both > 0) {
                subtract(both, f_re + k + 1, f_im + k + 1, factor(f_re, f_im, k + 1), g_re + k, g_im + k,
                         factor(g_re, g_im, k), to_re, to_im);
            }
            // The second column reaches one element further.
            subtract(g_count - k - both, g_re + k + both, g_im + k + both, factor(g_re, g_im, k), to_re + both,
                     to_im + both);
        }
    }
    for (std::size_t j = n; j-- > 0;) {
        const double* re = &a.re[j * band];
        const double* im = &a.im[j * band];
        double sum_re = x.re[j];
        double sum_im = x.im[j];
        const std::size_t count = length(j);
        for (std::size_t i = 1; i < count; ++i) {
            sum_re -= re[i] * x.re[j + i] + im[i] * x.im[j + i];
            sum_im -= re[i] * x.im[j + i] - im[i] * x.re[j + i];
        }
        x.re[j] = sum_re / re[0];
        x.im[j] = sum_im / re[0];
    }
}

}  // namespace meshnet::phy
