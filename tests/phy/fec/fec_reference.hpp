// SPDX-License-Identifier: MIT
// What the tests compare against: the parity-check matrix bit by bit from the table, and sum-product in double
// precision.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.hpp"
#include "phy/fec/ldpc_code.hpp"
#include "phy/fec/ldpc_tables.hpp"

namespace meshnet::phy::reference {

inline std::vector<std::uint8_t> random_bits(Rng& rng, std::size_t n) {
    std::vector<std::uint8_t> bits(n);
    for (auto& b : bits) b = static_cast<std::uint8_t>(rng.next_u64() & 1U);
    return bits;
}

/// Checks of rows first..last-1 of the base graph: each a list of bit positions in the full word (82 Z bits, column
/// order).
inline std::vector<std::vector<std::size_t>> checks(const LdpcCode& code, std::size_t rows) {
    const std::size_t z = code.z();
    std::vector<std::vector<std::size_t>> out(rows * z);
    for (const auto& e : ldpc_tables::kEntries) {
        if (e.row >= rows) continue;
        for (std::size_t i = 0; i < z; ++i) {
            out[e.row * z + i].push_back(e.col * z + (i + e.shift[code.shift_table()]) % z);
        }
    }
    for (std::size_t r = LdpcCode::kCoreRows; r < rows; ++r) {
        for (std::size_t i = 0; i < z; ++i) out[r * z + i].push_back((LdpcCode::kInfoCols + r) * z + i);
    }
    return out;
}

/// Mother codeword position -> full word position.
inline std::size_t full_position(const LdpcCode& code, std::size_t mother) {
    const std::size_t sent = code.sent_info_bits();
    if (mother < sent) return code.info_bits() - sent + mother;
    return LdpcCode::kInfoCols * code.z() + mother - sent;
}

/// Layered sum-product on the checks given; returns the information bits. llr: first part of the mother codeword.
inline std::vector<std::uint8_t> sum_product(const LdpcCode& code, std::span<const float> llr, std::size_t rows,
                                             unsigned iterations) {
    const auto h = checks(code, rows);
    std::vector<double> posterior(LdpcCode::kCols * code.z(), 0.0);
    for (std::size_t i = 0; i < llr.size(); ++i) posterior[full_position(code, i)] = static_cast<double>(llr[i]);
    for (std::size_t i = code.info_bits(); i < LdpcCode::kInfoCols * code.z(); ++i) posterior[i] = 1e3;
    std::vector<std::vector<double>> message(h.size());
    for (std::size_t c = 0; c < h.size(); ++c) message[c].assign(h[c].size(), 0.0);
    const auto phi = [](double x) { return -std::log(std::tanh(std::clamp(x, 1e-12, 60.0) / 2.0)); };
    for (unsigned it = 0; it < iterations; ++it) {
        bool all_even = true;
        for (std::size_t c = 0; c < h.size(); ++c) {
            double sum = 0.0;
            bool negative = false;
            std::vector<double> in(h[c].size());
            for (std::size_t e = 0; e < h[c].size(); ++e) {
                in[e] = posterior[h[c][e]] - message[c][e];
                sum += phi(std::fabs(in[e]));
                negative ^= in[e] < 0.0;
            }
            for (std::size_t e = 0; e < h[c].size(); ++e) {
                const double m = phi(std::max(sum - phi(std::fabs(in[e])), 1e-12));
                message[c][e] = (negative != (in[e] < 0.0)) ? -m : m;
                posterior[h[c][e]] = in[e] + message[c][e];
            }
        }
        for (const auto& check : h) {
            bool odd = false;
            for (const std::size_t p : check) odd ^= posterior[p] < 0.0;
            all_even = all_even && !odd;
        }
        if (all_even) break;
    }
    std::vector<std::uint8_t> info(code.info_bits());
    for (std::size_t i = 0; i < info.size(); ++i) info[i] = posterior[i] < 0.0 ? 1 : 0;
    return info;
}

/// LLRs of `bits` over BPSK with Es/N0 per dimension `snr_db` (the per-symbol Es/N0 of QPSK).
inline std::vector<float> noisy(std::span<const std::uint8_t> bits, double snr_db, Rng& rng) {
    const double a = std::pow(10.0, snr_db / 20.0);
    std::vector<float> llr;
    llr.reserve(bits.size());
    for (const std::uint8_t b : bits) {
        llr.push_back(static_cast<float>(2.0 * a * ((b != 0 ? -a : a) + rng.normal())));
    }
    return llr;
}

}  // namespace meshnet::phy::reference
