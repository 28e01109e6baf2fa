// SPDX-License-Identifier: MIT
// One shared medium for any number of stations, true to the sample: who hears whom, when, how loud, how far off in
// frequency.
//
//     station A: burst at local sample n -> [Air: delay, loss, Doppler, taps, clocks, noise] -> samples of every
//     station
//
// Global time is integer nanoseconds. Each station counts samples on its own clock, which errs by `clock_ppm` and
// drives its carrier as well, as the one oscillator of a real radio does. Collisions, capture and half-duplex deafness
// follow from adding up waveforms. The same seed and the same calls give the same samples, however time is cut into
// advance() calls. Models and sources: docs/notes/channel-models.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/time.hpp"
#include "phy/sample.hpp"

namespace meshnet::sim {

/// Fate of a transmission.
struct AirTxReport {
    std::uint64_t id = 0;
    bool late = false;            ///< it reached the air after its time: nothing was sent
    std::uint64_t end_index = 0;  ///< one past its last sample, local index
};

/// One radio and where it stands. x and y on a plane, metres; the earth's curve enters through the radio horizon alone.
struct AirStation {
    std::string name;  ///< unique, 1..64 characters
    double x_m = 0.0, y_m = 0.0;
    double height_m = 10.0;  ///< of the antenna above the sea, [0, 1e9]
    double vx_mps = 0.0, vy_mps = 0.0;
    double tx_power_dbm = 20.0;     ///< radiated by a burst of rms phy::kTransmitRms, [-100, 100]
    double antenna_gain_dbi = 2.0;  ///< [-50, 80], cable losses taken off
    double noise_figure_db = 6.0;   ///< [0, 50]
    double full_scale_dbm = -75.0;  ///< antenna power that gives samples of rms 1.0 (receive gain), [-200, 50]
    double clock_ppm = 0.0;         ///< oscillator error, of carrier and of samples, [-200, 200]
    Duration switch_time = 100us;   ///< half-duplex blind for so long before and after its own bursts, [0, 1 s]
    bool full_duplex = false;       ///< hears while it transmits (but never itself)
    unsigned adc_bits = 0;          ///< 0: as computed; 2..24: rounded and clipped at +-1.0
};

/// One more way from sender to receiver beside the direct one.
struct AirTap {
    double delay_s = 0.0;  ///< behind the direct path, [0, 0.01]
    double gain_db = 0.0;  ///< relative to the direct path, [-100, 20]
    double phase_turns = 0.0;
};

/// What is special about one direction between two stations. Without an AirLink: line of sight, free-space loss,
/// horizon.
struct AirLink {
    std::size_t from = 0, to = 0;      ///< indexes into the stations
    bool blocked = false;              ///< nothing comes through
    bool ignore_horizon = false;       ///< comes through beyond the radio horizon too
    std::optional<double> distance_m;  ///< instead of that of the positions, [0, 1e9]
    double receding_mps = 0.0;         ///< growth of distance_m, [-2e4, 2e4]; only with distance_m
    std::optional<double> loss_db;     ///< path loss instead of free space, [0, 400]
    double extra_loss_db = 0.0;        ///< on top of it, [-100, 300]
    double sea_reflection = 0.0;       ///< amplitude of the sea reflection, 0: none, 1: mirror; delay from the geometry
    std::vector<AirTap> taps;          ///< at most 32
};

/// What one direction amounts to now.
struct AirBudget {
    bool heard = false;  ///< false: blocked, beyond the horizon, or 40 dB below the noise
    double distance_m = 0.0;
    Duration delay{};
    double loss_db = 0.0;
    double received_dbm = 0.0;       ///< of a burst of rms phy::kTransmitRms
    double snr_db = 0.0;             ///< in a band of 0.81 of the sample rate, quiet channel
    double carrier_offset_hz = 0.0;  ///< sender's carrier as received minus receiver's, Doppler included
};

/// Fate of a call to transmit().
enum class AirVerdict : std::uint8_t {
    kAccepted,
    kLate,     ///< its time has come already, or comes before the switch has thrown
    kOverlap,  ///< the station transmits something else then
    kRefused,  ///< empty, longer than kMaxBurstSamples, more than kMaxAhead in the future, or too much waiting already
};
[[nodiscard]] std::string_view to_string(AirVerdict verdict) noexcept;

struct AirStats {
    std::uint64_t samples = 0;  ///< received
    std::uint64_t bursts = 0, bursts_refused = 0;
    std::uint64_t bursts_late = 0;         ///< late or overlapping
    std::uint64_t samples_sent = 0;        ///< air time
    std::uint64_t samples_not_finite = 0;  ///< in bursts submitted: replaced by zero
    std::uint64_t samples_limited = 0;     ///< in bursts submitted: beyond +-4.0
    std::uint64_t samples_clipped = 0;     ///< I or Q values the ADC limited
};

/// The medium. One instance, one thread. Costs a noise sample per station and sample, and one interpolation per burst,
/// path and receiver while a burst is under way.
class Air {
public:
    static constexpr std::size_t kMaxStations = 256;
    static constexpr std::size_t kMaxBurstSamples = 4'194'304;
    static constexpr std::size_t kMaxWaitingSamples = 16'777'216;  ///< per station
    static constexpr Duration kMaxAhead = 60s;

    struct Config {
        double sample_rate_hz = 1e6;  ///< nominal, [1e3, 1e8]
        double carrier_hz = 868e6;    ///< nominal, [1e6, 1e12]
        std::uint64_t seed = 1;
        std::vector<AirStation> stations;  ///< 1..kMaxStations
        std::vector<AirLink> links;        ///< at most one for each direction
    };

    /// Throws std::invalid_argument, naming the station or link and the field, if `config` is out of range.
    explicit Air(Config config);
    ~Air();
    Air(Air&&) noexcept;
    Air& operator=(Air&&) noexcept;

    [[nodiscard]] const Config& config() const noexcept;
    [[nodiscard]] std::optional<std::size_t> find_station(std::string_view name) const noexcept;

    [[nodiscard]] Instant now() const noexcept;
    /// Samples `station` has counted up to now(): the index of the next one it will receive.
    [[nodiscard]] std::uint64_t local_index(std::size_t station) const noexcept;
    /// A burst must start at least this many samples after local_index(): switch time and filter length.
    [[nodiscard]] std::uint64_t shortest_lead(std::size_t station) const noexcept;
    /// Mean |noise|^2 of a sample `station` receives.
    [[nodiscard]] double noise_power(std::size_t station) const noexcept;
    [[nodiscard]] AirBudget budget(std::size_t from, std::size_t to) const noexcept;

    /// Puts a burst on the air whose first sample leaves the antenna at the station's own index `at`. What is not
    /// accepted is also reported as late. Any samples at all: not finite becomes 0, I and Q are limited to +-4.0.
    AirVerdict transmit(std::size_t station, std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst);

    /// Moves global time on by `step` (0 s to 10 s) and computes what every station receives meanwhile.
    void advance(Duration step);

    /// What `station` received during the last advance(); valid until the next.
    struct Reception {
        std::uint64_t first_index = 0;
        std::span<const phy::Sample> samples;
    };
    [[nodiscard]] Reception received(std::size_t station) const noexcept;
    /// Bursts of `station` that ended or were refused, oldest first; poll until empty.
    [[nodiscard]] std::optional<AirTxReport> poll_report(std::size_t station);

    [[nodiscard]] const AirStats& stats(std::size_t station) const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace meshnet::sim
