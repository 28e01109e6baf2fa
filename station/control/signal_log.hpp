// SPDX-License-Identifier: GPL-3.0-or-later
// What was on the channel lately, for displays: bursts received and sent, and the spectrum over time while somebody
// looks. Bounded: kMostBursts bursts and kMostRows rows of kBins bytes.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/time.hpp"
#include "mac/mac.hpp"
#include "phy/dsp/fft.hpp"
#include "phy/sample.hpp"

namespace meshnet::station {

class SignalLog {
public:
    static constexpr std::size_t kBins = 128, kMostBursts = 200, kMostRows = 120;
    static constexpr Duration kRow = 100ms;      ///< of the spectrum
    static constexpr Duration kWatched = 10s;    ///< the spectrum is followed so long after the last look
    static constexpr double kLowestDb = -127.0;  ///< dBFS of byte 0 of a row; a step is 0.5 dB

    struct Burst {
        Instant start{};
        Duration length{};
        bool sent = false;
        bool late = false;  ///< meant to be sent, and not sent in time
        mac::ModeIndex mode = 0;
        float snr_db = 0.0F;                      ///< received only
        std::uint32_t blocks = 0, blocks_ok = 0;  ///< received only
        std::uint32_t bytes = 0;
        std::optional<mac::StationId> sender;  ///< received, and its header was readable
    };
    using Row = std::array<std::uint8_t, kBins>;  ///< the lowest frequency first

    SignalLog();

    void on_frame(const mac::RxFrame& frame);
    void on_transmit(const mac::TxRequest& request, Duration length);
    void on_transmitted(std::uint64_t id, mac::TxOutcome outcome);
    /// The samples that end at `now`. Costs a comparison unless somebody looks, else a transform of kBins samples a
    /// millisecond.
    void on_samples(Instant now, std::span<const phy::Sample> samples);
    /// Somebody looks: the spectrum is followed from now on.
    void look(Instant now) noexcept { watched_until_ = now + kWatched; }

    [[nodiscard]] const std::deque<Burst>& bursts() const noexcept { return bursts_; }  ///< the newest first
    [[nodiscard]] const std::deque<Row>& rows() const noexcept { return rows_; }        ///< the newest first
    /// Rows finished since construction: tells a reader which of them are new to it.
    [[nodiscard]] std::uint64_t rows_made() const noexcept { return rows_made_; }

private:
    void add(const Burst& burst);
    void finish_row();

    std::deque<Burst> bursts_;
    std::deque<std::pair<std::uint64_t, Burst>> sending_;  // by the request's id
    phy::Fft transform_{kBins, phy::Fft::Direction::kForward};
    std::array<float, kBins> window_{};
    std::array<double, kBins> sum_{};
    std::uint64_t transforms_ = 0, rows_made_ = 0;
    Instant row_ends_{}, watched_until_{};
    std::deque<Row> rows_;
};

}  // namespace meshnet::station
