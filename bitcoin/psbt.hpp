// SPDX-License-Identifier: MIT
// Partially signed transactions (BIP 174, version 0): what a wallet and a station pass to one another.
//
// Everything that is read is written again, in its order, also fields of other standards.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bitcoin/keys.hpp"
#include "bitcoin/transaction.hpp"
#include "core/result.hpp"

namespace meshnet::bitcoin {

class Psbt {
public:
    /// Key (type and key data) and value, as they stand.
    using Field = std::pair<Bytes, Bytes>;
    using Map = std::vector<Field>;

    /// Creator: `tx` without scripts and witness (they are dropped).
    explicit Psbt(Transaction tx);
    /// Errors are one line: not a PSBT, truncated, a field of wrong form or twice, scripts in the transaction.
    [[nodiscard]] static Result<Psbt> decode(ByteView in);
    /// The same from Base64 text, white space around it allowed.
    [[nodiscard]] static Result<Psbt> from_text(std::string_view text);
    [[nodiscard]] Bytes encode() const;
    [[nodiscard]] std::string to_text() const;

    [[nodiscard]] const Transaction& unsigned_tx() const noexcept { return tx_; }
    // Of input `i` (< inputs).
    [[nodiscard]] std::optional<TxOut> witness_utxo(std::size_t i) const;
    /// The output that input `i` spends, from either form of it.
    [[nodiscard]] std::optional<TxOut> spent(std::size_t i) const;
    [[nodiscard]] std::optional<Bytes> witness_script(std::size_t i) const;
    [[nodiscard]] std::optional<Bytes> partial_signature(std::size_t i, const PublicKey& key) const;
    [[nodiscard]] bool is_final(std::size_t i) const;
    void set_witness_utxo(std::size_t i, const TxOut& output);
    void set_witness_script(std::size_t i, const Bytes& script);
    void set_partial_signature(std::size_t i, const PublicKey& key, const Bytes& signature);
    /// Finalizer: all but UTXOs and unknown fields goes away.
    void finalize(std::size_t i, const std::vector<Bytes>& witness);

    /// Combiner: fields of both. Error: they are of different transactions.
    [[nodiscard]] Status combine(const Psbt& other);
    /// Extractor: the transaction with the final scripts and witnesses. Error: an input is not final.
    [[nodiscard]] Result<Transaction> extract() const;

    [[nodiscard]] const Map& global() const noexcept { return global_; }
    [[nodiscard]] const Map& input(std::size_t i) const { return inputs_.at(i); }
    [[nodiscard]] const Map& output(std::size_t i) const { return outputs_.at(i); }
    bool operator==(const Psbt&) const = default;

private:
    Psbt() = default;
    Transaction tx_;
    Map global_;  // with the transaction
    std::vector<Map> inputs_, outputs_;
};

}  // namespace meshnet::bitcoin
