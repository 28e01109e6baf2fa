// SPDX-License-Identifier: MIT
#include "phy/dsp/hermitian.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <vector>

#include "core/random.hpp"

namespace meshnet::phy {
namespace {

using Complex = std::complex<double>;

Complex draw(Rng& rng) {
    return {rng.normal(), rng.normal()};
}

TEST(HermitianEigenvectors, AreOrthonormalAndMakeTheMatrixDiagonal) {
    Rng rng(1);
    PlanarComplex vectors;
    for (const std::size_t n : {1U, 2U, 3U, 11U, 24U}) {
        // Of rank 3 for the larger ones, as covariances of few paths are, and a little noise.
        std::vector<Complex> matrix(n * n);
        for (int path = 0; path < 3; ++path) {
            std::vector<Complex> v(n);
            std::generate(v.begin(), v.end(), [&] { return draw(rng); });
            for (std::size_t i = 0; i < n * n; ++i) {
                matrix[i] += v[i / n] * std::conj(v[i % n]);
            }
        }
        double trace = 0.0;
        PlanarComplex a;
        a.assign(n * n);
        for (std::size_t i = 0; i < n; ++i) {
            matrix[i * n + i] += 1e-3 * static_cast<double>(i + 1);
            trace += matrix[i * n + i].real();
        }
        for (std::size_t i = 0; i < n * n; ++i) {
            a.set(i, matrix[i]);
        }
        hermitian_eigenvectors(a, n, vectors);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                Complex product{};
                for (std::size_t t = 0; t < n; ++t) {
                    product += vectors.at(i * n + t) * std::conj(vectors.at(j * n + t));
                }
                EXPECT_LT(std::abs(product - (i == j ? 1.0 : 0.0)), 1e-12) << n;
            }
            for (std::size_t t = 0; t < n; ++t) {
                Complex image{};
                for (std::size_t u = 0; u < n; ++u) {
                    image += matrix[t * n + u] * vectors.at(i * n + u);
                }
                EXPECT_LT(std::abs(image - a.re[i * n + i] * vectors.at(i * n + t)), 1e-7 * trace) << n;
            }
        }
    }
}

TEST(SolveBanded, SolvesWhatIsLongerAndShorterThanTheBand) {
    Rng rng(2);
    for (const auto& [n, band] : {std::pair{1U, 1U}, std::pair{1U, 4U}, std::pair{2U, 2U}, std::pair{5U, 8U},
                                  std::pair{16U, 1U}, std::pair{16U, 2U}, std::pair{33U, 12U}, std::pair{60U, 20U}}) {
        // Lower triangle, diagonal large enough for it to be positive definite.
        std::vector<Complex> matrix(std::size_t{n} * n);
        PlanarComplex a;
        a.assign(std::size_t{n} * band);
        for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = j; i < std::min<std::size_t>(n, j + band); ++i) {
                const Complex v = i == j ? Complex(4.0 * band, 0.0) : draw(rng);
                matrix[i * n + j] = v;
                matrix[j * n + i] = std::conj(v);
                a.set(j * band + i - j, v);
            }
        }
        const std::vector<double> ridge{0.5, 2.0, 8.0};
        std::vector<Complex> right(n);
        PlanarComplex x;
        x.assign(n);
        for (std::size_t i = 0; i < n; ++i) {
            matrix[i * n + i] += ridge[i % 3];
            right[i] = draw(rng);
            x.set(i, right[i]);
        }
        solve_banded(a, band, ridge, x);
        for (std::size_t i = 0; i < n; ++i) {
            Complex image{};
            for (std::size_t j = 0; j < n; ++j) {
                image += matrix[i * n + j] * x.at(j);
            }
            EXPECT_LT(std::abs(image - right[i]), 1e-11) << n << " " << band << " " << i;
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
