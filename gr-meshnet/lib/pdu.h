// SPDX-License-Identifier: GPL-3.0-or-later
// PDUs as our blocks read and write them. Reading is total: anything at all may arrive by message, and what is not a
// PDU or not a time is nothing, never an exception.
#pragma once

#include <pmt/pmt.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.hpp"
#include "core/time.hpp"

namespace gr::meshnet {

/// The two halves of a PDU. `meta` is always a dict, perhaps an empty one.
struct pdu {
    pmt::pmt_t meta;
    ::meshnet::Bytes bytes;
};

/// The PDU in `message`: a pair of dict (or nil) and u8vector.
[[nodiscard]] std::optional<pdu> read_pdu(const pmt::pmt_t& message);
/// A PDU to publish.
[[nodiscard]] pmt::pmt_t make_pdu(const pmt::pmt_t& meta, const ::meshnet::Bytes& bytes);

// One value of a dict, or nothing if it is not there or of another kind.
[[nodiscard]] std::optional<std::string> read_text(const pmt::pmt_t& dict, const char* key);
[[nodiscard]] std::optional<std::uint64_t> read_count(const pmt::pmt_t& dict, const char* key);
[[nodiscard]] std::optional<double> read_real(const pmt::pmt_t& dict, const char* key);
[[nodiscard]] std::optional<bool> read_bool(const pmt::pmt_t& dict, const char* key);
[[nodiscard]] std::vector<std::uint32_t> read_u32s(const pmt::pmt_t& dict, const char* key);
/// The value at `key`, or null.
[[nodiscard]] pmt::pmt_t find(const pmt::pmt_t& dict, const char* key);
/// A finite number.
[[nodiscard]] std::optional<double> to_real(const pmt::pmt_t& value);
[[nodiscard]] bool has_key(const pmt::pmt_t& dict, const char* key);

/// A time: pair or tuple of whole seconds and fraction [0, 1) as in the tags of radios, or a number of seconds; not
/// negative, below 2^33 s, so that sums stay far inside Duration.
[[nodiscard]] std::optional<::meshnet::Instant> to_instant(const pmt::pmt_t& value);
[[nodiscard]] std::optional<::meshnet::Instant> read_time(const pmt::pmt_t& dict, const char* key);
/// The tuple (whole seconds, fraction) of `t` >= 0, as UHD and Soapy tag it.
[[nodiscard]] pmt::pmt_t from_instant(::meshnet::Instant t);

[[nodiscard]] inline pmt::pmt_t add(const pmt::pmt_t& dict, const char* key, const pmt::pmt_t& value) {
    return pmt::dict_add(dict, pmt::mp(key), value);
}

}  // namespace gr::meshnet
