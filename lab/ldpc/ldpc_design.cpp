// SPDX-License-Identifier: MIT
// Designs the LDPC family and prints phy/fec/ldpc_tables.hpp. Same arguments, same table.
//
//     protograph (annealed on density-evolution thresholds) -> circulant shifts (cycles and ACE) -> C++ table
//
// Usage: ldpc_design SEED EVALUATIONS > phy/fec/ldpc_tables.hpp      (progress on standard error)
//
// docs/spec/ldpc_graph.txt holds the same numbers for readers of the specification; phy_vectors_test compares them.
//        ldpc_design --lift SEED < base_graph.txt > ...              (keep a protograph, new shifts only)
//
// What is fixed by hand, and why, is in docs/notes/ldpc.md. What is searched: which of the 20 high-rate columns each
// check touches, and all shifts.
//
// Sources: S.-Y. Chung, "On the construction of some capacity-approaching coding schemes", MIT thesis (2000):
//          reciprocal-channel approximation of density evolution.
//          F. Braennstroem, L. K. Rasmussen, A. J. Grant, "Convergence analysis and optimal scheduling for multiple
//          concatenated codes", IEEE Trans. Inf. Theory 51 (2005): closed form of the J function.
//          T.-Y. Chen, K. Vakilinia, D. Divsalar, R. D. Wesel, "Protograph-based Raptor-like LDPC codes",
//          IEEE Trans. Commun. 63 (2015): nested design, rate by rate.
//          T. Tian, C. Jones, J. D. Villasenor, R. D. Wesel, "Selective avoidance of cycles in irregular LDPC code
//          construction", IEEE Trans. Commun. 52 (2004): ACE.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "core/random.hpp"

namespace {

constexpr int kInfoCols = 16;  // the first two are never sent
constexpr int kPunctured = 2;
constexpr int kCoreRows = 4;
constexpr int kHighRateCols = kInfoCols + kCoreRows;
constexpr int kExtensionRows = 62;  // 16 / (18 + 62) = 1/5
constexpr int kRows = kCoreRows + kExtensionRows;
// Integer messages saturate at columns with very many checks, and so does the gain from more of them.
constexpr int kMaxPuncturedDegree = 36;
constexpr int kMaxDegree = 18;
constexpr int kCloseRow = 1;  // middle entry of the closing (weight 3) parity column

// ---------------------------------------------------------------------------------------------------------------
// Density evolution.

double j_function(double mean) {  // mutual information of a consistent Gaussian LLR of this mean
    return std::pow(1.0 - std::exp2(-0.3073 * std::pow(2.0 * mean, 0.8935)), 1.1064);
}

double j_inverse(double info) {
    return 0.5 * std::pow(-std::log2(1.0 - std::pow(info, 1.0 / 1.1064)) / 0.3073, 1.0 / 0.8935);
}

/// m -> R(m) with J(m) + J(R(m)) = 1, by a table over the bits of the float: 512 steps an octave.
class Reciprocal {
public:
    Reciprocal() {
        for (std::size_t i = 0; i < table_.size(); ++i) {
            const float m = std::bit_cast<float>(static_cast<std::uint32_t>((i << kShift) + kLow));
            table_[i] = static_cast<float>(exact(m));
        }
    }
    float operator()(float m) const {
        if (m <= std::bit_cast<float>(kLow)) return table_.front();
        const std::uint32_t bits = std::bit_cast<std::uint32_t>(m) - kLow;
        const std::size_t i = bits >> kShift;
        if (i + 1 >= table_.size()) return table_.back();
        const float t = static_cast<float>(bits & ((1U << kShift) - 1)) * (1.0F / static_cast<float>(1U << kShift));
        return table_[i] + t * (table_[i + 1] - table_[i]);
    }

private:
    static double exact(double m) {
        const double info = j_function(m);
        const double rest = 1.0 - info;
        if (rest > 1e-13) return std::max(j_inverse(rest), 1e-7);
        return 1e-7;
    }
    static constexpr std::uint32_t kLow = 0x34000000U;   // 1.2e-7
    static constexpr std::uint32_t kHigh = 0x43800000U;  // 256
    static constexpr unsigned kShift = 14;
    std::array<float, ((kHigh - kLow) >> kShift) + 1> table_{};
};

const Reciprocal kReciprocal;

/// The searched part: a[r] has bit c set if check r touches column c < 20. Extension parities are implied.
using Graph = std::array<std::uint32_t, kRows>;

constexpr std::uint32_t bit(int c) {
    return 1U << c;
}

/// Parity part of the core: accumulator columns 17..19 and the closing column 16.
constexpr std::uint32_t core_parity(int r) {
    std::uint32_t m = 0;
    if (r == 0 || r == kCloseRow || r == kCoreRows - 1) m |= bit(kInfoCols);
    for (int c = kInfoCols + 1; c < kHighRateCols; ++c) {
        const int top = c - kInfoCols - 1;
        if (r == top || r == top + 1) m |= bit(c);
    }
    return m;
}

/// True if layered density evolution with `extension` extension rows converges within `iterations` at this channel
/// (mean of the channel LLR).
bool converges(const Graph& g, int extension, int iterations, float channel) {
    constexpr float kTarget = 45.0F;
    std::array<float, kHighRateCols> post{};
    for (int c = kPunctured; c < kHighRateCols; ++c) post[static_cast<std::size_t>(c)] = channel;
    static thread_local std::array<std::array<float, kHighRateCols>, kRows> message;
    const int rows = kCoreRows + extension;
    for (int r = 0; r < rows; ++r) message[static_cast<std::size_t>(r)].fill(0.0F);
    const float channel_r = kReciprocal(channel);
    float last = 0.0F;
    for (int it = 0; it < iterations; ++it) {
        for (int r = 0; r < rows; ++r) {
            auto& msg = message[static_cast<std::size_t>(r)];
            std::array<float, kHighRateCols> in;
            std::array<float, kHighRateCols> rec;
            std::array<int, kHighRateCols> col;
            int d = 0;
            float sum = r < kCoreRows ? 0.0F : channel_r;
            for (std::uint32_t m = g[static_cast<std::size_t>(r)]; m != 0; m &= m - 1) {
                const int c = std::countr_zero(m);
                const auto u = static_cast<std::size_t>(c);
                const auto k = static_cast<std::size_t>(d++);
                col[k] = c;
                in[k] = std::max(post[u] - msg[u], 0.0F);
                rec[k] = kReciprocal(in[k]);
                sum += rec[k];
            }
            for (int k = 0; k < d; ++k) {
                const auto i = static_cast<std::size_t>(k);
                const auto u = static_cast<std::size_t>(col[i]);
                msg[u] = kReciprocal(std::max(sum - rec[i], 1e-7F));
                post[u] = std::min(in[i] + msg[u], 250.0F);
            }
        }
        float low = 1e9F;
        float total = 0.0F;
        for (int c = 0; c < kInfoCols; ++c) {
            low = std::min(low, post[static_cast<std::size_t>(c)]);
            total += std::min(post[static_cast<std::size_t>(c)], kTarget);
        }
        if (low >= kTarget) return true;
        if (it > 2 && total < last * 1.0005F) return false;
        last = total;
    }
    return false;
}

/// Es/N0 in dB (BPSK) of capacity at this rate, by the same J function.
double capacity_db(double rate) {
    return 10.0 * std::log10(j_inverse(rate) / 4.0);
}

struct Target {
    int extension;  // rows in use
    double weight;
};
constexpr std::array<Target, 11> kTargets = {{{0, 1.0},
                                              {1, 1.0},
                                              {3, 1.2},
                                              {6, 1.0},
                                              {10, 0.8},
                                              {14, 1.6},
                                              {22, 0.8},
                                              {30, 1.2},
                                              {38, 0.6},
                                              {46, 0.8},
                                              {62, 1.4}}};
constexpr int kIterations = 30;

double rate_of(int extension) {
    return static_cast<double>(kInfoCols) / static_cast<double>(kInfoCols - kPunctured + kCoreRows + extension);
}

/// Gap of the threshold to capacity, dB, to 0.004 dB, or 9 if it never converges below 6 dB.
double gap_db(const Graph& g, int extension, double guess) {
    const double cap = capacity_db(rate_of(extension));
    const auto ok = [&](double gap) {
        return converges(g, extension, kIterations, static_cast<float>(4.0 * std::pow(10.0, (cap + gap) / 10.0)));
    };
    double low = std::max(0.0, guess - 0.05);
    double high = guess + 0.05;
    double step = 0.1;
    while (!ok(high)) {
        low = high;
        high += step;
        step *= 2.0;
        if (high > 6.0) return 9.0;
    }
    step = 0.1;
    while (low > 0.0 && ok(low)) {
        high = low;
        low = std::max(0.0, low - step);
        step *= 2.0;
    }
    while (high - low > 0.004) {
        const double mid = 0.5 * (low + high);
        (ok(mid) ? high : low) = mid;
    }
    return high;
}

struct Score {
    double total = 1e9;
    std::array<double, kTargets.size()> gap{};
};

/// Weighted gaps plus a price per edge (speed, and dense short graphs). Only targets >= `from` rows can have changed.
Score score(const Graph& g, const Score& before, int changed_row, double give_up) {
    Score s = before;
    double total = 0.0;
    int edges = 0;
    for (const std::uint32_t row : g) edges += std::popcount(row);
    total += 0.0012 * edges;
    for (std::size_t i = 0; i < kTargets.size(); ++i) {
        if (kTargets[i].extension + kCoreRows > changed_row) {
            s.gap[i] = gap_db(g, kTargets[i].extension, before.gap[i]);
        }
        total += kTargets[i].weight * s.gap[i] * (1.0 + s.gap[i]);
        if (total > give_up) break;
    }
    s.total = total;
    return s;
}

int column_degree(const Graph& g, int c) {
    int d = 0;
    for (const std::uint32_t row : g) d += static_cast<int>((row >> c) & 1U);
    return d;
}

/// The rules of docs/notes/ldpc.md that density evolution of infinite graphs and real numbers does not know.
bool allowed(const Graph& g, int r) {
    for (int c = 0; c < kHighRateCols; ++c) {
        if (column_degree(g, c) > (c < kPunctured ? kMaxPuncturedDegree : kMaxDegree)) return false;
    }
    if (r < kCoreRows) {
        for (int c = 0; c < kInfoCols; ++c) {
            int w = 0;
            for (int i = 0; i < kCoreRows; ++i) w += static_cast<int>((g[static_cast<std::size_t>(i)] >> c) & 1U);
            if (w < 3) return false;
        }
        return true;
    }
    const std::uint32_t row = g[static_cast<std::size_t>(r)];
    return std::popcount(row) >= 2 && (r == kCoreRows || (row & 3U) != 3U);
}

Graph first_guess(meshnet::Rng& rng) {
    Graph g{};
    for (int r = 0; r < kCoreRows; ++r) {
        auto& row = g[static_cast<std::size_t>(r)];
        row = core_parity(r);
        for (int c = 0; c < kInfoCols; ++c) {
            if (c < kPunctured ? !(c == 1 && r == 1) : c % kCoreRows != r) row |= bit(c);
        }
    }
    for (int r = kCoreRows; r < kRows; ++r) {
        auto& row = g[static_cast<std::size_t>(r)];
        const int e = r - kCoreRows;
        const int degree = e == 0 ? 3 : e < 8 ? 8 : e < 16 ? 6 : e < 30 ? 5 : 4;
        row = e == 0 ? bit(0) | bit(1) : bit(e % 2);
        while (std::popcount(row) < degree) {
            const int c = kPunctured + static_cast<int>(rng.below(kHighRateCols - kPunctured));
            if (column_degree(g, c) < kMaxDegree) row |= bit(c);
        }
    }
    return g;
}

Graph anneal(std::uint64_t seed, long evaluations) {
    meshnet::Rng rng(seed);
    Graph g = first_guess(rng);
    Score initial;
    initial.gap.fill(0.5);
    Score now = score(g, initial, 0, 1e9);
    Graph best = g;
    Score best_score = now;
    for (long n = 0; n < evaluations; ++n) {
        const double progress = static_cast<double>(n) / static_cast<double>(evaluations);
        const double temperature = 0.03 * std::pow(1.0 - progress, 2.0) + 1e-5;
        Graph next = g;
        // Early rows matter for every rate, so they are tried more often.
        const double u = rng.uniform();
        const int r = static_cast<int>(static_cast<double>(kRows) * std::pow(u, 1.3));
        auto& row = next[static_cast<std::size_t>(r)];
        const int cols = r < kCoreRows ? kInfoCols : kHighRateCols;
        const int c = static_cast<int>(rng.below(static_cast<std::uint64_t>(cols)));
        row ^= bit(c);
        if (rng.uniform() < 0.6) {  // move an edge instead of adding or removing one
            const int d = static_cast<int>(rng.below(static_cast<std::uint64_t>(cols)));
            if (((row >> d) & 1U) == ((row >> c) & 1U)) row ^= bit(d);
        }
        if (r >= kCoreRows && rng.uniform() < 0.1) {  // or swap two rows: the order is the rate at which they come
            const auto q = static_cast<std::size_t>(kCoreRows) + rng.below(kExtensionRows);
            std::swap(row, next[q]);
            if (!allowed(next, static_cast<int>(q))) continue;
            const Score s = score(next, now, std::min(r, static_cast<int>(q)), 1e9);
            if (s.total < now.total - temperature * std::log(1.0 - rng.uniform() + 1e-12)) {
                g = next;
                now = s;
            }
            continue;
        }
        if (row == g[static_cast<std::size_t>(r)] || !allowed(next, r)) continue;
        const double limit = now.total - temperature * std::log(1.0 - rng.uniform() + 1e-12);
        const Score s = score(next, now, r, limit);
        if (s.total <= limit) {
            g = next;
            now = s;
            if (now.total < best_score.total) {
                best = g;
                best_score = now;
            }
        }
        if (n % 2000 == 0) {
            std::fprintf(stderr, "%8ld total %.4f best %.4f gaps", n, now.total, best_score.total);
            for (const double x : best_score.gap) std::fprintf(stderr, " %.2f", x);
            std::fprintf(stderr, "\n");
        }
    }
    std::fprintf(stderr, "best %.4f gaps", best_score.total);
    for (const double x : best_score.gap) std::fprintf(stderr, " %.3f", x);
    std::fprintf(stderr, "\n");
    return best;
}

// ---------------------------------------------------------------------------------------------------------------
// Lifting.

constexpr int kGroups = 4;
constexpr std::array<int, kGroups> kGroupLast = {64, 136, 264, 528};  // largest Z of each shift table
constexpr int kStep = 8;

struct Shifts {
    std::array<std::array<int, kHighRateCols>, kRows> value;  // -1 where there is no edge or it is not placed yet
};

class Lifter {
public:
    Lifter(const Graph& g, int first_z, int last_z) : graph_(g), last_z_(last_z) {
        for (auto& row : s_.value) row.fill(-1);
        for (int z = first_z; z <= last_z; z += kStep) zs_.push_back(z);
    }

    /// Places every edge where it closes the cheapest cycles, then places each again with all others standing.
    Shifts run(meshnet::Rng& rng, int passes) {
        for (int pass = 0; pass < passes; ++pass) {
            double cost = 0.0;
            for (int r = 0; r < kRows; ++r) {
                for (int c = 0; c < kHighRateCols; ++c) {
                    if (((graph_[static_cast<std::size_t>(r)] >> c) & 1U) == 0) continue;
                    cost += place(r, c, rng, pass == 0 ? r : kRows - 1);
                }
            }
            std::fprintf(stderr, "lift Z <= %d pass %d cost %.1f\n", last_z_, pass, cost);
        }
        return s_;
    }

private:
    int& at(int r, int c) { return s_.value[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)]; }
    bool placed(int r, int c) { return at(r, c) >= 0; }

    /// Column degree as a decoder using rows 0..last sees it.
    int degree(int c, int last) const {
        int d = 0;
        for (int r = 0; r <= last; ++r) d += static_cast<int>((graph_[static_cast<std::size_t>(r)] >> c) & 1U);
        return d;
    }

    double place(int r, int c, meshnet::Rng& rng, int horizon) {
        if (c > kInfoCols && r < kCoreRows) {  // accumulator
            at(r, c) = 0;
            return 0.0;
        }
        if (c == kInfoCols && r < kCoreRows && r != 0) {  // closing column: 0 in the middle, the same above and below
            at(r, c) = r == kCloseRow ? 0 : at(0, c);
            return 0.0;
        }
        at(r, c) = -1;
        const auto size = static_cast<std::size_t>(last_z_);
        std::vector<double> cost(size, 0.0);
        for (const int z : zs_) {
            std::vector<double> bins(static_cast<std::size_t>(z), 0.0);
            collect(r, c, z, horizon, bins);
            // Every Z counts alike per edge; bits of one check that meet in the same column are impossible here.
            for (std::size_t s = 0; s < size; ++s) cost[s] += bins[s % static_cast<std::size_t>(z)];
        }
        const double least = *std::min_element(cost.begin(), cost.end());
        std::vector<int> ties;
        for (std::size_t s = 0; s < size; ++s) {
            if (cost[s] <= least * 1.02 + 1e-9) ties.push_back(static_cast<int>(s));
        }
        at(r, c) = ties[rng.below(ties.size())];
        return least;
    }

    /// Adds to bins[s] the price of the cycles of length 4 and 6 that shift s at (r, c) would close for lifting Z.
    void collect(int r, int c, int z, int horizon, std::vector<double>& bins) {
        const auto wrap = [z](int v) { return static_cast<std::size_t>(((v % z) + z) % z); };
        // A cycle's rows decide at which rate it first exists; the degrees that count are those of that rate.
        for (int r1 = 0; r1 <= horizon; ++r1) {
            if (r1 == r || !placed(r1, c)) continue;
            for (int c1 = 0; c1 < kHighRateCols; ++c1) {
                if (c1 == c || !placed(r1, c1)) continue;
                const int walk = at(r1, c) - at(r1, c1);
                if (placed(r, c1)) {
                    const int last = std::max({r, r1, kCoreRows - 1});
                    const int ace = degree_[last][c] + degree_[last][c1] - 4;
                    bins[wrap(walk + at(r, c1))] += 400.0 / (1.0 + ace);
                }
                for (int r2 = 0; r2 <= horizon; ++r2) {
                    if (r2 == r || r2 == r1 || !placed(r2, c1)) continue;
                    const std::uint32_t both =
                        graph_[static_cast<std::size_t>(r2)] & graph_[static_cast<std::size_t>(r)];
                    for (std::uint32_t m = both & ~bit(c) & ~bit(c1); m != 0; m &= m - 1) {
                        const int c2 = std::countr_zero(m);
                        if (!placed(r2, c2) || !placed(r, c2)) continue;
                        const int last = std::max({r, r1, r2, kCoreRows - 1});
                        const int ace = degree_[last][c] + degree_[last][c1] + degree_[last][c2] - 6;
                        bins[wrap(walk + at(r2, c1) - at(r2, c2) + at(r, c2))] += 4.0 / ((1.0 + ace) * (1.0 + ace));
                    }
                }
            }
        }
    }

    Graph graph_;
    int last_z_;
    std::vector<int> zs_;
    Shifts s_;
    std::array<std::array<int, kHighRateCols>, kRows> degree_ = [this] {
        std::array<std::array<int, kHighRateCols>, kRows> d{};
        for (int r = 0; r < kRows; ++r) {
            for (int c = 0; c < kHighRateCols; ++c)
                d[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)] = degree(c, r);
        }
        return d;
    }();
};

// ---------------------------------------------------------------------------------------------------------------

void print_table(const Graph& g, std::uint64_t seed, long evaluations, const std::array<Shifts, kGroups>& shifts) {
    std::size_t edges = 0;
    for (const std::uint32_t row : g) edges += static_cast<std::size_t>(std::popcount(row));
    std::printf("// SPDX-License-Identifier: MIT\n");
    std::printf(
        "// The LDPC family's base graph and shifts. Written by lab/ldpc/ldpc_design.cpp %llu %ld: do not edit.\n//\n",
        static_cast<unsigned long long>(seed), evaluations);
    std::printf(
        "// Row r touches column c with the circulant of shift s[g] mod Z (bit (i + shift) mod Z of the column stands "
        "in\n"
        "// check i), g the shift table of Z. The degree-1 parity column 16 + r of each extension row r >= 4 is "
        "implied\n"
        "// (shift 0). Spec: docs/spec/phy.md. How it was found: docs/notes/ldpc.md.\n");
    std::printf(
        "#pragma once\n\n#include <array>\n#include <cstddef>\n#include <cstdint>\n\nnamespace "
        "meshnet::phy::ldpc_tables {\n\n");
    std::printf(
        "/// One circulant of the high-rate columns.\nstruct Entry {\n    std::uint8_t row;\n    std::uint8_t col;\n"
        "    std::array<std::uint16_t, %d> shift;  ///< by shift table\n};\n\n",
        kGroups);
    std::printf("inline constexpr std::size_t kInfoCols = %d;\ninline constexpr std::size_t kPuncturedCols = %d;\n",
                kInfoCols, kPunctured);
    std::printf("inline constexpr std::size_t kCoreRows = %d;\ninline constexpr std::size_t kRows = %d;\n", kCoreRows,
                kRows);
    std::printf("inline constexpr std::size_t kCloseRow = %d;  ///< middle entry of the closing parity column\n",
                kCloseRow);
    std::printf("inline constexpr std::size_t kZStep = %d;\n\n", kStep);
    std::printf(
        "/// Largest Z of each shift table.\ninline constexpr std::array<std::size_t, %d> kLastZ = {%d, %d, %d, "
        "%d};\n\n",
        kGroups, kGroupLast[0], kGroupLast[1], kGroupLast[2], kGroupLast[3]);
    std::printf(
        "/// By row, then column.\n// clang-format off\ninline constexpr std::array<Entry, %zu> kEntries = {{\n",
        edges);
    for (std::size_t r = 0; r < kRows; ++r) {
        std::printf("   ");
        int n = 0;
        for (std::size_t c = 0; c < kHighRateCols; ++c) {
            if (((g[r] >> c) & 1U) == 0) continue;
            if (n != 0 && n % 5 == 0) std::printf("\n   ");
            ++n;
            std::printf(" {%zu, %zu, {%d, %d, %d, %d}},", r, c, shifts[0].value[r][c], shifts[1].value[r][c],
                        shifts[2].value[r][c], shifts[3].value[r][c]);
        }
        std::printf("\n");
    }
    std::printf("}};\n// clang-format on\n\n}  // namespace meshnet::phy::ldpc_tables\n");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::fprintf(stderr, "usage: ldpc_design SEED EVALUATIONS > phy/fec/ldpc_tables.hpp\n");
        return 2;
    }
    const std::uint64_t seed = std::strtoull(argv[1], nullptr, 10);
    const long evaluations = std::strtol(argv[2], nullptr, 10);
    const Graph g = anneal(seed, evaluations);
    std::array<Shifts, kGroups> shifts{};
    int first = kStep;
    for (std::size_t i = 0; i < kGroups; ++i) {
        meshnet::Rng rng(seed + 1000 + i);
        shifts[i] = Lifter(g, first, kGroupLast[i]).run(rng, 3);
        first = kGroupLast[i] + kStep;
    }
    print_table(g, seed, evaluations, shifts);
    return 0;
}
