// SPDX-License-Identifier: MIT
// What is known of each station heard, in one bounded table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "mac/arq_receiver.hpp"
#include "mac/arq_sender.hpp"
#include "mac/contention.hpp"
#include "mac/doppler_tracker.hpp"
#include "mac/link_auth.hpp"
#include "mac/ranging.hpp"
#include "mac/rate_control.hpp"
#include "mac/station_map.hpp"

namespace meshnet::mac {

struct Neighbor {
    Neighbor(StationId station, std::uint16_t session, Duration rto, const Ranging& ranging_start,
             const RateControl& rate_start)
        : id(station), sender(session, rto), rate(rate_start), ranging(ranging_start) {}

    /// A burst of it arrived at `snr` dB; smoothed, half of each new value.
    void hear(Instant now, float snr) noexcept;
    /// A fresh report of what waits there.
    [[nodiscard]] bool has_backlog(Instant now) const noexcept;

    StationId id;
    std::uint16_t epoch = 0;
    bool epoch_known = false;
    std::optional<std::uint16_t> replaced_epoch;  ///< the one before
    Instant replaced_at = kLongAgo;

    ArqSender sender;
    ArqReceiver unicast;
    ArqReceiver broadcast{ArqReceiver::kBroadcastHeldBytes};
    RateControl rate;
    Ranging ranging;
    DopplerTracker doppler;

    // What we hear of it.
    float snr_db = 0.0F;
    bool snr_known = false;
    Instant heard_at = kLongAgo;
    Duration gap{};                 ///< its time to answer, as advertised
    Duration jitter{}, recovery{};  ///< of its radio, as its hello says
    std::uint32_t last_burst = 0;
    std::vector<StationId> hears;  ///< its heard list, at most kMaxHeard
    bool hears_us = false;
    unsigned hellos_without_us = 0;
    std::size_t backlog_bytes = 0;  ///< waiting at it, by its last header
    Instant backlog_at = kLongAgo;

    // Who it is (Config::authenticated).
    LinkAuth auth;
    Instant unproven_at = kLongAgo;                ///< last burst in its name without proof, where it has keys
    Instant doubted_at = kLongAgo;                 ///< last LinkUnproven
    Instant echoed_at = kLongAgo;                  ///< when we sent the newest of what it has proven to have heard
    bool announced = false;                        ///< LinkUp was reported, LinkDown was not
    float weakest_db = 0.0F;                       ///< of what is heard under its number without proof
    unsigned heard_bursts = 0;                     ///< without keys: how often
    Instant listed_at = kLongAgo;                  ///< in a hello, without keys
    unsigned opens = 0;                            ///< open frames sent to it
    Duration attempt_airtime{}, answer_airtime{};  ///< spent for it since it last proved itself

    // What is due.
    bool up = false;
    bool ack_due = false;
    Instant ack_at{};                  ///< not before, unless a burst goes anyway
    Instant served_at = kLongAgo;      ///< last granted by us, or last heard sending data
    Instant primary_at = kLongAgo;     ///< last the main receiver of a burst of ours
    Instant advertised_at = kLongAgo;  ///< it answered a burst that advertised our backlog
    unsigned ack_requests = 0;         ///< a long burst was not answered: requests left to send before it is sent again
    unsigned silences = 0;             ///< answers missed in a row
    Instant silent_since{};

    // For displays and routing.
    LinkQuality reported;
    Instant reported_at = kLongAgo;
    std::uint64_t sdus_sent = 0, sdus_acknowledged = 0, sdus_failed = 0, sdus_received = 0;
};

/// At most `kCapacity` stations (where neighbours have keys: of those, and kStrangers others); a new one takes the
/// place of the one longest unheard that is not up, if that is silent for `stale`. Iteration is by id: the same on
/// every machine.
class NeighborTable {
public:
    static constexpr std::size_t kCapacity = 64;
    static constexpr std::size_t kStrangers = 32;  ///< beside them, where neighbours have keys

    [[nodiscard]] Neighbor* find(StationId id) noexcept;
    [[nodiscard]] const Neighbor* find(StationId id) const noexcept;
    /// Makes room for one more if it can.
    [[nodiscard]] bool make_room(Instant now, Duration stale);
    /// The stranger to go so that there is room for another: of those heard once, or else of all, the one unheard for
    /// longest. Null: there is room.
    [[nodiscard]] const Neighbor* surplus_stranger() const noexcept;
    /// Room for one more with keys: null, or whoever is not up and unheard for longest; false: all are up.
    [[nodiscard]] bool room_for_keys(const Neighbor** victim) const noexcept;
    Neighbor& add(Neighbor&& neighbor);
    void remove(StationId id) { table_.erase(id); }

    [[nodiscard]] auto begin() noexcept { return table_.begin(); }
    [[nodiscard]] auto end() noexcept { return table_.end(); }
    [[nodiscard]] auto begin() const noexcept { return table_.begin(); }
    [[nodiscard]] auto end() const noexcept { return table_.end(); }
    [[nodiscard]] std::size_t size() const noexcept { return table_.size(); }

private:
    StationMap<Neighbor> table_;
};

}  // namespace meshnet::mac
