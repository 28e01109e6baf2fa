// SPDX-License-Identifier: MIT
// Bursts, good and hostile, and a configuration for tests of the transmit guard.
#pragma once

#include <cmath>
#include <complex>
#include <memory>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "phy/modes.hpp"
#include "phy/transmitter.hpp"
#include "station/guard/transmit_guard.hpp"

namespace meshnet::station::test {

using Burst = std::vector<phy::Sample>;

inline Burst frame(const char* profile, const char* mode, std::size_t bytes) {
    phy::Transmitter transmitter(*phy::find_profile(profile));
    Burst out;
    Bytes payload(bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
        payload[i] = static_cast<std::uint8_t>(i * 37 + bytes);
    }
    transmitter.modulate(*phy::find_mode(mode), payload, out);
    return out;
}

inline Burst tone(std::size_t samples, double cycles_per_sample, double amplitude) {
    Burst out(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        out[i] = phy::Sample(
            std::polar(amplitude, 2.0 * std::numbers::pi * std::fmod(cycles_per_sample * static_cast<double>(i), 1.0)));
    }
    return out;
}

inline Burst shifted(Burst burst, double cycles_per_sample) {
    const Burst carrier = tone(burst.size(), cycles_per_sample, 1.0);
    for (std::size_t i = 0; i < burst.size(); ++i) {
        burst[i] *= carrier[i];
    }
    return burst;
}

inline Burst scaled(Burst burst, float gain) {
    for (auto& s : burst) {
        s *= gain;
    }
    return burst;
}

/// Keeps what it is given.
class MemoryStore final : public AirTimeStore {
public:
    struct Disk {
        std::vector<BandAirTime> bands;
        bool present = true, full = false;
        int saves = 0;
    };
    explicit MemoryStore(std::shared_ptr<Disk> disk) : disk_(std::move(disk)) {}
    Result<std::vector<BandAirTime>> load() override {
        if (!disk_->present) {
            return Error{ErrorCode::kNotFound, "no file"};
        }
        return disk_->bands;
    }
    Status save(const std::vector<BandAirTime>& bands) override {
        if (disk_->full) {
            return Error{ErrorCode::kSystem, "disk full"};
        }
        disk_->bands = bands;
        disk_->present = true;
        ++disk_->saves;
        return Ok{};
    }

private:
    std::shared_ptr<Disk> disk_;
};

/// 500k in EU 868.0-868.6: mean of a frame 13.9 dBm e.i.r.p. of 16.1 allowed.
inline GuardConfig config_868() {
    GuardConfig c;
    c.bands = {"EU 868.0-868.6"};
    c.authority = "licence-exempt SRD";
    c.frequency_hz = 868.3e6;
    c.full_scale_dbm = 24.0;
    c.antenna_gain_dbi = 3.0;
    c.cable_loss_db = 1.0;
    c.air_time_file = "in memory";
    return c;
}

inline constexpr Instant kStart = instant_from_ns(1'700'000'000'000'000'000);

inline std::unique_ptr<TransmitGuard> make_guard(const GuardConfig& config, double rate,
                                                 std::shared_ptr<MemoryStore::Disk> disk = nullptr,
                                                 Instant now = kStart,
                                                 std::vector<std::unique_ptr<Inhibit>> inhibits = {}) {
    auto plan = validate_guard(config, rate);
    if (!plan) {
        throw std::runtime_error(plan.error().message);
    }
    if (!disk) {
        disk = std::make_shared<MemoryStore::Disk>();
    }
    return std::make_unique<TransmitGuard>(std::move(plan.value()), std::make_unique<MemoryStore>(disk),
                                           std::move(inhibits), now);
}

}  // namespace meshnet::station::test
