// SPDX-License-Identifier: MIT
// Block error rates at fixed seeds: the whole chain encoder, rate matching, decoder, against the normal approximation
// and against floating point sum-product on the same noise.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "fec_reference.hpp"
#include "phy/fec/awgn_bound.hpp"
#include "phy/fec/ldpc_decoder.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/fec/rate_matching.hpp"

namespace meshnet::phy {
namespace {

struct Case {
    std::size_t info;
    double rate;
    double gap_db;  // above the normal approximation for BLER 1e-2
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << "k " << c.info << " rate " << c.rate;
}

class LdpcPerformance : public testing::TestWithParam<Case> {};

// docs/notes/ldpc.md has BLER 1e-2 at gaps at least 0.1 dB smaller than these, where the rate is half of that or
// less: 1.5 failures are expected in 300 blocks, and more than 8 would have a probability below 1e-4.
TEST_P(LdpcPerformance, StaysWithinItsGapToTheNormalApproximation) {
    const Case c = GetParam();
    const LdpcCode code = LdpcCode::for_info_bits(c.info);
    const auto coded = static_cast<std::size_t>(static_cast<double>(c.info) / c.rate + 0.5);
    const double snr = required_snr_db(2, c.info, static_cast<double>(coded) / 2.0, 1e-2) + c.gap_db;
    Rng rng(c.info + coded);
    LdpcEncoder encoder;
    LdpcDecoder decoder;
    std::vector<std::uint8_t> mother(mother_bits_needed(code, 0, coded));
    std::vector<std::uint8_t> sent(coded);
    std::vector<std::uint8_t> got(c.info);
    int failed = 0;
    for (int block = 0; block < 300; ++block) {
        const auto info = reference::random_bits(rng, c.info);
        encoder.encode(code, info, mother);
        select(code, mother, 0, sent);
        std::vector<float> soft(code.mother_bits(), 0.0F);
        accumulate(code, 0, reference::noisy(sent, snr, rng), soft);
        const auto outcome = decoder.decode(code, soft);
        decoder.info_bits(got);
        if (got != info) {
            ++failed;
            EXPECT_FALSE(outcome.accepted) << "a wrong block went unnoticed";
        }
    }
    EXPECT_LE(failed, 8) << "at " << snr << " dB";
}

INSTANTIATE_TEST_SUITE_P(Rates, LdpcPerformance,
                         testing::Values(Case{1040, 1.0 / 5.0, 0.9}, Case{1040, 1.0 / 3.0, 0.9},
                                         Case{1040, 1.0 / 2.0, 1.1}, Case{1040, 3.0 / 4.0, 0.9},
                                         Case{1040, 8.0 / 9.0, 0.9}, Case{256, 1.0 / 2.0, 1.5},
                                         Case{4224, 1.0 / 2.0, 0.8}, Case{4224, 8.0 / 9.0, 0.75}));

// Sum-product in double precision on the same graph and noise, 25 iterations both, near 1e-1: what int8 and A-min*
// cost.
TEST(LdpcDecoder, LosesLittleToFloatingPointSumProduct) {
    struct {
        double rate;
        double snr_db;
        std::size_t rows;
    } const cases[] = {{1.0 / 5.0, -3.95, 66}, {1.0 / 2.0, 1.25, 18}};
    for (const auto& c : cases) {
        const std::size_t k = 512;
        const LdpcCode code = LdpcCode::for_info_bits(k);
        const auto coded = static_cast<std::size_t>(static_cast<double>(k) / c.rate);
        Rng rng(99);
        LdpcEncoder encoder;
        LdpcDecoder decoder;
        std::vector<std::uint8_t> mother(coded);
        std::vector<std::uint8_t> got(k);
        int failed = 0;
        int failed_reference = 0;
        for (int block = 0; block < 100; ++block) {
            const auto info = reference::random_bits(rng, k);
            encoder.encode(code, info, mother);
            // 0.25 dB for the integers.
            auto llr = reference::noisy(mother, c.snr_db, rng);
            failed_reference += reference::sum_product(code, llr, c.rows, 25) != info ? 1 : 0;
            const double a = std::pow(10.0, c.snr_db / 20.0);
            const double b = std::pow(10.0, (c.snr_db + 0.25) / 20.0);
            for (std::size_t i = 0; i < llr.size(); ++i) {
                const double sign = mother[i] != 0 ? -1.0 : 1.0;
                const double noise = static_cast<double>(llr[i]) / (2.0 * a) - sign * a;
                llr[i] = static_cast<float>(2.0 * b * (sign * b + noise));
            }
            decoder.decode(code, llr);
            decoder.info_bits(got);
            failed += got != info ? 1 : 0;
        }
        EXPECT_GE(failed_reference, 3) << "the comparison needs failures, rate " << c.rate;
        // The same noise: the two counts are strongly dependent, so the allowance is for the blocks on the edge.
        EXPECT_LE(failed, failed_reference + 4) << "rate " << c.rate;
    }
}

// Callers estimate noise; +-1.5 dB of common LLR error must not matter much.
TEST(LdpcDecoder, WrongScaleOfTheLlrsCostsLittle) {
    const std::size_t k = 1040;
    const LdpcCode code = LdpcCode::for_info_bits(k);
    LdpcEncoder encoder;
    LdpcDecoder decoder;
    for (const double rate : {1.0 / 5.0, 1.0 / 2.0, 8.0 / 9.0}) {
        const auto coded = static_cast<std::size_t>(static_cast<double>(k) / rate + 0.5);
        const double snr = required_snr_db(2, k, static_cast<double>(coded) / 2.0, 1e-2) + 1.2;
        for (const float scale : {0.7F, 1.4F}) {
            Rng rng(5);
            int failed = 0;
            for (int block = 0; block < 150; ++block) {
                const auto info = reference::random_bits(rng, k);
                std::vector<std::uint8_t> mother(coded);
                encoder.encode(code, info, mother);
                auto llr = reference::noisy(mother, snr, rng);
                for (auto& x : llr) x *= scale;
                decoder.decode(code, llr);
                std::vector<std::uint8_t> got(k);
                decoder.info_bits(got);
                failed += got != info ? 1 : 0;
            }
            EXPECT_LE(failed, 4) << "rate " << rate << " scale " << scale;
        }
    }
}

}  // namespace
}  // namespace meshnet::phy
