// SPDX-License-Identifier: MIT
#include "bitcoin/psbt.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>

#include "bitcoin/serial.hpp"

namespace meshnet::bitcoin {

namespace {

constexpr std::array<std::uint8_t, 5> kMagic{'p', 's', 'b', 't', 0xFF};

enum GlobalType : std::uint8_t { kUnsignedTx = 0x00, kXpub = 0x01, kVersion = 0xFB };
enum InputType : std::uint8_t {
    kNonWitnessUtxo = 0x00,
    kWitnessUtxo = 0x01,
    kPartialSig = 0x02,
    kSighashType = 0x03,
    kRedeemScript = 0x04,
    kWitnessScript = 0x05,
    kInputPath = 0x06,
    kFinalScript = 0x07,
    kFinalWitness = 0x08,
};
enum OutputType : std::uint8_t { kOutputRedeemScript = 0x00, kOutputWitnessScript = 0x01, kOutputPath = 0x02 };

using Map = Psbt::Map;

Error wrong(const char* what) {
    return {ErrorCode::kInvalidData, std::string("PSBT: ") + what};
}

/// The field with this key, to the byte.
const Bytes* find(const Map& map, const Bytes& key) {
    const auto at = std::find_if(map.begin(), map.end(), [&](const auto& f) { return f.first == key; });
    return at == map.end() ? nullptr : &at->second;
}

void put(Map& map, Bytes key, Bytes value) {
    const auto at = std::find_if(map.begin(), map.end(), [&](const auto& f) { return f.first >= key; });
    if (at != map.end() && at->first == key) {
        at->second = std::move(value);
    } else {
        map.insert(at, {std::move(key), std::move(value)});
    }
}

/// Fields up to the separator.
void read_map(SerialReader& r, Map& out) {
    while (!r.failed()) {
        const ByteView key = r.sized();
        if (key.empty()) {
            return;
        }
        Psbt::Field field(Bytes(key.begin(), key.end()), r.sized_copy());
        if (find(out, field.first) != nullptr) {
            r.fail();
        }
        out.push_back(std::move(field));
    }
}

bool key_is(ByteView key, bool public_key) {
    if (!public_key) {
        return key.size() == 1;
    }
    const bool compressed = key.size() == 34 && (key[1] == 2 || key[1] == 3);
    return compressed || (key.size() == 66 && key[1] == 4);
}

/// Fingerprint and indices.
bool path_fits(ByteView value) {
    return value.size() >= 4 && value.size() % 4 == 0;
}

bool output_fits(ByteView value) {
    SerialReader r(value);
    const std::uint64_t sat = r.u64();
    (void)r.sized();
    return r.complete() && sat <= static_cast<std::uint64_t>(kMostSat);
}

bool witness_fits(ByteView value) {
    SerialReader r(value);
    const std::size_t n = r.count(1);
    for (std::size_t i = 0; i < n; ++i) {
        (void)r.sized();
    }
    return r.complete();
}

bool input_field_fits(const Psbt::Field& field, const TxIn& in) {
    const auto& [key, value] = field;
    switch (key[0]) {
        case kNonWitnessUtxo: {
            const auto tx = Transaction::decode(value);
            return key_is(key, false) && tx && tx->txid() == in.previous.txid && in.previous.index < tx->outputs.size();
        }
        case kWitnessUtxo:
            return key_is(key, false) && output_fits(value);
        case kPartialSig:
            return key_is(key, true) && !value.empty();
        case kSighashType:
            return key_is(key, false) && value.size() == 4;
        case kRedeemScript:
        case kWitnessScript:
        case kFinalScript:
            return key_is(key, false);
        case kFinalWitness:
            return key_is(key, false) && witness_fits(value);
        case kInputPath:
            return key_is(key, true) && path_fits(value);
        default:
            return true;
    }
}

bool output_field_fits(const Psbt::Field& field) {
    const auto& [key, value] = field;
    switch (key[0]) {
        case kOutputRedeemScript:
        case kOutputWitnessScript:
            return key_is(key, false);
        case kOutputPath:
            return key_is(key, true) && path_fits(value);
        default:
            return true;
    }
}

bool global_field_fits(const Psbt::Field& field) {
    const auto& [key, value] = field;
    switch (key[0]) {
        case kUnsignedTx:
            return key_is(key, false);
        case kXpub:
            return key.size() == 79 && path_fits(value);
        case kVersion:
            return key_is(key, false) && value == Bytes(4, 0);
        default:
            return true;
    }
}

void write_map(SerialWriter& w, const Map& map) {
    for (const auto& [key, value] : map) {
        w.sized(key);
        w.sized(value);
    }
    w.u8(0);
}

Bytes output_bytes(const TxOut& output) {
    Bytes out;
    out.reserve(512);
    SerialWriter w(out);
    w.u64(static_cast<std::uint64_t>(output.sat));
    w.sized(output.script);
    return out;
}

Bytes signature_key(const PublicKey& key) {
    Bytes out;
    out.reserve(64);
    SerialWriter w(out);
    w.u8(kPartialSig);
    w.bytes(key);
    return out;
}

}  // namespace

Psbt::Psbt(Transaction tx) : tx_(std::move(tx)), inputs_(tx_.inputs.size()), outputs_(tx_.outputs.size()) {
    for (TxIn& in : tx_.inputs) {
        in.script.clear();
        in.witness.clear();
    }
    global_.emplace_back(Bytes{kUnsignedTx}, tx_.encode_without_witness());
}

Result<Psbt> Psbt::decode(ByteView in) {
    SerialReader r(in);
    if (r.array<5>() != kMagic) {
        return wrong("it does not begin like one");
    }
    Psbt out;
    read_map(r, out.global_);
    const Bytes* raw = find(out.global_, Bytes{kUnsignedTx});
    if (r.failed() || raw == nullptr) {
        return wrong("it is truncated, has a field twice, or has no transaction");
    }
    if (!std::all_of(out.global_.begin(), out.global_.end(), global_field_fits)) {
        return wrong("a global field has a wrong form, or it is of another version");
    }
    auto tx = Transaction::decode_without_witness(*raw);
    if (!tx) {
        return wrong("its transaction cannot be read");
    }
    out.tx_ = std::move(*tx);
    for (const TxIn& i : out.tx_.inputs) {
        if (!i.script.empty()) {
            return wrong("its transaction has scripts");
        }
    }
    for (const TxIn& i : out.tx_.inputs) {
        Map& map = out.inputs_.emplace_back();
        read_map(r, map);
        if (!r.failed() &&
            !std::all_of(map.begin(), map.end(), [&](const Field& f) { return input_field_fits(f, i); })) {
            return wrong("a field of an input has a wrong form");
        }
    }
    for (std::size_t i = 0; i < out.tx_.outputs.size(); ++i) {
        Map& map = out.outputs_.emplace_back();
        read_map(r, map);
        if (!std::all_of(map.begin(), map.end(), output_field_fits)) {
            return wrong("a field of an output has a wrong form");
        }
    }
    if (!r.complete()) {
        return wrong("it is truncated, too long, or has a field twice");
    }
    return out;
}

Result<Psbt> Psbt::from_text(std::string_view text) {
    Bytes bytes(text.size() / 4 * 3 + 3);
    std::size_t size = 0;
    const char* end = nullptr;
    if (sodium_base642bin(bytes.data(), bytes.size(), text.data(), text.size(), " \t\r\n", &size, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != text.data() + text.size()) {
        return wrong("it is not Base64");
    }
    bytes.resize(size);
    return decode(bytes);
}

Bytes Psbt::encode() const {
    Bytes out;
    out.reserve(512);
    SerialWriter w(out);
    w.bytes(kMagic);
    write_map(w, global_);
    for (const Map& map : inputs_) {
        write_map(w, map);
    }
    for (const Map& map : outputs_) {
        write_map(w, map);
    }
    return out;
}

std::string Psbt::to_text() const {
    const Bytes bytes = encode();
    std::string out(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
    sodium_bin2base64(out.data(), out.size(), bytes.data(), bytes.size(), sodium_base64_VARIANT_ORIGINAL);
    out.pop_back();  // the terminator
    return out;
}

std::optional<TxOut> Psbt::witness_utxo(std::size_t i) const {
    const Bytes* value = find(inputs_.at(i), Bytes{kWitnessUtxo});
    if (value == nullptr) {
        return std::nullopt;
    }
    SerialReader r(*value);
    TxOut out;
    out.sat = static_cast<Sat>(r.u64());
    out.script = r.sized_copy();
    return out;
}

std::optional<TxOut> Psbt::spent(std::size_t i) const {
    if (auto output = witness_utxo(i)) {
        return output;
    }
    const Bytes* value = find(inputs_.at(i), Bytes{kNonWitnessUtxo});
    const auto tx = value == nullptr ? Result<Transaction>(wrong("")) : Transaction::decode(*value);
    return tx ? std::optional(tx->outputs.at(tx_.inputs[i].previous.index)) : std::nullopt;
}

std::optional<Bytes> Psbt::witness_script(std::size_t i) const {
    const Bytes* value = find(inputs_.at(i), Bytes{kWitnessScript});
    return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<Bytes> Psbt::partial_signature(std::size_t i, const PublicKey& key) const {
    const Bytes* value = find(inputs_.at(i), signature_key(key));
    return value == nullptr ? std::nullopt : std::optional(*value);
}

bool Psbt::is_final(std::size_t i) const {
    return find(inputs_.at(i), Bytes{kFinalScript}) != nullptr || find(inputs_.at(i), Bytes{kFinalWitness}) != nullptr;
}

void Psbt::set_witness_utxo(std::size_t i, const TxOut& output) {
    put(inputs_.at(i), Bytes{kWitnessUtxo}, output_bytes(output));
}
void Psbt::set_witness_script(std::size_t i, const Bytes& script) {
    put(inputs_.at(i), Bytes{kWitnessScript}, script);
}
void Psbt::set_partial_signature(std::size_t i, const PublicKey& key, const Bytes& signature) {
    put(inputs_.at(i), signature_key(key), signature);
}

void Psbt::finalize(std::size_t i, const std::vector<Bytes>& witness) {
    Map& map = inputs_.at(i);
    std::erase_if(map, [](const Field& f) { return f.first[0] >= kPartialSig && f.first[0] <= kFinalWitness; });
    Bytes value;
    value.reserve(512);
    SerialWriter w(value);
    w.compact(witness.size());
    for (const Bytes& item : witness) {
        w.sized(item);
    }
    put(map, Bytes{kFinalWitness}, std::move(value));
}

Status Psbt::combine(const Psbt& other) {
    if (other.tx_ != tx_) {
        return wrong("the two are of different transactions");
    }
    const auto join = [](Map& into, const Map& from) {
        for (const auto& [key, value] : from) {
            if (find(into, key) == nullptr) {
                put(into, key, value);
            }
        }
    };
    join(global_, other.global_);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        join(inputs_[i], other.inputs_[i]);
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
        join(outputs_[i], other.outputs_[i]);
    }
    return Ok{};
}

Result<Transaction> Psbt::extract() const {
    Transaction out = tx_;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
        if (!is_final(i)) {
            return Error{ErrorCode::kInvalidArgument, "PSBT: input " + std::to_string(i) + " is not signed to the end"};
        }
        if (const Bytes* script = find(inputs_[i], Bytes{kFinalScript})) {
            out.inputs[i].script = *script;
        }
        if (const Bytes* value = find(inputs_[i], Bytes{kFinalWitness})) {
            SerialReader r(*value);
            const std::size_t n = r.count(1);
            for (std::size_t k = 0; k < n; ++k) {
                out.inputs[i].witness.push_back(r.sized_copy());
            }
        }
    }
    return out;
}

}  // namespace meshnet::bitcoin
