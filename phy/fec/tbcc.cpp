// SPDX-License-Identifier: MIT
#include "phy/fec/tbcc.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>

namespace meshnet::phy {

namespace {

constexpr std::size_t kMemory = 8;
constexpr std::size_t kStates = 1U << kMemory;
constexpr std::size_t kHalf = kStates / 2;
constexpr std::size_t kOut = TailBitingCode::kOutputs;
constexpr std::array<std::uint32_t, kOut> kGenerators = {0463, 0535, 0733, 0745};

/// A state holds the last eight bits, the newest in bit 0; the register is state << 1 | input, so the generators,
/// written with the newest bit first, are reversed.
constexpr std::uint32_t tap_parity(std::size_t reg, std::uint32_t generator) noexcept {
    std::uint32_t parity = 0;
    for (std::size_t i = 0; i <= kMemory; ++i) {
        parity ^= static_cast<std::uint32_t>(reg >> i) & (generator >> (kMemory - i)) & 1U;
    }
    return parity;
}

/// kSign[o][j]: +1 if output o of state j (j < 128, oldest bit 0) with input 0 is 0, else -1. All generators have both
/// end taps, so input 1 or oldest bit 1 inverts all four outputs.
constexpr auto kSign = [] {
    std::array<std::array<float, kHalf>, kOut> sign{};
    for (std::size_t o = 0; o < kOut; ++o) {
        for (std::size_t j = 0; j < kHalf; ++j) sign[o][j] = tap_parity(j << 1, kGenerators[o]) != 0 ? -1.0F : 1.0F;
    }
    return sign;
}();
static_assert([] {
    for (const auto g : kGenerators) {
        if ((g & 1U) == 0 || (g >> kMemory) != 1) return false;
    }
    return true;
}());

constexpr unsigned kMaxCandidates = 16;
constexpr std::size_t kEnds = 16;      // end states looked at
constexpr float kImpossible = -1e12F;  // far below any metric: 1e6 at most for each of 1024 values

struct Word {
    std::array<std::uint8_t, TailBitingCode::kMaxBits> bits{};
    float metric = 0.0F;
};

}  // namespace

struct TailBitingCode::Impl {
    alignas(64) std::array<float, kStates> metric{};
    alignas(64) std::array<float, kStates> next{};
    /// from_high[t][s]: the best way into state s at step t came from the predecessor with oldest bit 1.
    std::array<std::array<std::uint8_t, kStates>, kMaxBits> from_high{};
    std::array<float, kOut * kMaxBits> llr{};
    std::array<std::uint8_t, kMaxBits> word{};
    std::array<Word, kMaxCandidates + 2> words;

    void step(const float* in, std::array<std::uint8_t, kStates>& choice) noexcept;
    std::size_t trace_back(std::size_t n, std::size_t end) noexcept;
    void go_round(std::size_t n) noexcept;
    void keep_word(std::size_t n, Word& out) noexcept;
};

void TailBitingCode::Impl::step(const float* in, std::array<std::uint8_t, kStates>& choice) noexcept {
    alignas(64) std::array<float, kHalf> branch;
    for (std::size_t j = 0; j < kHalf; ++j) {
        branch[j] = in[0] * kSign[0][j] + in[1] * kSign[1][j] + in[2] * kSign[2][j] + in[3] * kSign[3][j];
    }
    for (std::size_t j = 0; j < kHalf; ++j) {
        const float low = metric[j];
        const float high = metric[j + kHalf];
        const float zero_low = low + branch[j];
        const float zero_high = high - branch[j];
        const float one_low = low - branch[j];
        const float one_high = high + branch[j];
        next[2 * j] = std::max(zero_low, zero_high);
        next[2 * j + 1] = std::max(one_low, one_high);
        choice[2 * j] = zero_high > zero_low ? 1 : 0;
        choice[2 * j + 1] = one_high > one_low ? 1 : 0;
    }
    metric = next;
}

/// Fills `word` along the best path into `end`; returns the state it starts from.
std::size_t TailBitingCode::Impl::trace_back(std::size_t n, std::size_t end) noexcept {
    std::size_t state = end;
    for (std::size_t t = n; t-- > 0;) {
        word[t] = static_cast<std::uint8_t>(state & 1U);
        state = (state >> 1) | (from_high[t][state] != 0 ? kHalf : 0);
    }
    return state;
}

/// Once around the circle from the metrics as they are; afterwards the largest is 0.
void TailBitingCode::Impl::go_round(std::size_t n) noexcept {
    for (std::size_t t = 0; t < n; ++t) step(llr.data() + kOut * t, from_high[t]);
    const float top = *std::max_element(metric.begin(), metric.end());
    for (float& m : metric) m -= top;
}

/// `word` with its metric as a word of the code.
void TailBitingCode::Impl::keep_word(std::size_t n, Word& out) noexcept {
    out.bits = word;
    std::array<std::uint8_t, kOut * kMaxBits> coded;
    encode({word.data(), n}, {coded.data(), kOut * n});
    out.metric = 0.0F;
    for (std::size_t i = 0; i < kOut * n; ++i) out.metric += coded[i] != 0 ? -llr[i] : llr[i];
}

TailBitingCode::TailBitingCode() : impl_(std::make_unique<Impl>()) {}
TailBitingCode::~TailBitingCode() = default;
TailBitingCode::TailBitingCode(TailBitingCode&&) noexcept = default;
TailBitingCode& TailBitingCode::operator=(TailBitingCode&&) noexcept = default;

void TailBitingCode::encode(std::span<const std::uint8_t> bits, std::span<std::uint8_t> coded) noexcept {
    assert(bits.size() >= kMinBits && bits.size() <= kMaxBits && coded.size() == kOut * bits.size());
    std::size_t state = 0;
    for (std::size_t i = bits.size() - kMemory; i < bits.size(); ++i) state = (state << 1) | (bits[i] & 1U);
    for (std::size_t i = 0; i < bits.size(); ++i) {
        const std::size_t reg = (state << 1) | (bits[i] & 1U);
        for (std::size_t o = 0; o < kOut; ++o) {
            coded[kOut * i + o] = static_cast<std::uint8_t>(tap_parity(reg, kGenerators[o]));
        }
        state = reg & (kStates - 1);
    }
}

TailBitingCode::Outcome TailBitingCode::decode(std::span<const float> llr, std::span<std::uint8_t> bits,
                                               const Options& options) noexcept {
    const std::size_t n = bits.size();
    assert(n >= kMinBits && n <= kMaxBits && llr.size() == kOut * n);
    Impl& d = *impl_;
    // Limited so that sums over a block stay exact enough whatever comes in.
    float largest = 0.0F;
    for (std::size_t i = 0; i < llr.size(); ++i) {
        d.llr[i] = std::isfinite(llr[i]) ? llr[i] : 0.0F;
        largest = std::max(largest, std::fabs(d.llr[i]));
    }
    const float scale = largest > 1e6F ? 1e6F / largest : 1.0F;
    for (std::size_t i = 0; i < llr.size(); ++i) d.llr[i] *= scale;

    const unsigned limit = std::clamp(options.max_candidates, 1U, kMaxCandidates);
    const unsigned wraps = std::clamp(options.max_wraps, 2U, 8U);
    d.metric.fill(0.0F);
    for (unsigned wrap = 0; wrap < wraps; ++wrap) d.go_round(n);

    Outcome outcome;
    const auto accept = [&](const Word& word) {
        ++outcome.candidates;
        outcome.metric = word.metric;
        std::copy_n(word.bits.begin(), n, bits.begin());
        outcome.accepted = options.check == nullptr || options.check(bits, options.context);
        return outcome.accepted;
    };

    // The best way into the end of the last round. If it starts where it ends it is a word, and nearly always the best.
    std::array<std::uint8_t, kStates> ends;
    for (std::size_t s = 0; s < kStates; ++s) ends[s] = static_cast<std::uint8_t>(s);
    std::partial_sort(ends.begin(), ends.begin() + kEnds, ends.end(), [&](std::uint8_t a, std::uint8_t b) {
        return d.metric[a] != d.metric[b] ? d.metric[a] > d.metric[b] : a < b;
    });
    if (d.trace_back(n, ends[0]) == ends[0]) {
        d.keep_word(n, d.words[0]);
        if (accept(d.words[0]) || limit == 1) return outcome;
    }

    // States the circle may pass at its start: where the best ways came from (they have seen evidence on both sides of
    // it), then their ends.
    std::array<std::uint8_t, 2 * kEnds> starts;
    std::size_t count = 0;
    const auto add = [&](std::size_t state) {
        const auto s = static_cast<std::uint8_t>(state);
        if (std::find(starts.begin(), starts.begin() + static_cast<std::ptrdiff_t>(count), s) ==
            starts.begin() + static_cast<std::ptrdiff_t>(count)) {
            starts[count++] = s;
        }
    };
    for (std::size_t i = 0; i < kEnds; ++i) add(d.trace_back(n, ends[i]));
    for (std::size_t i = 0; i < kEnds; ++i) add(ends[i]);
    count = std::min<std::size_t>(count, limit + 1);
    std::array<const Word*, kMaxCandidates + 1> order{};
    for (std::size_t i = 0; i < count; ++i) {
        d.metric.fill(kImpossible);
        d.metric[starts[i]] = 0.0F;
        d.go_round(n);
        d.trace_back(n, starts[i]);
        d.keep_word(n, d.words[i + 1]);
        order[i] = &d.words[i + 1];
    }
    // Equal ones as they came, without the memory a stable sort takes.
    std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
              [](const Word* a, const Word* b) { return a->metric > b->metric || (a->metric == b->metric && a < b); });
    const bool had_first = outcome.candidates != 0;
    for (std::size_t i = 0; i < count && outcome.candidates < limit; ++i) {
        if (had_first && std::equal(order[i]->bits.begin(), order[i]->bits.begin() + static_cast<std::ptrdiff_t>(n),
                                    d.words[0].bits.begin())) {
            continue;
        }
        if (accept(*order[i])) return outcome;
    }
    // None passed: hand out the best, for whoever wants to look.
    const Word* best = count != 0 ? order[0] : &d.words[0];
    if (had_first && d.words[0].metric > best->metric) best = &d.words[0];
    std::copy_n(best->bits.begin(), n, bits.begin());
    outcome.metric = best->metric;
    return outcome;
}

}  // namespace meshnet::phy
