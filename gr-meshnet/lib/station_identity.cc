// SPDX-License-Identifier: GPL-3.0-or-later
#include "station_identity.h"

#include <stdexcept>
#include <utility>

#include "station/key_file.hpp"

namespace gr::meshnet {

namespace {

namespace station = ::meshnet::station;

template <class T>
T required(const std::string& block, ::meshnet::Result<T>&& result) {
    if (!result) {
        throw std::runtime_error(block + ": " + result.error().message);
    }
    return std::move(result).value();
}

}  // namespace

station_identity open_identity(const std::string& block, std::uint64_t seed, const std::string& state_dir) {
    station_identity out;
    if (state_dir.empty()) {
        out.random = std::make_unique<::meshnet::Rng>(seed);
        out.identity = ::meshnet::net::Identity::generate(*out.random);
        return out;
    }
    if (const auto ready = station::init_random(); !ready) {
        throw std::runtime_error(block + ": " + ready.error().message);
    }
    out.random = std::make_unique<station::SystemRandom>();
    const std::string ledger = state_dir + "/station.ledger";
    out.identity =
        required(block, station::load_or_create_key(state_dir + "/station.key", ledger, *out.random)).identity;
    out.ledger = required(block, station::SqliteLedger::open(ledger, {.owner = out.identity.id()}));
    out.books = out.ledger->state();
    return out;
}

}  // namespace gr::meshnet
