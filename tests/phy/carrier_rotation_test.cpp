// SPDX-License-Identifier: MIT
#include "phy/dsp/carrier_rotation.hpp"

#include <gtest/gtest.h>

#include <complex>
#include <vector>

#include "phy/waveform/grid.hpp"

namespace meshnet::phy {
namespace {

std::complex<double> exact(double phase, double slope, int subcarrier) {
    return std::polar(1.0, phase + slope * subcarrier);
}

// Slopes on both sides of where the series ends, and of both signs.
constexpr double kSlopes[] = {0.0, 1e-4, -0.02, 0.099, 0.101, -0.7};

TEST(CarrierRotation, IsTheLineOfPhaseOnTheGridsPilots) {
    for (const Profile& profile : profiles()) {
        const Grid grid(profile);
        for (const double slope : kSlopes) {
            for (const bool dense : {false, true}) {
                for (std::size_t symbol = 0; symbol < Grid::kPilotPeriod; ++symbol) {
                    CarrierRotation line(2.5, slope);
                    for (const std::uint16_t c : grid.pilots(symbol, dense)) {
                        const int s = grid.subcarrier(c);
                        ASSERT_LT(std::abs(std::complex<double>(line.at(s)) - exact(2.5, slope, s)), 1e-5)
                            << profile.name << " " << slope << " " << s;
                    }
                }
            }
        }
    }
}

TEST(CarrierRotation, FillsBothSidesOfDcAndGoesOnFromThere) {
    for (const double slope : kSlopes) {
        for (const std::size_t count : {1U, 3U, 16U, 17U, 26U, 416U}) {
            CarrierRotation line(-1.0, slope);
            std::vector<float> re(2 * count);
            std::vector<float> im(2 * count);
            const int first = -static_cast<int>(count);
            line.fill(first, std::span(re).first(count), std::span(im).first(count));
            line.fill(1, std::span(re).last(count), std::span(im).last(count));
            for (std::size_t i = 0; i < 2 * count; ++i) {
                const int s = first + static_cast<int>(i) + (i < count ? 0 : 1);
                ASSERT_LT(std::abs(std::complex<double>(re[i], im[i]) - exact(-1.0, slope, s)), 1e-5)
                    << slope << " " << count << " " << s;
            }
            const int next = static_cast<int>(count) + 4;
            EXPECT_LT(std::abs(std::complex<double>(line.at(next)) - exact(-1.0, slope, next)), 1e-5);
        }
    }
}

TEST(CarrierRotation, MayGoBackAndLeap) {
    CarrierRotation line(0.3, 0.05);
    for (const int s : {5, 5, -100, 100, 101, 90}) {
        EXPECT_LT(std::abs(std::complex<double>(line.at(s)) - exact(0.3, 0.05, s)), 1e-6) << s;
    }
}

}  // namespace
}  // namespace meshnet::phy
