// SPDX-License-Identifier: MIT
// Transactions, with and without witness (BIP 144), their ids, and what a signature of a version 0 witness program
// signs (BIP 143).
#pragma once

#include <cstdint>
#include <vector>

#include "bitcoin/hash.hpp"
#include "core/bytes.hpp"
#include "core/result.hpp"

namespace meshnet::bitcoin {

using Sat = std::int64_t;
inline constexpr Sat kMostSat = 2'100'000'000'000'000;  ///< 21 million bitcoin
inline constexpr std::uint32_t kFinalSequence = 0xFFFF'FFFF;
inline constexpr std::uint32_t kSighashAll = 1;

struct OutPoint {
    Hash256 txid{};
    std::uint32_t index = 0;
    bool operator==(const OutPoint&) const = default;
    auto operator<=>(const OutPoint&) const = default;
};

struct TxIn {
    OutPoint previous;
    Bytes script;
    std::uint32_t sequence = kFinalSequence;
    std::vector<Bytes> witness;
    bool operator==(const TxIn&) const = default;
};

struct TxOut {
    Sat sat = 0;
    Bytes script;
    bool operator==(const TxOut&) const = default;
};

struct Transaction {
    std::uint32_t version = 2;
    std::vector<TxIn> inputs;
    std::vector<TxOut> outputs;
    std::uint32_t lock_time = 0;

    [[nodiscard]] bool has_witness() const noexcept;
    /// As it is sent; without its witness if there is none.
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] Bytes encode_without_witness() const;
    [[nodiscard]] Hash256 txid() const;
    /// Weight units: four for each byte outside the witness (BIP 141).
    [[nodiscard]] std::size_t weight() const;
    /// A quarter of the weight, rounded up: what fees are paid for.
    [[nodiscard]] std::size_t virtual_bytes() const { return (weight() + 3) / 4; }

    /// Reads one transaction that fills `in`. Errors are one line.
    [[nodiscard]] static Result<Transaction> decode(ByteView in);
    /// The same without a witness, where zero inputs are none (PSBT, BIP 174).
    [[nodiscard]] static Result<Transaction> decode_without_witness(ByteView in);
    bool operator==(const Transaction&) const = default;
};

/// What SIGHASH_ALL signs for input `index` (< inputs.size()), which spends `sat` by a version 0 witness program whose
/// script code is `script_code` (BIP 143).
[[nodiscard]] Hash256 sighash_all(const Transaction& tx, std::size_t index, ByteView script_code, Sat sat);

}  // namespace meshnet::bitcoin
