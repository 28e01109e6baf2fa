// SPDX-License-Identifier: MIT
// Estimates a time-varying channel while a frame lasts: taps of the impulse response as smooth curves in time.
//
//     pilots of many symbols -> least squares for (taps x B-spline coefficients) -> response at any symbol
//
// H(c, s) = sum over taps d and coefficients q of a(d, q) B_q(s) exp(-j 2 pi subcarrier(c) d / N): all pilots of a
// stretch are used at once, each where and when it was sent, so nothing needs to be static for the 13 symbols after
// which every carrier has been sounded. From a first solution the shapes are learnt that the taps really take together
// (one per path), each with its power; only those are fitted, so delays where nothing arrives cost nothing. How fast
// the curves may bend is chosen by generalised cross-validation.
//
// A cubic spline with knots D symbols apart follows Doppler up to 0.27 / D cycles per symbol within -34 dB.
// Sources: C. de Boor, "A Practical Guide to Splines" (1978); G. Golub, M. Heath, G. Wahba, "Generalized
// cross-validation as a method for choosing a good ridge parameter", Technometrics 21 (1979).
#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/dsp/fft.hpp"
#include "phy/dsp/hermitian.hpp"
#include "phy/estimation/pilot_record.hpp"
#include "phy/waveform/grid.hpp"

namespace meshnet::phy {

/// Solves. One instance per receiver: its memory grows to the longest stretch seen. A solution holds until the next
/// fit().
class TimeVaryingChannel {
public:
    explicit TimeVaryingChannel(const Grid& grid);

    struct Fit {
        double residual_cfo = 0.0;  ///< radians per symbol, from symbol 0 on: taken out of the pilots before the fit
        double residual_cfo_deviation = 0.0;  ///< its standard deviation
        double noise = 0.0;                   ///< power left per pilot, corrected for the coefficients spent
        double score = 0.0;  ///< what a pilot left out would be missed by (generalised cross-validation)
        double knots = 0.0;  ///< symbols between them
    };
    /// Fits everything recorded, at least one row. `noise`: power per carrier and symbol as known before, > 0.
    Fit fit(const PilotRecord& record, double noise);

    /// The response at `symbol` (within what was recorded), Fit::residual_cfo * symbol taken out: [K].
    void response(double symbol, std::span<Sample> out);

private:
    using Complex = std::complex<double>;

    void select_taps(const PilotRecord& record);
    void reserve(const PilotRecord& record);
    void project(const PilotRecord& record);
    void guess_residual_cfo(const PilotRecord& record, double noise, Fit& out) const noexcept;
    void derotate(const PilotRecord& record, double radians) noexcept;
    [[nodiscard]] double residual_cfo_of_solution();
    void exchange_solutions() noexcept;
    void set_knots(std::size_t coefficients) noexcept;
    void take_taps_for_shapes(const PilotRecord& record, double noise);
    void enter_basis(const PilotRecord& record, double noise);
    void build(const PilotRecord& record);
    void learn_basis(double noise);
    Fit fit_shapes(const PilotRecord& record, double noise, double first_spacing);
    [[nodiscard]] std::size_t spline(double symbol, double (&w)[4]) const noexcept;
    [[nodiscard]] std::size_t coefficients_for(double spacing) const noexcept;
    [[nodiscard]] Fit judge() const noexcept;
    [[nodiscard]] std::span<const Complex> correlation(std::size_t pattern) const noexcept;

    const Grid& grid_;
    Fft forward_;
    std::vector<Sample> twiddle_;       // exp(-j 2 pi i / N)
    std::vector<int> support_;          // delays that may be taps, samples
    std::vector<Complex> correlation_;  // [pattern][delay difference]: sum of exp(-j 2 pi subcarrier difference / N)
    std::vector<int> taps_;             // delays in use
    std::vector<Sample> projection_;    // [row][tap]: pilots, derotated, against each tap
    double energy_ = 0.0;               // of all pilots
    double observations_ = 0.0;
    double begin_ = 0.0;
    double end_ = 0.0;
    double spacing_ = 1.0;               // of the knots
    std::size_t coefficients_ = 4;       // per shape
    std::vector<Complex> basis_;         // [shape][tap]: the shapes of response that are combined, orthonormal
    std::vector<double> power_;          // [shape]: mean square of its coefficients, as believed
    std::vector<double> ridge_;          // [shape]
    std::vector<std::size_t> patterns_;  // that the record has
    PlanarComplex gram_;            // [index into patterns_][shape][shape]: of shapes seen on the pattern's carriers
    PlanarComplex heard_;           // [row][shape]: pilots against each shape
    std::vector<double> weight_;    // [coefficient][4][pattern]
    PlanarComplex normal_;          // [unknown][band]: columns of the lower triangle; then its factor
    std::vector<double> diagonal_;  // [unknown]: of the normal equations
    PlanarComplex right_;           // [coefficient][shape]
    PlanarComplex solution_;        // [coefficient][shape]
    PlanarComplex best_;
    struct {
        std::vector<Complex> basis;
        std::vector<double> power;
        PlanarComplex solution;
        std::size_t coefficients = 4;
        double spacing = 1.0;
    } aside_;  // the solution before an attempt

    // Scratch.
    std::vector<double> delay_energy_;  // [delay of support_]
    std::vector<std::size_t> order_;
    std::vector<Complex> product_;
    PlanarComplex covariance_;  // [tap][tap]
    PlanarComplex vectors_;
};

}  // namespace meshnet::phy
