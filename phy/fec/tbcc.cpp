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
/// written with the newest bit first, are turned round.
constexpr std::uint32_t tap_parity(std::size_t reg, std::uint32_t generator) noexcept {
    std::uint32_t parity = 0;
    for (std::size_t i = 0; i <= kMemory; ++i) {
        parity ^= static_cast<std::uint32_t>(reg >> i) & (generator >> (kMemory - i)) & 1U;
    }
    return parity;
}

/// kSign[o][j]: +1 if output o of state j (j < 128, oldest bit 0) with input 0 is 0, else -1. All generators have both
/// end taps, so input 1 or oldest bit 1 turns all four outputs round.
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

}  // namespace

struct TailBitingCode::Impl {
    alignas(64) std::array<float, kStates> metric{};
    alignas(64) std::array<float, kStates> next{};
    /// from_high[t][s]: the best way into state s at step t came from the predecessor with oldest bit 1.
    std::array<std::array<std::uint8_t, kStates>, kMaxBits> from_high{};
    std::array<float, kOut * kMaxBits> llr{};
    std::array<std::uint8_t, kMaxBits> word{};

    void step(const float* in, std::array<std::uint8_t, kStates>& choice) noexcept;
    std::size_t trace_back(std::size_t n, std::size_t end) noexcept;
    float word_metric(std::size_t n) noexcept;
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

float TailBitingCode::Impl::word_metric(std::size_t n) noexcept {
    std::array<std::uint8_t, kOut * kMaxBits> coded;
    encode({word.data(), n}, {coded.data(), kOut * n});
    float sum = 0.0F;
    for (std::size_t i = 0; i < kOut * n; ++i) sum += coded[i] != 0 ? -llr[i] : llr[i];
    return sum;
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

    Outcome best;
    bool have_word = false;
    const auto consider = [&](bool tail_biting) {
        ++best.candidates;
        const float metric = d.word_metric(n);
        const bool accepted =
            options.check != nullptr ? options.check({d.word.data(), n}, options.context) : tail_biting;
        if (accepted || !have_word || metric > best.metric) {
            std::copy_n(d.word.begin(), n, bits.begin());
            best.metric = metric;
            have_word = true;
        }
        best.accepted = accepted;
        return accepted;
    };

    const unsigned limit = std::clamp(options.max_candidates, 1U, 16U);
    const unsigned wraps = std::clamp(options.max_wraps, 2U, 8U);
    d.metric.fill(0.0F);
    for (unsigned wrap = 1; wrap <= wraps; ++wrap) {
        for (std::size_t t = 0; t < n; ++t) d.step(d.llr.data() + kOut * t, d.from_high[t]);
        const float top = *std::max_element(d.metric.begin(), d.metric.end());
        for (float& m : d.metric) m -= top;
        if (wrap == 1) continue;  // the first time round only finds out where to start
        std::array<std::uint8_t, kStates> order;
        for (std::size_t s = 0; s < kStates; ++s) order[s] = static_cast<std::uint8_t>(s);
        const auto by_metric = [&](std::uint8_t a, std::uint8_t b) {
            return d.metric[a] != d.metric[b] ? d.metric[a] > d.metric[b] : a < b;
        };
        const bool last = wrap == wraps;
        // The best end state decides whether the circle has closed; if not, go round again before trying others.
        std::partial_sort(order.begin(), order.begin() + 16, order.end(), by_metric);
        const bool closed = d.trace_back(n, order[0]) == order[0];
        if (closed && best.candidates == 0 && consider(true)) return best;
        if (!closed && !last) continue;
        for (std::size_t i = closed ? 1 : 0; i < 16 && best.candidates < limit; ++i) {
            const bool bites = d.trace_back(n, order[i]) == order[i];
            if ((bites || last) && consider(bites)) return best;
        }
        if (best.candidates >= limit) break;
    }
    return best;
}

}  // namespace meshnet::phy
