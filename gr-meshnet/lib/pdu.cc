// SPDX-License-Identifier: GPL-3.0-or-later
#include "pdu.h"

#include <algorithm>
#include <cmath>
#include <exception>

namespace gr::meshnet {

namespace {

constexpr double kLatestSeconds = 8'589'934'592.0;  // 2^33
constexpr std::int64_t kNsPerS = 1'000'000'000;

}  // namespace

// A list that only looks like a dict makes pmt throw: that is no value either.
pmt::pmt_t find(const pmt::pmt_t& dict, const char* key) {
    try {
        if (dict && pmt::is_dict(dict)) {
            return pmt::dict_ref(dict, pmt::mp(key), pmt::pmt_t{});
        }
    } catch (const std::exception&) {
    }
    return {};
}

std::optional<double> to_real(const pmt::pmt_t& v) {
    if (!v) {
        return std::nullopt;
    }
    if (pmt::is_uint64(v)) {
        return static_cast<double>(pmt::to_uint64(v));
    }
    if (pmt::is_integer(v)) {
        return static_cast<double>(pmt::to_long(v));
    }
    if (pmt::is_real(v)) {
        const double d = pmt::to_double(v);
        return std::isfinite(d) ? std::optional<double>(d) : std::nullopt;
    }
    return std::nullopt;
}

std::optional<pdu> read_pdu(const pmt::pmt_t& message) {
    if (!message || !pmt::is_pair(message)) {
        return std::nullopt;
    }
    const pmt::pmt_t meta = pmt::car(message);
    const pmt::pmt_t data = pmt::cdr(message);
    if (!meta || !data || !(pmt::is_null(meta) || pmt::is_dict(meta)) || !pmt::is_u8vector(data)) {
        return std::nullopt;
    }
    std::size_t length = 0;
    const std::uint8_t* first = pmt::u8vector_elements(data, length);
    return pdu{pmt::is_null(meta) ? pmt::make_dict() : meta, ::meshnet::Bytes(first, first + length)};
}

pmt::pmt_t make_pdu(const pmt::pmt_t& meta, const ::meshnet::Bytes& bytes) {
    return pmt::cons(meta, pmt::init_u8vector(bytes.size(), bytes));
}

std::optional<std::string> read_text(const pmt::pmt_t& dict, const char* key) {
    const auto v = find(dict, key);
    return v && pmt::is_symbol(v) ? std::optional<std::string>(pmt::symbol_to_string(v)) : std::nullopt;
}

std::optional<std::uint64_t> read_count(const pmt::pmt_t& dict, const char* key) {
    const auto v = find(dict, key);
    if (v && pmt::is_uint64(v)) {
        return pmt::to_uint64(v);
    }
    if (v && pmt::is_integer(v) && pmt::to_long(v) >= 0) {
        return static_cast<std::uint64_t>(pmt::to_long(v));
    }
    return std::nullopt;
}

std::optional<double> read_real(const pmt::pmt_t& dict, const char* key) {
    return to_real(find(dict, key));
}

std::optional<bool> read_bool(const pmt::pmt_t& dict, const char* key) {
    const auto v = find(dict, key);
    return v && pmt::is_bool(v) ? std::optional<bool>(pmt::to_bool(v)) : std::nullopt;
}

std::vector<std::uint32_t> read_u32s(const pmt::pmt_t& dict, const char* key) {
    const auto v = find(dict, key);
    return v && pmt::is_u32vector(v) ? pmt::u32vector_elements(v) : std::vector<std::uint32_t>{};
}

bool has_key(const pmt::pmt_t& dict, const char* key) {
    return find(dict, key) != nullptr;
}

std::optional<::meshnet::Instant> to_instant(const pmt::pmt_t& value) {
    if (!value) {
        return std::nullopt;
    }
    std::optional<double> whole;
    double fraction = 0.0;
    pmt::pmt_t second;
    if (pmt::is_tuple(value) && pmt::length(value) == 2) {
        whole = to_real(pmt::tuple_ref(value, 0));
        second = pmt::tuple_ref(value, 1);
    } else if (pmt::is_pair(value)) {
        whole = to_real(pmt::car(value));
        second = pmt::cdr(value);
    } else {
        whole = to_real(value);
        if (whole) {
            fraction = *whole - std::floor(*whole);
            whole = std::floor(*whole);
        }
    }
    if (second) {
        const auto f = to_real(second);
        if (!f) {
            return std::nullopt;
        }
        fraction = *f;
    }
    if (!whole || *whole < 0.0 || *whole >= kLatestSeconds || fraction < 0.0 || fraction > 1.0) {
        return std::nullopt;
    }
    return ::meshnet::instant_from_ns(static_cast<std::int64_t>(*whole) * kNsPerS + std::llround(fraction * 1e9));
}

std::optional<::meshnet::Instant> read_time(const pmt::pmt_t& dict, const char* key) {
    return to_instant(find(dict, key));
}

pmt::pmt_t from_instant(::meshnet::Instant t) {
    const std::int64_t ns = std::max<std::int64_t>(::meshnet::to_ns(t), 0);
    return pmt::make_tuple(pmt::from_uint64(static_cast<std::uint64_t>(ns / kNsPerS)),
                           pmt::from_double(static_cast<double>(ns % kNsPerS) * 1e-9));
}

}  // namespace gr::meshnet
