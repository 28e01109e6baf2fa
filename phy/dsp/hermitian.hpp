// SPDX-License-Identifier: MIT
// Hermitian matrices in double precision: eigenvectors of small dense ones, solutions of banded ones.
//
// Real and imaginary parts lie apart, so that compilers work on several elements at once. Memory is the caller's and
// grows to the largest problem seen. Source: G. Golub, C. Van Loan, "Matrix Computations", 4.3 and 8.5.
#pragma once

#include <complex>
#include <cstddef>
#include <span>
#include <vector>

namespace meshnet::phy {

/// Complex values, parts apart.
struct PlanarComplex {
    std::vector<double> re;
    std::vector<double> im;

    void assign(std::size_t count) {
        re.assign(count, 0.0);
        im.assign(count, 0.0);
    }
    void reserve(std::size_t count) {
        re.reserve(count);
        im.reserve(count);
    }
    [[nodiscard]] std::complex<double> at(std::size_t i) const noexcept { return {re[i], im[i]}; }
    void set(std::size_t i, std::complex<double> value) noexcept {
        re[i] = value.real();
        im[i] = value.imag();
    }
};

/// Jacobi's method: `a` (n x n) becomes diagonal but for what is 1e-10 of its trace, row i of `vectors` [n x n] the
/// eigenvector that belongs to a(i, i).
void hermitian_eigenvectors(PlanarComplex& a, std::size_t n, PlanarComplex& vectors);

/// Solves (A + D) x = b. `a`: column j of A's lower triangle from a(j, j) down is at j * band, `band` values, those
/// below the matrix ignored; overwritten. D: diagonal, element j is ridge[j % ridge.size()], so that A + D is positive
/// definite. `x`: b on entry.
void solve_banded(PlanarComplex& a, std::size_t band, std::span<const double> ridge, PlanarComplex& x) noexcept;

}  // namespace meshnet::phy
