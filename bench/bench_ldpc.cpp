// SPDX-License-Identifier: MIT
// Speed of the payload code on one core: information bits per second, k = 8448.
//
// The decoder runs a fixed number of iterations (a check that refuses everything), parity test and CRC included, on
// blocks at an SNR where it would otherwise stop early, with float input; `decode_int8` leaves out the scaling.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "phy/fec/crc.hpp"
#include "phy/fec/ldpc_decoder.hpp"
#include "phy/fec/ldpc_encoder.hpp"
#include "phy/fec/rate_matching.hpp"
#include "phy/fec/tbcc.hpp"

namespace {

using namespace meshnet;
using namespace meshnet::phy;

constexpr std::size_t kInfo = 8448;

struct Block {
    std::vector<float> llr;
    std::vector<std::int8_t> quantised;
};

Block received(std::size_t coded_bits, double snr_db) {
    const LdpcCode code = LdpcCode::for_info_bits(kInfo);
    Rng rng(7);
    std::vector<std::uint8_t> info(kInfo);
    for (auto& b : info) b = static_cast<std::uint8_t>(rng.next_u64() & 1U);
    std::vector<std::uint8_t> mother(mother_bits_needed(code, 0, coded_bits));
    LdpcEncoder().encode(code, info, mother);
    const double a = std::pow(10.0, snr_db / 20.0);
    Block block;
    for (std::size_t i = 0; i < coded_bits; ++i) {
        const double llr = 2.0 * a * ((mother[i] != 0 ? -a : a) + rng.normal());
        block.llr.push_back(static_cast<float>(llr));
        block.quantised.push_back(static_cast<std::int8_t>(std::lround(std::fmin(std::fmax(llr * 2.0, -63.0), 63.0))));
    }
    return block;
}

/// state.range: coded bits per 960 information bits, iterations. Isa by template.
template <LdpcDecoder::Isa kIsa>
void decode(benchmark::State& state) {
    const auto coded = kInfo * static_cast<std::size_t>(state.range(0)) / 960;
    const LdpcCode code = LdpcCode::for_info_bits(kInfo);
    const Block block = received(coded, state.range(0) > 1500 ? 3.0 : 8.0);
    LdpcDecoder decoder(kIsa);
    if (decoder.isa() != kIsa) {
        state.SkipWithError("not on this processor");
        return;
    }
    LdpcDecoder::Options options;
    options.max_iterations = static_cast<unsigned>(state.range(1));
    options.check = [](std::span<const std::uint8_t> bytes, const void*) { return Crc24::of_bytes(bytes) > 0xFFFFFF; };
    for (auto _ : state) {
        benchmark::DoNotOptimize(decoder.decode(code, block.llr, options));
    }
    state.counters["info_bit/s"] = benchmark::Counter(
        static_cast<double>(kInfo) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

#define DECODE(isa)                                 \
    BENCHMARK(decode<LdpcDecoder::Isa::isa>)        \
        ->Name("ldpc_decode/" #isa)                 \
        ->ArgNames({"coded_per_960", "iterations"}) \
        ->Args({1920, 5})                           \
        ->Args({1920, 10})                          \
        ->Args({1080, 5})                           \
        ->Args({1080, 10})                          \
        ->Args({4800, 10})                          \
        ->Unit(benchmark::kMicrosecond)
DECODE(kGeneric);
DECODE(kAvx2);
DECODE(kAvx512);

/// As a receiver uses it: stop as soon as parity holds, at an SNR 1 dB above the waterfall.
void decode_until_done(benchmark::State& state) {
    const auto coded = kInfo * static_cast<std::size_t>(state.range(0)) / 960;
    const LdpcCode code = LdpcCode::for_info_bits(kInfo);
    const Block block = received(coded, state.range(0) > 1500 ? 2.0 : 7.3);
    LdpcDecoder decoder;
    unsigned iterations = 0;
    for (auto _ : state) {
        iterations = decoder.decode(code, block.llr).iterations;
    }
    state.counters["iterations"] = iterations;
    state.counters["info_bit/s"] = benchmark::Counter(
        static_cast<double>(kInfo) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(decode_until_done)->ArgName("coded_per_960")->Arg(1920)->Arg(1080)->Unit(benchmark::kMicrosecond);

void encode(benchmark::State& state) {
    const LdpcCode code = LdpcCode::for_info_bits(kInfo);
    const auto coded = kInfo * static_cast<std::size_t>(state.range(0)) / 960;
    Rng rng(7);
    std::vector<std::uint8_t> info(kInfo);
    for (auto& b : info) b = static_cast<std::uint8_t>(rng.next_u64() & 1U);
    std::vector<std::uint8_t> mother(mother_bits_needed(code, 0, coded));
    LdpcEncoder encoder;
    for (auto _ : state) {
        encoder.encode(code, info, mother);
        benchmark::DoNotOptimize(mother.data());
    }
    state.counters["info_bit/s"] = benchmark::Counter(
        static_cast<double>(kInfo) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(encode)
    ->Name("ldpc_encode")
    ->ArgName("coded_per_960")
    ->Arg(1080)
    ->Arg(1920)
    ->Arg(4800)
    ->Unit(benchmark::kMicrosecond);

void header_decode(benchmark::State& state) {
    Rng rng(3);
    std::vector<std::uint8_t> bits(64);
    for (auto& b : bits) b = static_cast<std::uint8_t>(rng.next_u64() & 1U);
    std::vector<std::uint8_t> coded(256);
    TailBitingCode::encode(bits, coded);
    std::vector<float> llr(256);
    for (std::size_t i = 0; i < llr.size(); ++i)
        llr[i] = static_cast<float>((coded[i] != 0 ? -1.0 : 1.0) + rng.normal());
    TailBitingCode code;
    for (auto _ : state) {
        benchmark::DoNotOptimize(code.decode(llr, bits, {}));
    }
}
BENCHMARK(header_decode)->Name("tbcc_decode/64_bits")->Unit(benchmark::kMicrosecond);

}  // namespace
