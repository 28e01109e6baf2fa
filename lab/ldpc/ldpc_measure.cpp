// SPDX-License-Identifier: MIT
// Measures the LDPC family and the header code over AWGN and prints the gap to the normal approximation.
//
// Usage: ldpc_measure [--errors N] [--iterations N] [--seed N] [--info K[,K..]] [--rate P/Q[,P/Q..]] [--bler X] [--snr
// X]
// [--floor] [--header]
//
// QPSK, LLRs exact, random information bits with a CRC-24 that the decoder may ask (it counts as information); a block
// counts as wrong if any information bit is. The SNR at the wanted block error rate is interpolated (straight in log
// BLER) between points 0.1 dB apart with N errors each.
// --floor: also BLER at 0.3, 0.6 and 1.0 dB above that SNR. --snr X (may be repeated): BLER at X instead. --header: the
// tail-biting code, 64 bits with 16 of CRC.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/random.hpp"
#include "phy/fec/awgn_bound.hpp"
#include "phy/fec/crc.hpp"
#include "phy/fec/ldpc_decoder.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/fec/rate_matching.hpp"
#include "phy/fec/tbcc.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

/// Normal values fast: the sum of two stretches of a pool from random places.
class Noise {
public:
    explicit Noise(std::uint64_t seed) : rng_(seed), pool_(kPool) {
        for (float& x : pool_) x = static_cast<float>(rng_.normal() * std::sqrt(0.5));
    }
    void fill(std::vector<float>& out) {
        const std::size_t a = rng_.below(kPool - out.size());
        const std::size_t b = rng_.below(kPool - out.size());
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = pool_[a + i] + pool_[b + i];
    }
    Rng& rng() { return rng_; }

private:
    static constexpr std::size_t kPool = 1U << 22;
    Rng rng_;
    std::vector<float> pool_;
};

struct Settings {
    long errors = 60;
    unsigned iterations = 25;
    std::uint64_t seed = 1;
    double bler = 1e-2;
    bool floor = false;
    std::vector<double> snr;
    bool header = false;
    std::vector<std::size_t> info = {1040, 2112, 4224, 8448};
    std::vector<std::pair<unsigned, unsigned>> rates = {{1, 5}, {1, 4}, {1, 3}, {2, 5}, {1, 2},
                                                        {2, 3}, {3, 4}, {5, 6}, {8, 9}};
};

struct Point {
    double bler = 1.0;
    double mean_iterations = 0.0;
    long blocks = 0;
    long errors = 0;
    long undetected = 0;
};

void random_bits(Rng& rng, std::vector<std::uint8_t>& bits) {
    for (std::size_t i = 0; i < bits.size(); i += 64) {
        const std::uint64_t w = rng.next_u64();
        for (std::size_t j = i; j < bits.size() && j < i + 64; ++j)
            bits[j] = static_cast<std::uint8_t>((w >> (j - i)) & 1U);
    }
}

/// CRC-24 over whole bytes: the last 24 bits, after as many bits as fill bytes.
bool block_check(std::span<const std::uint8_t> bytes, const void*) {
    const auto body = bytes.first(bytes.size() - 3);
    const std::uint32_t sent = (static_cast<std::uint32_t>(bytes[bytes.size() - 3]) << 16) |
                               (static_cast<std::uint32_t>(bytes[bytes.size() - 2]) << 8) | bytes[bytes.size() - 1];
    return Crc24::of_bytes(body) == sent;
}

/// info.size() must be a multiple of 8.
void append_crc(std::vector<std::uint8_t>& info) {
    const std::size_t body = info.size() - 24;
    const std::uint32_t crc = Crc24::of_bits(std::span(info).first(body));
    for (std::size_t i = 0; i < 24; ++i) info[body + i] = static_cast<std::uint8_t>((crc >> (23 - i)) & 1U);
}

Point simulate(std::size_t k, std::size_t coded_bits, double snr_db, long errors, long blocks, unsigned iterations,
               Noise& noise) {
    static LdpcEncoder encoder;
    static LdpcDecoder decoder;
    const LdpcCode code = LdpcCode::for_info_bits(k);
    std::vector<std::uint8_t> info(k);
    std::vector<std::uint8_t> decoded(k);
    std::vector<std::uint8_t> mother(mother_bits_needed(code, 0, coded_bits));
    std::vector<std::uint8_t> coded(coded_bits);
    std::vector<float> llr(coded_bits);
    std::vector<float> soft(code.mother_bits());
    // Per dimension: amplitude a, noise variance 1, a^2 = Es/N0.
    const double a = std::pow(10.0, snr_db / 20.0);
    Point p;
    double total_iterations = 0.0;
    LdpcDecoder::Options options;
    options.max_iterations = iterations;
    options.check = &block_check;
    for (; p.blocks < blocks && p.errors < errors; ++p.blocks) {
        random_bits(noise.rng(), info);
        append_crc(info);
        encoder.encode(code, info, mother);
        select(code, mother, 0, coded);
        noise.fill(llr);
        for (std::size_t i = 0; i < coded_bits; ++i) {
            llr[i] = static_cast<float>(2.0 * a) * (static_cast<float>(coded[i] != 0 ? -a : a) + llr[i]);
        }
        std::fill(soft.begin(), soft.end(), 0.0F);
        accumulate(code, 0, llr, soft);
        const auto outcome = decoder.decode(code, soft, options);
        decoder.info_bits(decoded);
        total_iterations += outcome.iterations;
        if (decoded != info) {
            ++p.errors;
            if (outcome.accepted) ++p.undetected;
        }
    }
    p.bler = static_cast<double>(p.errors) / static_cast<double>(p.blocks);
    p.mean_iterations = total_iterations / static_cast<double>(p.blocks);
    return p;
}

/// BLER at given SNRs, at most 100 / bler blocks each.
void measure_at(const Settings& s, std::size_t k, unsigned num, unsigned den) {
    Noise noise(s.seed);
    for (const double snr : s.snr) {
        const auto limit = static_cast<long>(100.0 / s.bler);
        const Point p = simulate(k, (k * den + num - 1) / num, snr, s.errors, limit, s.iterations, noise);
        std::printf("%5zu  %u/%u  SNR %6.2f dB  BLER %.2e (%ld of %ld, undetected %ld)  mean iterations %.1f\n", k, num,
                    den, snr, p.bler, p.errors, p.blocks, p.undetected, p.mean_iterations);
        std::fflush(stdout);
    }
}

void measure(const Settings& s, std::size_t k, unsigned num, unsigned den) {
    Noise noise(s.seed);
    const std::size_t coded = (k * den + num - 1) / num;
    const double bound = required_snr_db(2, k, static_cast<double>(coded) / 2.0, s.bler);
    const long limit = static_cast<long>(static_cast<double>(s.errors) / s.bler * 3.0);
    double snr = bound + 0.3;
    Point before;
    Point now = simulate(k, coded, snr, s.errors, limit, s.iterations, noise);
    while (now.bler > s.bler && snr < bound + 6.0) {
        before = now;
        snr += now.bler > 30.0 * s.bler ? 0.2 : 0.1;
        now = simulate(k, coded, snr, s.errors, limit, s.iterations, noise);
    }
    const double step = before.bler > 30.0 * s.bler ? 0.2 : 0.1;
    double at = snr;
    if (before.bler > now.bler) {
        const double low = std::log(std::max(now.bler, 1e-9));
        const double high = std::log(before.bler);
        at = snr - step * (std::log(s.bler) - low) / (high - low);
    }
    std::printf("%5zu  %u/%u  z %3zu  SNR %6.2f dB at BLER %.0e  bound %6.2f  gap %5.2f dB  mean iterations %.1f", k,
                num, den, LdpcCode::for_info_bits(k).z(), at, s.bler, bound, at - bound, now.mean_iterations);
    if (s.floor) {
        for (const double more : {0.3, 0.6, 1.0}) {
            const Point p = simulate(k, coded, at + more, s.errors / 4, limit * 20, s.iterations, noise);
            std::printf("  +%.1f dB: %ld/%ld (undetected %ld)", more, p.errors, p.blocks, p.undetected);
        }
    }
    std::printf("\n");
    std::fflush(stdout);
}

bool header_check(std::span<const std::uint8_t> bits, const void*) {
    std::uint32_t sent = 0;
    for (std::size_t i = bits.size() - 16; i < bits.size(); ++i) sent = (sent << 1) | bits[i];
    return Crc16::of_bits(bits.first(bits.size() - 16)) == sent;
}

void measure_header(const Settings& s) {
    constexpr std::size_t kBits = 64;
    constexpr std::size_t kInfo = kBits - 16;
    Noise noise(s.seed);
    TailBitingCode code;
    std::vector<std::uint8_t> bits(kBits);
    std::vector<std::uint8_t> got(kBits);
    std::vector<std::uint8_t> coded(4 * kBits);
    std::vector<float> llr(4 * kBits);
    for (double snr = -4.0; snr <= 0.0; snr += 0.5) {
        const double a = std::pow(10.0, snr / 20.0);
        long blocks = 0;
        long missed = 0;
        long wrong = 0;
        for (; blocks < 200000 && missed + wrong < s.errors; ++blocks) {
            random_bits(noise.rng(), bits);
            const std::uint32_t crc = Crc16::of_bits(std::span(bits).first(kInfo));
            for (std::size_t i = 0; i < 16; ++i) bits[kInfo + i] = static_cast<std::uint8_t>((crc >> (15 - i)) & 1U);
            TailBitingCode::encode(bits, coded);
            noise.fill(llr);
            for (std::size_t i = 0; i < llr.size(); ++i) {
                llr[i] = static_cast<float>(2.0 * a) * (static_cast<float>(coded[i] != 0 ? -a : a) + llr[i]);
            }
            const auto outcome = code.decode(llr, got, {.check = &header_check});
            if (!outcome.accepted) {
                ++missed;
            } else if (got != bits) {
                ++wrong;
            }
        }
        const double bler = static_cast<double>(missed + wrong) / static_cast<double>(blocks);
        const double bounded = std::clamp(bler, 1e-9, 0.49);
        std::printf(
            "header 64 bits in 128 QPSK symbols  SNR %5.1f dB  BLER %.2e (missed %ld, wrong %ld of %ld)  bound for 48 "
            "bits at this BLER "
            "%.2f dB, for 64 %.2f\n",
            snr, bler, missed, wrong, blocks, required_snr_db(2, kInfo, 128.0, bounded),
            required_snr_db(2, kBits, 128.0, bounded));
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    Settings s;
    for (int i = 1; i < argc; ++i) {
        const std::string name = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--floor") {
            s.floor = true;
        } else if (name == "--header") {
            s.header = true;
        } else if (*value == '\0') {
            std::fprintf(stderr, "ldpc_measure: %s: unknown option, or its value is missing\n", name.c_str());
            return 2;
        } else {
            ++i;
            if (name == "--errors") {
                s.errors = std::max(1L, std::strtol(value, nullptr, 10));
            } else if (name == "--iterations") {
                s.iterations = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
            } else if (name == "--seed") {
                s.seed = std::strtoull(value, nullptr, 10);
            } else if (name == "--bler") {
                s.bler = std::clamp(std::strtod(value, nullptr), 1e-6, 0.4);
            } else if (name == "--snr") {
                s.snr.push_back(std::strtod(value, nullptr));
            } else if (name == "--info") {
                s.info.clear();
                for (char* at = nullptr; *value != '\0'; value = *at == ',' ? at + 1 : at) {
                    const std::size_t k = std::strtoull(value, &at, 10);
                    if (at == value || (*at != ',' && *at != '\0') || k < 72 || k % 8 != 0 ||
                        k > LdpcCode::kMaxInfoBits) {
                        std::fprintf(stderr, "ldpc_measure: --info wants multiples of 8, 72..8448, with commas\n");
                        return 2;
                    }
                    s.info.push_back(k);
                }
            } else if (name == "--rate") {
                s.rates.clear();
                for (char* at = nullptr; *value != '\0'; value = *at == ',' ? at + 1 : at) {
                    const auto p = static_cast<unsigned>(std::strtoul(value, &at, 10));
                    const auto q = *at == '/' ? static_cast<unsigned>(std::strtoul(at + 1, &at, 10)) : 0U;
                    if (p == 0 || q <= p || (*at != ',' && *at != '\0')) {
                        std::fprintf(stderr, "ldpc_measure: --rate wants fractions like 1/2,3/4\n");
                        return 2;
                    }
                    s.rates.emplace_back(p, q);
                }
            } else {
                std::fprintf(stderr, "ldpc_measure: unknown option %s\n", name.c_str());
                return 2;
            }
        }
    }
    if (s.header) {
        measure_header(s);
        return 0;
    }
    for (const std::size_t k : s.info) {
        for (const auto& [num, den] : s.rates) s.snr.empty() ? measure(s, k, num, den) : measure_at(s, k, num, den);
    }
    return 0;
}
