// SPDX-License-Identifier: MIT
// Every formula of sim/propagation beside published figures. Where they come from stands at each.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "sim/propagation/atmosphere.hpp"
#include "sim/propagation/diffraction.hpp"
#include "sim/propagation/fading.hpp"
#include "sim/propagation/free_space.hpp"
#include "sim/propagation/ground.hpp"
#include "sim/propagation/path_loss.hpp"
#include "sim/propagation/satellite.hpp"
#include "sim/propagation/two_ray.hpp"

namespace meshnet::sim {
namespace {

constexpr double kPi = std::numbers::pi;
constexpr double rad(double degrees) {
    return degrees * kPi / 180.0;
}

// P.525 writes it 32.4 + 20 log f/MHz + 20 log d/km.
TEST(FreeSpace, AsInP525) {
    for (const double mhz : {435.0, 868.0, 2'400.0, 5'800.0}) {
        for (const double km : {1.0, 50.0, 184.0, 2'500.0}) {
            EXPECT_NEAR(free_space_loss_db(km * 1e3, mhz * 1e6), 32.4 + 20 * std::log10(mhz) + 20 * std::log10(km),
                        0.06);
        }
    }
}

// 4.12 (sqrt h1 + sqrt h2) km, heights in m, for k = 4/3: every handbook's rule.
TEST(FreeSpace, TheRadioHorizonOfTheHandbooks) {
    EXPECT_NEAR(radio_horizon_m(100.0, 0.0), 41.2e3, 50.0);
    EXPECT_NEAR(radio_horizon_m(30.0, 15.0), 4.12e3 * (std::sqrt(30.0) + std::sqrt(15.0)), 50.0);
    EXPECT_NEAR(radio_horizon_m(100.0, 0.0, 1.0), 35.7e3, 50.0);
}

// -174 dBm/Hz; a sky of 0 K leaves 290 (F - 1): 3.01 dB of noise figure is 290 K, as much as a warm antenna.
TEST(FreeSpace, ThermalNoise) {
    EXPECT_NEAR(thermal_noise_dbm(1.0, 0.0), -173.98, 0.005);
    EXPECT_NEAR(thermal_noise_dbm(1e6, 6.0), -107.98, 0.005);
    const double nf = 10.0 * std::log10(2.0);
    EXPECT_NEAR(thermal_noise_dbm(1e6, nf, 0.0), thermal_noise_dbm(1e6, 0.0), 1e-9);
    EXPECT_NEAR(thermal_noise_dbm(1e6, nf, 290.0), thermal_noise_dbm(1e6, nf), 1e-9);
    EXPECT_NEAR(thermal_noise_dbm(1e6, 1.0, 150.0),
                -113.98 + 10 * std::log10((150 + 290 * (std::pow(10, 0.1) - 1)) / 290), 0.005);
}

// P.526 2.1: 550 sqrt(d1 d2 / ((d1 + d2) f)) m with km and MHz. Freeman's and others' example: 17.3 m in the middle of
// 10 km at 2.5 GHz.
TEST(Diffraction, FresnelZone) {
    EXPECT_NEAR(fresnel_radius_m(5e3, 5e3, 2.5e9), 17.3, 0.05);
    EXPECT_NEAR(fresnel_radius_m(20e3, 30e3, 868e6), 550.0 * std::sqrt(20.0 * 30.0 / (50.0 * 868.0)), 0.3);
}

// The rule d1 d2 / (12.75 k) m with km.
TEST(Diffraction, EarthBulge) {
    EXPECT_NEAR(earth_bulge_m(25e3, 25e3, 4.0 / 3.0 * kEarthRadius), 25.0 * 25.0 / (12.74 * 4.0 / 3.0), 0.05);
    EXPECT_NEAR(earth_bulge_m(92e3, 92e3, 4.0 / 3.0 * kEarthRadius), 498.2, 0.5);
}

// Figure 9 of P.526: 6 dB at grazing. Beside the exact Fresnel integral, J = -20 log(|0.5 (1 - C - S), 0.5 (C - S)|)
// (equation 30), with C and S from Abramowitz and Stegun, table 7.7.
TEST(Diffraction, KnifeEdgeBesideTheFresnelIntegral) {
    struct {
        double v, c, s;
    } constexpr kTable[]{{0.0, 0.0, 0.0},
                         {0.5, 0.4923442, 0.0647324},
                         {1.0, 0.7798934, 0.4382591},
                         {1.5, 0.4452612, 0.6975050},
                         {2.0, 0.4882534, 0.3434157}};
    for (const auto& row : kTable) {
        const double exact = -20.0 * std::log10(std::hypot(1.0 - row.c - row.s, row.c - row.s) / 2.0);
        EXPECT_NEAR(knife_edge_loss_db(row.v), exact, 0.15) << row.v;
    }
    EXPECT_EQ(knife_edge_loss_db(-0.78), 0.0);
    EXPECT_NEAR(knife_edge_loss_db(-0.7799), 0.0, 0.01);
    EXPECT_NEAR(knife_edge_parameter(fresnel_radius_m(4e3, 6e3, 1e9), 4e3, 6e3, 1e9), std::sqrt(2.0), 1e-12);
}

// ITU-R's "Validation examples for the delta-Bullington diffraction prediction method" (delB_valid_temp.xlsx, page
// outputs): radius 8500 km, horizontal, land; antennas' heights over the smooth earth of each path, and the loss of
// that earth. The paths are 83.08, 17.40 and 40.51 km long.
TEST(Diffraction, SmoothEarthBesideItuValidation) {
    struct {
        double km, a_m, b_m, mhz, loss_db;
    } constexpr kRows[]{
        {83.07993853, 211.3366061, 30.0, 1'000, 15.3485837}, {83.07993853, 233.4945304, 10.0, 2'500, 23.6973069},
        {83.07993853, 204.7165548, 20.0, 600, 20.91384864},  {83.07993853, 215.727222, 50.0, 200, 14.32933641},
        {83.07993853, 252.3138569, 5.0, 150, 33.13883693},   {17.39688966, 110.1894677, 30.0, 1'000, 0.0},
        {17.39688966, 132.6734925, 11.9416848, 2'500, 0.0},  {17.39688966, 102.8893122, 22.52524312, 600, 0.0},
        {17.39688966, 118.7202148, 50.0, 200, 0.0},          {17.39688966, 152.2011247, 5.664441408, 150, 10.63765222},
        {40.51112702, 139.8495825, 543.1729418, 1'000, 0.0},
    };
    for (const auto& row : kRows) {
        Path path{row.km * 1e3,
                  row.a_m,
                  row.b_m,
                  row.mhz * 1e6,
                  8'500e3,
                  land_permittivity(row.mhz * 1e6),
                  Polarisation::kHorizontal};
        EXPECT_NEAR(smooth_earth_loss_db(path), row.loss_db, 0.1) << row.km << " km " << row.mhz << " MHz";
        std::swap(path.height_a_m, path.height_b_m);
        EXPECT_NEAR(smooth_earth_loss_db(path), row.loss_db, 0.1) << "other way";
    }
}

// The same document's Bullington losses over terrain, path 3. Ground heights where the path is highest.
TEST(Diffraction, BullingtonBesideItuValidation) {
    const std::vector<Obstacle> ground{
        {50, 697},     {100, 697},    {200, 690},    {300, 665},    {350, 661},    {450, 656},    {7'500, 635},
        {7'650, 638},  {7'700, 638},  {7'750, 621},  {12'400, 633}, {12'600, 636}, {12'700, 639}, {12'850, 634},
        {13'000, 632}, {13'250, 626}, {13'700, 616}, {16'900, 565}, {17'200, 569}, {17'300, 570}, {17'350, 570}};
    struct {
        double above_a_m, above_b_m, mhz, loss_db;
    } constexpr kRows[]{{30, 30, 1'000, 17.62040631},
                        {50, 10, 2'500, 25.1016907},
                        {20, 20, 600, 20.25488733},
                        {40, 50, 200, 10.1899085},
                        {70, 5, 150, 16.27593106}};
    for (const auto& row : kRows) {
        const Path path{17'396.88966,
                        697 + row.above_a_m,
                        569 + row.above_b_m,
                        row.mhz * 1e6,
                        8'500e3,
                        land_permittivity(row.mhz * 1e6),
                        Polarisation::kHorizontal};
        EXPECT_NEAR(bullington_loss_db(path, ground), row.loss_db, 0.1) << row.mhz;
    }
}

TEST(Diffraction, ObstaclesOnTheEarth) {
    Path path{50e3, 200.0, 200.0, 868e6, 8'495e3, land_permittivity(868e6), Polarisation::kVertical};
    EXPECT_EQ(diffraction_loss_db(path, {}), smooth_earth_loss_db(path));
    const std::vector<Obstacle> low{{25e3, 1.0}}, line{{25e3, 200.0 - 25e3 * 25e3 / (2 * 8'495e3)}},
        high{{25e3, 300.0}};
    EXPECT_NEAR(diffraction_loss_db(path, low), 0.0, 1e-9);
    // The edge in the line of sight: J(0) = 6.03 and Bullington's empirical term.
    const double edge = knife_edge_loss_db(0.0);
    EXPECT_NEAR(diffraction_loss_db(path, line), edge + (1 - std::exp(-edge / 6)) * 11.0, 1e-6);
    EXPECT_GT(diffraction_loss_db(path, high), 20.0);
}

// Loss grows with distance and falls with height, without a step at the horizon or where clearance ends.
TEST(Diffraction, NoStepsAlongTheWay) {
    Path path{1e3, 30.0, 15.0, 868e6, 8'495e3, sea_permittivity(868e6), Polarisation::kVertical};
    double before = 0.0;
    for (; path.distance_m < 100e3; path.distance_m += 50.0) {
        const double loss = smooth_earth_loss_db(path);
        EXPECT_GE(loss, before - 1e-9) << path.distance_m;
        EXPECT_LT(loss - before, 0.3) << path.distance_m;
        before = loss;
    }
    EXPECT_GT(before, 40.0);
}

// Sea of average salinity: 70 and 5 S/m up to about 1 GHz (P.527-3, figure 1, curve A, 20 degrees).
TEST(Ground, SeaWater) {
    const auto e = sea_permittivity(300e6, 20.0, 35.0);
    EXPECT_NEAR(e.real(), 70.0, 4.0);
    EXPECT_NEAR(conductivity_s_m(e, 300e6), 5.0, 0.3);
    // Conductivity of standard sea water at 15 degrees: 4.2914 S/m (UNESCO, practical salinity scale 1978).
    EXPECT_NEAR(conductivity_s_m(sea_permittivity(1e6, 15.0, 35.0), 1e6), 4.2914, 0.05);
    // Losses rise towards the relaxation at some 17 GHz: fresh water of 0 degrees stands at 87.9 (Malmberg, Maryott).
    EXPECT_NEAR(sea_permittivity(1e6, 0.0, 0.0).real(), 87.9, 1.0);
    EXPECT_NEAR(sea_permittivity(1e6, 25.0, 0.0).real(), 78.4, 0.5);
}

TEST(Ground, FresnelReflection) {
    // Brewster's angle of a lossless body: tan(incidence) = sqrt(e), grazing = 90 degrees less.
    const std::complex<double> glass{4.0, 0.0};
    EXPECT_NEAR(std::abs(reflection_coefficient(glass, kPi / 2 - std::atan(2.0), Polarisation::kVertical)), 0.0, 1e-12);
    // Normal incidence: (1 - n) / (1 + n), n = 2.
    EXPECT_NEAR(reflection_coefficient(glass, kPi / 2, Polarisation::kHorizontal).real(), -1.0 / 3.0, 1e-12);
    EXPECT_NEAR(reflection_coefficient(glass, kPi / 2, Polarisation::kVertical).real(), 1.0 / 3.0, 1e-12);
    for (const auto p : {Polarisation::kHorizontal, Polarisation::kVertical}) {
        EXPECT_NEAR(std::abs(reflection_coefficient(sea_permittivity(868e6), 1e-6, p) + 1.0), 0.0, 1e-3);
    }
    // Sea, vertical: the pseudo-Brewster angle of |e| = 122 lies near 1 / sqrt|e| = 5.2 degrees, where much is lost.
    const auto sea = sea_permittivity(868e6, 15.0, 35.0);
    const double brewster = 1.0 / std::sqrt(std::abs(sea));
    EXPECT_LT(std::abs(reflection_coefficient(sea, brewster, Polarisation::kVertical)), 0.5);
    EXPECT_GT(std::abs(reflection_coefficient(sea, brewster, Polarisation::kHorizontal)), 0.98);
}

// Ament's factor e^(-g^2/2) for small g; Miller, Brown and Vegh's stays above it. I0(0.5) = 1.0634834 (A&S table 9.8).
TEST(Ground, Roughness) {
    EXPECT_EQ(roughness_factor(0.0, 0.1, 1e9), 1.0);
    const double wavelength = kSpeedOfLight / 1e9;
    const double rms_of_g1 = wavelength / (4 * kPi * std::sin(0.1));
    EXPECT_NEAR(roughness_factor(rms_of_g1, 0.1, 1e9), std::exp(-0.5) * 1.0634834, 1e-6);
    EXPECT_NEAR(roughness_factor(0.1 * rms_of_g1, 0.1, 1e9), std::exp(-0.005), 1e-4);
    // The two ways of computing it meet.
    EXPECT_NEAR(roughness_factor(std::sqrt(199.9) * rms_of_g1, 0.1, 1e9),
                roughness_factor(std::sqrt(200.1) * rms_of_g1, 0.1, 1e9), 1e-4);
}

// The plane-earth limit of every textbook: path difference 2 h1 h2 / d, loss 40 log d - 20 log h1 h2 far out, peaks of
// 6 dB where the difference is half a wavelength.
TEST(TwoRay, PlaneEarth) {
    Path path{5e3, 20.0, 10.0, 868e6, 1e12, {1e9, 0.0}, Polarisation::kHorizontal};
    TwoRay out = two_ray(path, 0.0);
    EXPECT_NEAR(out.path_difference_m, 2 * 20.0 * 10.0 / 5e3, 1e-4);
    EXPECT_NEAR(out.point.from_a_m, 5e3 * 20.0 / 30.0, 1.0);
    EXPECT_NEAR(out.point.grazing_rad, 30.0 / 5e3, 1e-5);
    EXPECT_NEAR(out.point.divergence, 1.0, 1e-6);
    path.distance_m = 50e3;
    out = two_ray(path, 0.0);
    EXPECT_NEAR(free_space_loss_db(50e3, 868e6) - out.gain_db, 40 * std::log10(50e3) - 20 * std::log10(200.0), 0.05);
    path.distance_m = 4 * 20.0 * 10.0 * 868e6 / kSpeedOfLight;
    EXPECT_NEAR(two_ray(path, 0.0).gain_db, 6.02, 0.01);
}

// Over a curved earth: both triangles have the same angle at the sphere, found here by bisection and not by P.526's
// cubic equation.
TEST(TwoRay, ReflectionPointByBisection) {
    for (const double b : {10.0, 15.0, 29.9, 30.0}) {
        const Path path{20e3, 30.0, b, 868e6, 8'495e3, sea_permittivity(868e6), Polarisation::kVertical};
        const auto angle = [&path](double arc, double h) {
            return h / arc - arc / (2 * path.effective_radius_m);  // grazing, small angles
        };
        double low = 1.0, high = 20e3 - 1.0;
        for (int i = 0; i < 80; ++i) {
            const double mid = (low + high) / 2;
            (angle(mid, 30.0) > angle(20e3 - mid, b) ? low : high) = mid;
        }
        const SpherePoint point = reflection_point(path);
        EXPECT_NEAR(point.from_a_m, low, 1.0);
        EXPECT_NEAR(point.grazing_rad, angle(low, 30.0), 1e-7);
        // Divergence as in Kerr, "Propagation of Short Radio Waves" (1951), 2.5: 1 / sqrt(1 + 2 d1 d2 / (a d sin)).
        EXPECT_NEAR(point.divergence,
                    1 / std::sqrt(1 + 2 * low * (20e3 - low) / (path.effective_radius_m * 20e3 * point.grazing_rad)),
                    1e-3);
    }
}

// From two rays to the smooth earth and beyond the horizon there is no step.
TEST(TwoRay, MeetsTheSmoothEarth) {
    TerrestrialPath path;
    path.surface = Surface::kSea;
    path.height_a_m = 30.0;
    path.height_b_m = 15.0;
    for (const double hz : {435e6, 868e6, 2.4e9}) {
        path.frequency_hz = hz;
        double before = 0.0;
        bool reflected = false;
        for (double d = 15e3; d < 50e3; d += 20.0) {
            const PathLoss loss = terrestrial_loss(path, d);
            if (d > 15e3) {
                EXPECT_NEAR(loss.total_db(), before, 0.2) << hz << " at " << d;
            }
            reflected = reflected || loss.reflection;
            before = loss.total_db();
        }
        EXPECT_TRUE(reflected);
        EXPECT_FALSE(terrestrial_loss(path, 50e3).reflection);
    }
    path.obstacles = {{5e3, 100.0}};
    EXPECT_FALSE(terrestrial_loss(path, 15e3).reflection);
}

// ITU-R's validation examples (CG-3M3J-13-ValEx) for P.676-13, annex 1: specific attenuation at 1013.25 hPa, 288.15 K,
// 7.5 g/m^3. Annex 2 of P.676-10 approximates it.
TEST(Atmosphere, GasBesideItuValidation) {
    struct {
        double ghz, dry, vapour;
    } constexpr kRows[]{{1, 0.005389, 0.000051},  {2, 0.006716, 0.000204},  {3, 0.007076, 0.000463},
                        {5, 0.007400, 0.001313},  {6, 0.007537, 0.001922},  {10, 0.008224, 0.005974},
                        {15, 0.009619, 0.019439}, {20, 0.011884, 0.097047}, {30, 0.021450, 0.072375}};
    for (const auto& row : kRows) {
        EXPECT_NEAR(dry_air_db_per_km(row.ghz * 1e9, {}), row.dry, 0.1 * row.dry) << row.ghz;
        EXPECT_NEAR(vapour_db_per_km(row.ghz * 1e9, {}), row.vapour, 0.15 * row.vapour) << row.ghz;
    }
}

// The same file for P.838-3, and two rows of the Recommendation's table 5.
TEST(Atmosphere, RainBesideItuValidation) {
    struct {
        double elevation, ghz, rate, tilt, loss;
    } constexpr kRows[]{{31.076991, 14.25, 26.480520, 0, 1.581308},
                        {40.232036, 14.25, 33.936232, 0, 2.061732},
                        {46.359693, 29.00, 27.135868, 0, 5.031355},
                        {22.278335, 14.25, 50.639304, 0, 3.321396},
                        {52.678985, 29.00, 78.299499, 0, 13.592901}};
    for (const auto& row : kRows) {
        EXPECT_NEAR(rain_db_per_km(row.ghz * 1e9, row.rate, rad(row.elevation), rad(row.tilt)), row.loss, 2e-6);
    }
    EXPECT_NEAR(rain_db_per_km(1e9, 1.0, 0.0, 0.0), 0.0000259, 5e-8);
    EXPECT_NEAR(rain_db_per_km(10e9, 1.0, 0.0, 0.0), 0.01217, 1e-5);
    EXPECT_NEAR(rain_db_per_km(10e9, 1.0, 0.0, kPi / 2), 0.01129, 1e-5);
    EXPECT_NEAR(rain_db_per_km(20e9, 10.0, 0.0, kPi / 2), 0.09611 * std::pow(10.0, 0.9847), 1e-3);
    EXPECT_EQ(rain_db_per_km(10e9, 0.0, 0.0, 0.0), 0.0);
    EXPECT_EQ(rain_db_per_km(435e6, 50.0, 0.0, 0.0), rain_db_per_km(1e9, 50.0, 0.0, 0.0));
}

// Heavy rain fills less of a long path; never more than 2.5 times it (P.530).
TEST(Atmosphere, RainFillsPartOfAPath) {
    EXPECT_LT(rain_path_m(50e3, 10e9, 50.0, 0.0), 25e3);
    EXPECT_GT(rain_path_m(50e3, 10e9, 50.0, 0.0), 5e3);
    EXPECT_LE(rain_path_m(100.0, 10e9, 5.0, 0.0), 250.0 + 1e-9);
    EXPECT_EQ(rain_path_m(50e3, 10e9, 0.0, 0.0), 0.0);
}

// Slant range and speed of circular orbits: 500 km at the horizon 2573 km, 7.62 km/s, 94.6 min a turn (as in Larson and
// Wertz, "Space Mission Analysis and Design", tables inside the cover); in the zenith the altitude itself.
TEST(Satellite, Geometry) {
    EXPECT_NEAR(slant_range_m(500e3, 0.0), 2'574e3, 2e3);
    EXPECT_NEAR(slant_range_m(500e3, kPi / 2), 500e3, 1e-3);
    EXPECT_NEAR(slant_range_m(500e3, rad(10)), 1'695e3, 3e3);
    EXPECT_NEAR(slant_range_m(35'786e3, 0.0), 41'679e3, 10e3);
    EXPECT_NEAR(slant_range_m(6.0, rad(30)), 12.0, 1e-4);  // a thin layer: h / sin
    EXPECT_NEAR(orbital_speed_mps(500e3), 7'616.0, 5.0);
    EXPECT_NEAR(2 * kPi * (kEarthRadius + 500e3) / orbital_speed_mps(500e3) / 60.0, 94.5, 0.2);
    EXPECT_NEAR(pass_seconds(500e3, 0.0) / 60.0, 11.5, 0.3);
}

// Doppler: growth of the slant range, by differences along a pass through the zenith.
TEST(Satellite, DopplerIsTheRangesGrowth) {
    const double altitude = 500e3;
    const double radius = kEarthRadius + altitude;
    const double turn = orbital_speed_mps(altitude) / radius;
    const auto range = [&](double t) {
        const double angle = turn * t;
        return std::hypot(radius * std::sin(angle), radius * std::cos(angle) - kEarthRadius);
    };
    for (const double t : {30.0, 100.0, 250.0}) {
        const double elevation = std::atan2(radius * std::cos(turn * t) - kEarthRadius, radius * std::sin(turn * t));
        EXPECT_NEAR(largest_receding_mps(altitude, elevation), (range(t + 0.01) - range(t - 0.01)) / 0.02, 0.01);
    }
    EXPECT_NEAR(zenith_acceleration_mps2(altitude), (range(1.0) - 2 * range(0.0) + range(-1.0)), 0.05);
    // 435 MHz: some +-10 kHz in a low orbit, as every amateur's tracking program shows.
    EXPECT_NEAR(435e6 / kSpeedOfLight * largest_receding_mps(altitude, 0.0), 10.2e3, 0.2e3);
}

// Rayleigh: -10 log(-ln(1 - p)): 18.0... dB for 1 % of the time below the median is 18.4 (P.1057); re the mean 19.98.
TEST(Fading, Rayleigh) {
    EXPECT_NEAR(rice_fade_db(-40.0, 0.01), -10 * std::log10(-std::log(0.99)), 1e-6);
    EXPECT_NEAR(rice_fade_db(-40.0, 0.1), 9.77, 0.01);
    EXPECT_NEAR(rice_fade_db(-40.0, 0.001) - rice_fade_db(-40.0, 0.01), 10.02, 0.03);
}

// Rice by counting: the distribution function of |a + z|^2, integrated over the phase and magnitude of z in steps.
TEST(Fading, RiceByIntegration) {
    for (const double k_db : {0.0, 6.0, 10.0, 20.0}) {
        for (const double outage : {0.5, 0.1, 0.01}) {
            const double level = std::pow(10.0, -rice_fade_db(k_db, outage) / 10.0);
            const double k = std::pow(10.0, k_db / 10.0);
            const double scatter = 1.0 / (1.0 + k);  // mean power of z
            const double a = std::sqrt(k / (1.0 + k));
            double below = 0.0;
            constexpr int kRadii = 4'000, kPhases = 720;
            for (int i = 0; i < kRadii; ++i) {  // equally likely rings of |z|
                const double r = std::sqrt(-scatter * std::log(1.0 - (i + 0.5) / kRadii));
                for (int j = 0; j < kPhases; ++j) {
                    const double phase = 2 * kPi * (j + 0.5) / kPhases;
                    below += a * a + r * r + 2 * a * r * std::cos(phase) < level ? 1.0 : 0.0;
                }
            }
            EXPECT_NEAR(below / (kRadii * kPhases), outage, 0.02 * outage + 2e-4) << k_db;
        }
    }
    EXPECT_LT(rice_fade_db(40.0, 0.001), 0.3);
}

TEST(PathLoss, AddsItsItems) {
    TerrestrialPath path;
    path.surface = Surface::kNone;
    path.frequency_hz = 10e9;
    path.rain_mm_h = 20.0;
    const PathLoss loss = terrestrial_loss(path, 30e3);
    EXPECT_DOUBLE_EQ(loss.total_db(), loss.free_space_db + loss.gas_db + loss.rain_db);
    EXPECT_NEAR(loss.gas_db, 30 * (0.008224 + 0.005974), 0.04);
    EXPECT_GT(loss.rain_db, 1.0);
    EXPECT_FALSE(loss.reflection);
    path.surface = Surface::kLand;
    path.obstacles = {{15e3, 500.0}, {40e3, 5'000.0}};  // the second stands behind the far end
    EXPECT_GT(terrestrial_loss(path, 30e3).diffraction_db, 20.0);
    path.obstacles = {{40e3, 5'000.0}};
    EXPECT_LT(terrestrial_loss(path, 20e3).diffraction_db, 20.0);
    const SatellitePath satellite;
    EXPECT_NEAR(satellite_loss(satellite, kPi / 2).free_space_db, free_space_loss_db(500e3, 435e6), 1e-9);
    EXPECT_GT(satellite_loss(satellite, 0.0).gas_db, satellite_loss(satellite, kPi / 2).gas_db * 10);
}

}  // namespace
}  // namespace meshnet::sim
