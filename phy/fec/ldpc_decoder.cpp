// SPDX-License-Identifier: MIT
#include "phy/fec/ldpc_decoder.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/target_clones.hpp"
#include "phy/fec/ldpc_kernel.hpp"
#include "phy/fec/ldpc_tables.hpp"

namespace meshnet::phy {

namespace {

using ldpc::CheckRule;
using ldpc::Edge;
using ldpc::kPad;
using ldpc::Layer;
using ldpc_tables::kEntries;

constexpr std::size_t kHighRateCols = LdpcCode::kInfoCols + LdpcCode::kCoreRows;
constexpr std::size_t kExtensionRows = LdpcCode::kRows - LdpcCode::kCoreRows;
constexpr std::size_t kStride = (LdpcCode::kMaxZ + 63) / 64 * 64 + kPad;  // every buffer starts on a cache line
constexpr std::size_t kWords = (LdpcCode::kMaxZ + 63) / 64;
constexpr std::int8_t kKnown = 127;    // posterior of a filler bit
constexpr float kLargestInput = 1e4F;  // a larger LLR carries no more information
/// Less than the largest message, 48 - 51 / 8 = 42, so that the graph can overrule any one received value. Both well
/// below 127: a posterior at the limit forgets what it was made of, and columns with many checks then lose their sign
/// when messages vary.
constexpr float kLargestChannel = 40.0F;

/// Rows per first entry: kRowStart[r]..kRowStart[r + 1] are the entries of row r.
constexpr auto kRowStart = [] {
    std::array<std::size_t, LdpcCode::kRows + 1> start{};
    std::size_t e = 0;
    for (std::size_t r = 0; r < LdpcCode::kRows; ++r) {
        start[r] = e;
        while (e < kEntries.size() && kEntries[e].row == r) ++e;
    }
    start[LdpcCode::kRows] = e;
    return start;
}();

/// Finer steps would do the checks good, but the columns with most checks, whose posteriors run into the limits of
/// int8, harm: error floor. docs/notes/ldpc.md.
constexpr float kLargestGain = 2.8F;

const ldpc::Kernel* kernel_of(LdpcDecoder::Isa isa) noexcept {
    switch (isa) {
        case LdpcDecoder::Isa::kAvx512:
            return ldpc::avx512_kernel();
        case LdpcDecoder::Isa::kAvx2:
            return ldpc::avx2_kernel();
        default:
            return &ldpc::generic_kernel();
    }
}

/// NaN -> 0, everything else into +-kLargestInput.
float gate(float x) noexcept {
    const float limited = std::min(std::max(x, -kLargestInput), kLargestInput);
    return x == x ? limited : 0.0F;
}

/// |gate(x)|, on the bits: floats without sign are ordered like integers. Compilers make vectors of it.
float gated_magnitude(float x) noexcept {
    constexpr std::int32_t kInfinity = 0x7F800000;
    constexpr auto kLimit = std::bit_cast<std::int32_t>(kLargestInput);
    std::int32_t bits = std::bit_cast<std::int32_t>(x) & 0x7FFFFFFF;
    bits = bits > kInfinity ? 0 : bits;
    bits = bits < kLimit ? bits : kLimit;
    return std::bit_cast<float>(bits);
}

/// Reverses the order of bits within each of the eight bytes.
std::uint64_t reverse_in_bytes(std::uint64_t w) noexcept {
    w = ((w >> 1) & 0x5555555555555555ULL) | ((w & 0x5555555555555555ULL) << 1);
    w = ((w >> 2) & 0x3333333333333333ULL) | ((w & 0x3333333333333333ULL) << 2);
    return ((w >> 4) & 0x0F0F0F0F0F0F0F0FULL) | ((w & 0x0F0F0F0F0F0F0F0FULL) << 4);
}

}  // namespace

struct LdpcDecoder::Impl {
    template <std::size_t N>
    struct alignas(64) Buffer {
        std::array<std::int8_t, N * kStride> data{};
        std::int8_t* at(std::size_t i) noexcept { return data.data() + i * kStride; }
    };

    Isa isa = Isa::kGeneric;
    const ldpc::Kernel* kernel = nullptr;
    std::optional<LdpcCode> code;  // what `edges` was made for

    Buffer<kHighRateCols> posterior;
    Buffer<kExtensionRows> extension;
    Buffer<kEntries.size()> message;
    Buffer<kHighRateCols> scratch;
    std::array<std::int8_t, LdpcCode::kMaxMotherBits> quantised{};

    std::array<Edge, kEntries.size()> edges{};
    std::array<std::size_t, LdpcCode::kRows + 1> edge_start{};
    std::array<bool, kExtensionRows> active{};
    std::array<std::array<std::uint64_t, kWords>, kHighRateCols> bits{};
    std::array<bool, kHighRateCols> packed{};
    std::array<std::uint8_t, LdpcCode::kMaxInfoBits / 8> info{};
    std::array<std::uint8_t, LdpcCode::kMaxInfoBits / 8> previous_info{};
    std::size_t info_bits = 0;
    CheckRule rule;

    void choose_rule(float steps_per_llr) noexcept;
    void prepare(const LdpcCode& c) noexcept;
    void load(const LdpcCode& c, std::span<const std::int8_t> llr) noexcept;
    bool iterate(const LdpcCode& c, bool first) noexcept;
    bool core_parity(const LdpcCode& c) noexcept;
    const std::uint64_t* packed_column(std::size_t column, std::size_t z) noexcept;
    void write_info(const LdpcCode& c) noexcept;
    Outcome run(const LdpcCode& c, const Options& options) noexcept;
};

void LdpcDecoder::Impl::choose_rule(float steps_per_llr) noexcept {
    rule.correction.fill(0);
    if (!(steps_per_llr > 0.1F)) return;  // ln 2 times this rounds to 0
    const double g = std::min(steps_per_llr, 4.0F);
    for (std::size_t i = 0; i + 1 < rule.correction.size(); ++i) {
        const double x = static_cast<double>(i) / g;
        rule.correction[i] = static_cast<std::int8_t>(std::lround(g * std::log1p(std::exp(-x))));
    }
}

void LdpcDecoder::Impl::prepare(const LdpcCode& c) noexcept {
    if (code == c) return;
    code = c;
    const std::size_t z = c.z();
    std::size_t n = 0;
    for (std::size_t r = 0; r < LdpcCode::kRows; ++r) {
        edge_start[r] = n;
        for (std::size_t e = kRowStart[r]; e < kRowStart[r + 1]; ++e) {
            const std::size_t column = kEntries[e].col;
            // A column of nothing but filler is known and adds nothing to a check.
            if (column < LdpcCode::kInfoCols && column * z >= c.info_bits()) continue;
            edges[n++] = {posterior.at(column), message.at(e), kEntries[e].shift[c.shift_table()] % z};
        }
    }
    edge_start[LdpcCode::kRows] = n;
}

void LdpcDecoder::Impl::load(const LdpcCode& c, std::span<const std::int8_t> llr) noexcept {
    const std::size_t z = c.z();
    std::size_t next = 0;  // in llr
    const auto take = [&llr, &next](std::int8_t* out, std::size_t count) {
        const std::size_t n = std::min(count, llr.size() - next);
        const std::int8_t* in = llr.data() + next;  // a local copy: stores of bytes may alias anything else
        for (std::size_t i = 0; i < n; ++i) out[i] = std::max<std::int8_t>(in[i], -127);
        std::fill(out + n, out + count, std::int8_t{0});
        next += n;
    };
    for (std::size_t col = 0; col < LdpcCode::kInfoCols; ++col) {
        const std::size_t first = std::min(col * z, c.info_bits());
        const std::size_t count = std::min(z, c.info_bits() - first);
        std::int8_t* out = posterior.at(col);
        if (col < LdpcCode::kPuncturedCols) {
            std::fill(out, out + count, std::int8_t{0});
        } else {
            take(out, count);
        }
        std::fill(out + count, out + z, kKnown);
    }
    for (std::size_t r = 0; r < LdpcCode::kCoreRows; ++r) take(posterior.at(LdpcCode::kInfoCols + r), z);
    for (std::size_t r = 0; r < kExtensionRows; ++r) {
        active[r] = false;
        if (next == llr.size()) continue;
        std::int8_t* out = extension.at(r);
        take(out, z);
        std::fill(out + z, out + z + kPad, std::int8_t{0});
        active[r] = std::any_of(out, out + z, [](std::int8_t v) { return v != 0; });
    }
}

/// One pass over all layers. True if no received extension parity is contradicted.
bool LdpcDecoder::Impl::iterate(const LdpcCode& c, bool first) noexcept {
    const std::size_t z = c.z();
    const std::size_t filler_column = c.info_bits() / z;  // the one that is part filler, if any
    const std::size_t filler_at = c.info_bits() % z;
    bool agrees = true;
    for (std::size_t r = 0; r < LdpcCode::kRows; ++r) {
        const bool core = r < LdpcCode::kCoreRows;
        if (!core && !active[r - LdpcCode::kCoreRows]) continue;
        const std::size_t degree = edge_start[r + 1] - edge_start[r];
        if (degree == 0) continue;
        Layer layer;
        layer.edges = edges.data() + edge_start[r];
        layer.degree = degree;
        layer.extension = core ? nullptr : extension.at(r - LdpcCode::kCoreRows);
        layer.z = z;
        layer.scratch = scratch.at(0);
        layer.scratch_stride = kStride;
        layer.first = first;
        layer.rule = &rule;
        agrees = kernel->update(layer) && agrees;
        if (filler_column < LdpcCode::kInfoCols && filler_at != 0) {
            std::int8_t* column = posterior.at(filler_column);
            std::fill(column + filler_at, column + z, kKnown);
        }
    }
    return agrees;
}

const std::uint64_t* LdpcDecoder::Impl::packed_column(std::size_t column, std::size_t z) noexcept {
    if (!packed[column]) {
        kernel->pack_signs(posterior.at(column), z, bits[column].data());
        packed[column] = true;
    }
    return bits[column].data();
}

/// True if the hard decisions are a code word of the core. Stops at the first check row that fails.
bool LdpcDecoder::Impl::core_parity(const LdpcCode& c) noexcept {
    packed.fill(false);
    const std::size_t z = c.z();
    const std::size_t words = (z + 63) / 64;
    for (std::size_t r = 0; r < LdpcCode::kCoreRows; ++r) {
        std::array<std::uint64_t, kWords + 1> sum{};
        for (std::size_t e = edge_start[r]; e < edge_start[r + 1]; ++e) {
            const auto column = static_cast<std::size_t>(edges[e].posterior - posterior.at(0)) / kStride;
            const std::uint64_t* in = packed_column(column, z);
            // sum[i] ^= in[(i + shift) mod z]: the bits from `shift` to the front, those before it behind them.
            const std::size_t shift = edges[e].shift;
            const auto place = [&](std::size_t from, std::size_t count, std::size_t to) {
                for (std::size_t done = 0; done < count; done += 64) {
                    const std::size_t at = from + done;
                    const std::size_t n = std::min<std::size_t>(64, count - done);
                    std::uint64_t word = in[at / 64] >> (at % 64);
                    if (at % 64 != 0 && at / 64 + 1 < words) word |= in[at / 64 + 1] << (64 - at % 64);
                    if (n < 64) word &= (std::uint64_t{1} << n) - 1;
                    const std::size_t out = to + done;
                    sum[out / 64] ^= word << (out % 64);
                    if (out % 64 != 0) sum[out / 64 + 1] ^= word >> (64 - out % 64);
                }
            };
            place(shift, z - shift, 0);
            place(0, shift, z - shift);
        }
        if (std::any_of(sum.begin(), sum.end(), [](std::uint64_t w) { return w != 0; })) return false;
    }
    return true;
}

void LdpcDecoder::Impl::write_info(const LdpcCode& c) noexcept {
    info_bits = c.info_bits();
    const std::size_t z = c.z();
    const std::size_t bytes = (info_bits + 7) / 8;
    for (std::size_t column = 0; column < LdpcCode::kInfoCols && column * z < info_bits; ++column) {
        const std::uint64_t* in = packed_column(column, z);
        for (std::size_t i = 0; i < z / 8; i += 8) {
            const std::size_t at = column * z / 8 + i;
            if (at >= bytes) break;
            const std::uint64_t word = reverse_in_bytes(in[i / 8]);
            const std::size_t n = std::min({std::size_t{8}, z / 8 - i, bytes - at});
            for (std::size_t b = 0; b < n; ++b) info[at + b] = static_cast<std::uint8_t>(word >> (8 * b));
        }
    }
    if (info_bits % 8 != 0) {
        info[bytes - 1] = static_cast<std::uint8_t>(info[bytes - 1] & (0xFFU << (8 - info_bits % 8)));
    }
}

LdpcDecoder::Outcome LdpcDecoder::Impl::run(const LdpcCode& c, const Options& options) noexcept {
    Outcome outcome;
    const unsigned limit = std::max(1U, options.max_iterations);
    for (unsigned it = 1; it <= limit; ++it) {
        const bool agrees = iterate(c, it == 1);
        outcome.iterations = it;
        outcome.parity_ok = core_parity(c);
        if (options.check == nullptr) {
            outcome.accepted = outcome.parity_ok && agrees;
        } else {
            // A few parity bits may stay wrong long after the information is right, so information that has come to
            // rest is checked, too.
            write_info(c);
            const std::size_t bytes = (info_bits + 7) / 8;
            const bool at_rest = it > 1 && std::equal(info.begin(), info.begin() + static_cast<std::ptrdiff_t>(bytes),
                                                      previous_info.begin());
            outcome.accepted =
                (outcome.parity_ok || at_rest) && options.check({info.data(), bytes}, options.check_context);
            previous_info = info;
        }
        if (outcome.accepted) break;
    }
    write_info(c);
    return outcome;
}

LdpcDecoder::LdpcDecoder(Isa isa) : impl_(std::make_unique<Impl>()) {
    for (const Isa candidate : {Isa::kAvx512, Isa::kAvx2, Isa::kGeneric}) {
        const bool wanted = isa == Isa::kBest || static_cast<int>(candidate) <= static_cast<int>(isa);
        const ldpc::Kernel* kernel = wanted ? kernel_of(candidate) : nullptr;
        if (kernel != nullptr) {
            impl_->isa = candidate;
            impl_->kernel = kernel;
            break;
        }
    }
}

LdpcDecoder::~LdpcDecoder() = default;
LdpcDecoder::LdpcDecoder(LdpcDecoder&&) noexcept = default;
LdpcDecoder& LdpcDecoder::operator=(LdpcDecoder&&) noexcept = default;

namespace {

/// Steps of int8 per unit of LLR that give `llr` the mean magnitude the decoder works best with.
MESHNET_TARGET_CLONES float gain_for(std::span<const float> llr) noexcept {
    // Sixteen sums in a fixed order: the same gain whatever the compiler makes of the loop.
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> sums{};
    std::array<std::uint32_t, kLanes> counts{};
    const std::size_t whole = llr.size() / kLanes * kLanes;
    for (std::size_t i = 0; i < whole; i += kLanes) {
        for (std::size_t j = 0; j < kLanes; ++j) {
            const float x = gated_magnitude(llr[i + j]);
            sums[j] += x;
            counts[j] += x != 0.0F ? 1U : 0U;
        }
    }
    for (std::size_t i = whole; i < llr.size(); ++i) {
        const float x = gated_magnitude(llr[i]);
        sums[i - whole] += x;
        counts[i - whole] += x != 0.0F ? 1U : 0U;
    }
    double sum = 0.0;
    double count = 0.0;
    for (std::size_t j = 0; j < kLanes; ++j) {
        sum += static_cast<double>(sums[j]);
        count += static_cast<double>(counts[j]);
    }
    // All zero: any gain will do.
    const double gain = sum > 0.0 ? static_cast<double>(LdpcDecoder::kMeanMagnitude) * count / sum : 1.0;
    return static_cast<float>(std::min(gain, static_cast<double>(kLargestGain)));
}

MESHNET_TARGET_CLONES void quantise(std::span<const float> llr, float factor, std::span<std::int8_t> out) noexcept {
    const float* in = llr.data();
    std::int8_t* to = out.data();
    const std::size_t n = llr.size();
    for (std::size_t i = 0; i < n; ++i) {
        const float x = std::min(std::max(gate(in[i]) * factor, -kLargestChannel), kLargestChannel);
        to[i] = static_cast<std::int8_t>(static_cast<int>(x + (x < 0.0F ? -0.5F : 0.5F)));
    }
}

}  // namespace

LdpcDecoder::Outcome LdpcDecoder::decode(const LdpcCode& code, std::span<const float> llr,
                                         const Options& options) noexcept {
    assert(llr.size() <= code.mother_bits());
    const float factor = gain_for(llr);
    const std::span<std::int8_t> quantised(impl_->quantised.data(), llr.size());
    quantise(llr, factor, quantised);
    return decode_int8(code, quantised, factor, options);
}

LdpcDecoder::Outcome LdpcDecoder::decode_int8(const LdpcCode& code, std::span<const std::int8_t> llr,
                                              float steps_per_llr, const Options& options) noexcept {
    assert(llr.size() <= code.mother_bits());
    impl_->choose_rule(steps_per_llr);
    impl_->prepare(code);
    impl_->load(code, llr);
    return impl_->run(code, options);
}

std::span<const std::uint8_t> LdpcDecoder::info_bytes() const noexcept {
    return {impl_->info.data(), (impl_->info_bits + 7) / 8};
}

void LdpcDecoder::info_bits(std::span<std::uint8_t> out) const noexcept {
    assert(out.size() == impl_->info_bits);
    for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = static_cast<std::uint8_t>((impl_->info[i / 8] >> (7 - i % 8)) & 1U);
    }
}

LdpcDecoder::Isa LdpcDecoder::isa() const noexcept {
    return impl_->isa;
}

}  // namespace meshnet::phy
