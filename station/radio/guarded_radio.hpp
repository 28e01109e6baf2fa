// SPDX-License-Identifier: GPL-3.0-or-later
// A radio behind a transmit guard: a burst reaches the radio as it is, or not at all.
//
// It stands directly before the driver, so that what it judges is what goes out: behind `invert`, behind a resampler.
// A burst that is refused is reported as not sent, and the MAC treats it as late.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "station/guard/transmit_guard.hpp"
#include "station/radio/radio_decorator.hpp"

namespace meshnet::station {

class GuardedRadio final : public RadioDecorator {
public:
    struct Hooks {
        /// Nanoseconds since 1970. Read when samples begin and when the radio's counter is reset; in between, samples
        /// count the time. Must be set.
        std::function<Instant()> clock;
        /// One line for the operator: the first refusal, and the first of another kind. May be empty.
        std::function<void(const std::string&)> say;
    };
    /// The guard outlives radios that are lost and opened again: it is shared. Its plan's sample rate is the radio's.
    GuardedRadio(std::unique_ptr<Radio> radio, std::shared_ptr<TransmitGuard> guard, Hooks hooks);

    /// Also listens for the guard, and sends the call sign when it is due.
    [[nodiscard]] Result<Reception> receive() override;
    [[nodiscard]] Status transmit(std::uint64_t id, std::uint64_t at, std::span<const phy::Sample> burst) override;

    /// The call sign is sent once more if anything was sent after the last one.
    void sign_off() noexcept override { last_call_ = true; }
    [[nodiscard]] bool signing_off() const noexcept override { return last_call_ && signing_; }

private:
    void follow_time(const Reception& got);
    void listen(const Reception& got);
    [[nodiscard]] Status identify();
    void refuse(std::uint64_t id, const Refused& refused);

    std::shared_ptr<TransmitGuard> guard_;
    Hooks hooks_;
    std::optional<node::SampleClock> time_;  // nothing until samples came
    std::uint64_t next_index_ = 0;           // after the last sample received
    std::vector<float> heard_;               // powers of the newest samples, as a ring
    std::size_t heard_at_ = 0, heard_count_ = 0;
    std::vector<TxReport> refused_;
    std::optional<Refusal> said_;
    std::uint64_t identifications_ = 0;
    bool last_call_ = false, signing_ = false;
};

}  // namespace meshnet::station
