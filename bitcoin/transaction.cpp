// SPDX-License-Identifier: MIT
#include "bitcoin/transaction.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "bitcoin/serial.hpp"

namespace meshnet::bitcoin {

namespace {

constexpr std::size_t kLeastInput = 41;  // bytes
constexpr std::size_t kLeastOutput = 9;

void write_outpoint(SerialWriter& w, const OutPoint& p) {
    w.bytes(p.txid);
    w.u32(p.index);
}

void write_output(SerialWriter& w, const TxOut& o) {
    w.u64(static_cast<std::uint64_t>(o.sat));
    w.sized(o.script);
}

void write_body(SerialWriter& w, const Transaction& tx) {
    w.compact(tx.inputs.size());
    for (const TxIn& in : tx.inputs) {
        write_outpoint(w, in.previous);
        w.sized(in.script);
        w.u32(in.sequence);
    }
    w.compact(tx.outputs.size());
    for (const TxOut& out : tx.outputs) {
        write_output(w, out);
    }
}

void read_inputs(SerialReader& r, Transaction& tx) {
    const std::size_t n = r.count(kLeastInput);
    for (std::size_t i = 0; i < n && !r.failed(); ++i) {
        TxIn in;
        in.previous.txid = r.array<32>();
        in.previous.index = r.u32();
        in.script = r.sized_copy();
        in.sequence = r.u32();
        tx.inputs.push_back(std::move(in));
    }
}

bool read_outputs(SerialReader& r, Transaction& tx) {
    const std::size_t n = r.count(kLeastOutput);
    Sat sum = 0;
    for (std::size_t i = 0; i < n && !r.failed(); ++i) {
        TxOut out;
        const std::uint64_t sat = r.u64();
        out.script = r.sized_copy();
        if (sat > static_cast<std::uint64_t>(kMostSat) || (sum += static_cast<Sat>(sat)) > kMostSat) {
            return false;
        }
        out.sat = static_cast<Sat>(sat);
        tx.outputs.push_back(std::move(out));
    }
    return true;
}

Result<Transaction> read(ByteView in, bool may_have_witness) {
    SerialReader r(in);
    Transaction tx;
    tx.version = r.u32();
    bool witness = false;
    const ByteView rest = in.size() >= 6 ? in.subspan(4) : ByteView{};
    if (may_have_witness && rest.size() >= 2 && rest[0] == 0 && rest[1] == 1) {
        (void)r.bytes(2);
        witness = true;
    }
    read_inputs(r, tx);
    if (!read_outputs(r, tx)) {
        return Error{ErrorCode::kInvalidData, "the transaction moves more than there is"};
    }
    for (std::size_t i = 0; witness && i < tx.inputs.size() && !r.failed(); ++i) {
        const std::size_t n = r.count(1);
        for (std::size_t k = 0; k < n && !r.failed(); ++k) {
            tx.inputs[i].witness.push_back(r.sized_copy());
        }
    }
    tx.lock_time = r.u32();
    if (!r.complete() || in.size() > kMostBytes) {
        return Error{ErrorCode::kInvalidData, "the bytes are not one transaction"};
    }
    if (witness && !tx.has_witness()) {
        return Error{ErrorCode::kInvalidData, "the transaction is marked to have a witness, and has none"};
    }
    return tx;
}

template <class Write>
Hash256 hash_of(Write write) {
    Bytes bytes;
    bytes.reserve(512);
    SerialWriter w(bytes);
    write(w);
    return sha256d(bytes);
}

}  // namespace

bool Transaction::has_witness() const noexcept {
    return std::any_of(inputs.begin(), inputs.end(), [](const TxIn& in) { return !in.witness.empty(); });
}

Bytes Transaction::encode_without_witness() const {
    Bytes out;
    out.reserve(512);
    SerialWriter w(out);
    w.u32(version);
    write_body(w, *this);
    w.u32(lock_time);
    return out;
}

Bytes Transaction::encode() const {
    if (!has_witness()) {
        return encode_without_witness();
    }
    Bytes out;
    out.reserve(512);
    SerialWriter w(out);
    w.u32(version);
    w.u8(0);
    w.u8(1);
    write_body(w, *this);
    for (const TxIn& in : inputs) {
        w.compact(in.witness.size());
        for (const Bytes& item : in.witness) {
            w.sized(item);
        }
    }
    w.u32(lock_time);
    return out;
}

Hash256 Transaction::txid() const {
    return sha256d(encode_without_witness());
}

std::size_t Transaction::weight() const {
    return 3 * encode_without_witness().size() + encode().size();
}

Result<Transaction> Transaction::decode(ByteView in) {
    return read(in, true);
}
Result<Transaction> Transaction::decode_without_witness(ByteView in) {
    return read(in, false);
}

Hash256 sighash_all(const Transaction& tx, std::size_t index, ByteView script_code, Sat sat) {
    assert(index < tx.inputs.size());
    const TxIn& in = tx.inputs[index];
    const Hash256 previous = hash_of([&](SerialWriter& w) {
        for (const TxIn& i : tx.inputs) write_outpoint(w, i.previous);
    });
    const Hash256 sequences = hash_of([&](SerialWriter& w) {
        for (const TxIn& i : tx.inputs) w.u32(i.sequence);
    });
    const Hash256 outputs = hash_of([&](SerialWriter& w) {
        for (const TxOut& o : tx.outputs) write_output(w, o);
    });
    return hash_of([&](SerialWriter& w) {
        w.u32(tx.version);
        w.bytes(previous);
        w.bytes(sequences);
        write_outpoint(w, in.previous);
        w.sized(script_code);
        w.u64(static_cast<std::uint64_t>(sat));
        w.u32(in.sequence);
        w.bytes(outputs);
        w.u32(tx.lock_time);
        w.u32(kSighashAll);
    });
}

}  // namespace meshnet::bitcoin
