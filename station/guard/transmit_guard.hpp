// SPDX-License-Identifier: GPL-3.0-or-later
// The last thing before a radio: judges every burst on its samples, and passes it as it is or not at all.
//
// What can reach it: the configuration, the operator's switches, the station's own clock and receiver, and the samples.
// There is no method that takes a frame, a packet or a request from the air, and none that loosens a rule: limits are
// fixed at construction, set_inhibited() and the switches only choose between these rules and silence, and
// on_listened() can only forbid. Who wants other limits changes the configuration and starts again.
//
// Time is passed in as nanoseconds since 1970, so that the air time of the last hour survives a restart. Nothing here
// reads a clock. One thread. docs/decisions/0013-transmit-guard.md has the reasons.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/counters.hpp"
#include "station/guard/air_time.hpp"
#include "station/guard/air_time_file.hpp"
#include "station/guard/guard_config.hpp"
#include "station/guard/inhibit.hpp"
#include "station/guard/level_meter.hpp"
#include "station/guard/morse.hpp"
#include "station/guard/spectrum_meter.hpp"

namespace meshnet::station {

/// A burst as it would go out.
struct Emission {
    double center_hz = 0.0;
    double sample_rate_hz = 0.0;
    std::span<const phy::Sample> samples;
    Instant first{};  ///< when samples[0] is at the antenna
};

/// Why a burst is not sent.
enum class Refusal : std::uint8_t {
    kSilent,        ///< the operator has not named a band and his authority
    kInhibited,     ///< a switch is on
    kOutsideBand,   ///< the carrier is in no band of the configuration
    kSampleRate,    ///< not the one of the configuration
    kOutOfOrder,    ///< begins before the last burst has ended, or within the gap its band asks for
    kTooLong,       ///< longer than its band allows a burst
    kNotListened,   ///< the channel was not listened to, or not just before
    kBusy,          ///< the channel is in use
    kUnidentified,  ///< the call sign is overdue
    kNotFinite,     ///< a sample is not a number, or infinite
    kClips,         ///< a sample beyond what any converter has
    kPower,         ///< mean or peak power
    kSpectrum,      ///< energy outside the band
    kBandwidth,     ///< too wide or too narrow
    kDensity,       ///< power spectral density
    kAirTime,       ///< the air time of the hour is used up
    kMemory,        ///< the air time cannot be written down
};
[[nodiscard]] std::string_view to_string(Refusal kind) noexcept;

struct Refused {
    Refusal kind{};
    std::string sentence;  ///< what is wrong and what would be right
};

/// Counted since construction.
struct GuardCounters {
    std::uint64_t bursts_passed = 0, samples_passed = 0, identifications = 0, memory_writes = 0;
    std::uint64_t refused_silent = 0, refused_inhibited = 0, refused_outside_band = 0, refused_sample_rate = 0,
                  refused_out_of_order = 0, refused_too_long = 0, refused_not_listened = 0, refused_busy = 0,
                  refused_unidentified = 0, refused_not_finite = 0, refused_clips = 0, refused_power = 0,
                  refused_spectrum = 0, refused_bandwidth = 0, refused_density = 0, refused_air_time = 0,
                  refused_memory = 0;
    Duration air_time{};
};
template <class Visit>
constexpr void visit_counters(const GuardCounters& c, Visit&& visit) {
    visit("bursts_passed", c.bursts_passed);
    visit("samples_passed", c.samples_passed);
    visit("identifications", c.identifications);
    visit("memory_writes", c.memory_writes);
    visit("refused_silent", c.refused_silent);
    visit("refused_inhibited", c.refused_inhibited);
    visit("refused_outside_band", c.refused_outside_band);
    visit("refused_sample_rate", c.refused_sample_rate);
    visit("refused_out_of_order", c.refused_out_of_order);
    visit("refused_too_long", c.refused_too_long);
    visit("refused_not_listened", c.refused_not_listened);
    visit("refused_busy", c.refused_busy);
    visit("refused_unidentified", c.refused_unidentified);
    visit("refused_not_finite", c.refused_not_finite);
    visit("refused_clips", c.refused_clips);
    visit("refused_power", c.refused_power);
    visit("refused_spectrum", c.refused_spectrum);
    visit("refused_bandwidth", c.refused_bandwidth);
    visit("refused_density", c.refused_density);
    visit("refused_air_time", c.refused_air_time);
    visit("refused_memory", c.refused_memory);
    visit("air_time", c.air_time);
}
static_assert(visits_every_counter<GuardCounters>());

/// Energy outside the band over all energy of a burst at most: what is left of a burst's sharp ends stays below.
inline constexpr double kMaxOutsideShareDb = -40.0;
/// The same of one block of the spectrum meter, over the burst's mean: the ends themselves.
inline constexpr double kMaxBlockOutsideDb = -20.0;
/// Where a limit means the mean power, a single sample may exceed it by so much.
inline constexpr double kPeakOverMeanDb = 13.0;

class TransmitGuard {
public:
    /// Passes nothing; `why`: the sentence of each refusal.
    explicit TransmitGuard(std::string why);
    /// `store`: needed if a band of the plan has a duty cycle below 1 (precondition). What it says of the last hour is
    /// counted; if it cannot be read, the whole hour counts as used up.
    TransmitGuard(GuardPlan plan, std::unique_ptr<AirTimeStore> store, std::vector<std::unique_ptr<Inhibit>> inhibits,
                  Instant now);

    /// Nothing: the burst may go out as it is, and is counted as sent. Else it must not go out at all.
    [[nodiscard]] std::optional<Refused> judge(const Emission& emission);

    /// The operator's command.
    void set_inhibited(bool inhibited) noexcept { inhibited_ = inhibited; }
    [[nodiscard]] bool inhibited() const noexcept { return inhibited_; }

    /// The station's own receiver: mean power at the antenna's connector over the `listen_for` that ended at `end`.
    void on_listened(Instant end, double level_dbm) noexcept;
    /// The longest of its bands' listen_for; 0: nobody has to listen.
    [[nodiscard]] Duration listen_for() const noexcept;

    /// A mark of the station's identification.
    struct Mark {
        Instant at{};
        std::span<const phy::Sample> samples;  ///< valid until the next call of any method
    };
    /// The next mark, judged and counted like any burst, if one is due and begins within 200 ms after `earliest`.
    /// `last_call`: the station ends, so that an identification is due if anything was sent since the last one.
    /// Call it often; send each mark at its time.
    [[nodiscard]] std::optional<Mark> poll_identification(Instant earliest, bool last_call = false);
    /// The call sign is being sent: traffic waits.
    [[nodiscard]] bool identifying() const noexcept { return next_mark_ > 0; }

    /// The end of the last burst that passed.
    [[nodiscard]] Instant latest() const noexcept { return latest_; }
    [[nodiscard]] const GuardCounters& counters() const noexcept { return counters_; }
    /// Null if the guard is silent for good.
    [[nodiscard]] const GuardPlan* plan() const noexcept { return plan_ ? &*plan_ : nullptr; }
    /// What the operator should know of the start: one line each.
    [[nodiscard]] const std::vector<std::string>& notices() const noexcept { return notices_; }

    struct BandStatus {
        std::string name;
        Duration used{}, budget{};  ///< of the hour that ends at `now`
    };
    [[nodiscard]] std::vector<BandStatus> air_time(Instant now);

private:
    struct Band {
        BandRule rule;
        AirTime air_time;
        Duration reserved{};  // written down and not used yet
    };
    void restore(Instant now);
    [[nodiscard]] Band* band_at(double center_hz) noexcept;
    [[nodiscard]] std::optional<Refused> judge_anything(const Emission& emission, bool identification);
    [[nodiscard]] std::optional<Refused> judge_moment(const Band& band, const Emission& emission, Duration on,
                                                      bool identification) const;
    [[nodiscard]] std::optional<Refused> judge_level(const Band& band, const Emission& emission);
    [[nodiscard]] std::optional<Refused> judge_spectrum(const Band& band, const Emission& emission);
    [[nodiscard]] std::optional<Refused> spend(Band& band, Instant first, Instant end, Duration on);
    [[nodiscard]] std::optional<Refused> find_inhibit() const;
    [[nodiscard]] bool identification_due(Instant now, bool last_call) const noexcept;
    void count(Refusal kind) noexcept;

    std::optional<GuardPlan> plan_;
    std::string why_silent_;
    std::unique_ptr<AirTimeStore> store_;
    std::vector<std::unique_ptr<Inhibit>> inhibits_;
    std::vector<Band> bands_;
    bool inhibited_ = false;
    bool sent_ = false;
    Instant latest_{};
    Duration gap_{};  // the last burst's band asks for
    std::optional<Instant> listened_;
    double listened_dbm_ = 0.0;

    Duration identify_every_{};
    std::optional<Instant> unidentified_since_;
    Instant last_traffic_{};
    std::vector<MorseMark> marks_;
    std::size_t next_mark_ = 0;
    Instant marks_begin_{}, retry_{};
    std::vector<phy::Sample> tone_;

    LevelMeter level_;
    SpectrumMeter spectrum_;
    std::vector<std::string> notices_;
    GuardCounters counters_;
};

/// The guard of a configuration, with its files and switches; silent, with the reason, if nothing is stated. Error: one
/// sentence, as of validate_guard().
[[nodiscard]] Result<std::shared_ptr<TransmitGuard>> open_guard(const GuardConfig& config, double sample_rate_hz,
                                                                Instant now);

}  // namespace meshnet::station
