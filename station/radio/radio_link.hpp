// SPDX-License-Identifier: GPL-3.0-or-later
// A radio and a modem made into frames on a time line: what a Node can be wired to.
//
//     radio samples -> Receiver -> RxFrame, carrier, time          TxRequest -> Transmitter -> burst at a sample index
//
// The time line is the radio's sample counter, so everything the MAC decides is exact to the sample. It stops
// when the radio does, and goes on after replace().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/counters.hpp"
#include "mac/mac.hpp"
#include "node/sample_clock.hpp"
#include "phy/receiver.hpp"
#include "phy/transmitter.hpp"
#include "station/radio/radio.hpp"

namespace meshnet::station {

/// The receiver of events. `now` never decreases.
class RadioEvents {
public:
    RadioEvents() = default;
    RadioEvents(const RadioEvents&) = delete;
    RadioEvents& operator=(const RadioEvents&) = delete;
    virtual ~RadioEvents() = default;
    virtual void on_frame(Instant now, const mac::RxFrame& frame) = 0;
    virtual void on_carrier(Instant now, bool busy) = 0;
    virtual void on_transmitted(Instant now, std::uint64_t id, mac::TxOutcome outcome) = 0;
    /// The samples that end at `now`, before what is received in them: for displays.
    virtual void on_samples(Instant /*now*/, std::span<const phy::Sample> /*samples*/) {}
    /// The radio was opened, or learnt more of its times.
    virtual void on_radio_timing(Instant /*now*/, const mac::RadioTiming& /*timing*/) {}
    /// Time has moved to `now`; called at least once a millisecond of samples, after the events of that millisecond.
    virtual void on_time(Instant now) = 0;
};

/// Counted since construction.
struct RadioLinkCounters {
    std::uint64_t gaps = 0, samples_lost = 0;
    std::uint64_t bursts_sent = 0, bursts_late = 0;
    std::uint64_t reopened = 0;
};
template <class Visit>
constexpr void visit_counters(const RadioLinkCounters& c, Visit&& visit) {
    visit("gaps", c.gaps);
    visit("samples_lost", c.samples_lost);
    visit("bursts_sent", c.bursts_sent);
    visit("bursts_late", c.bursts_late);
    visit("reopened", c.reopened);
}
static_assert(visits_every_counter<RadioLinkCounters>());

/// One radio, one receiver, one transmitter. One thread.
class RadioLink {
public:
    struct Config {
        const phy::Profile* profile = nullptr;
        phy::PreambleClass longest_preamble = phy::PreambleClass::kMedium;  ///< modes with a longer one are not used
        unsigned decode_threads = 0;                                        ///< as phy::Receiver::Config's
        bool keep_constellation = false;                                    ///< the same
    };
    RadioLink(const Config& config, std::unique_ptr<Radio> radio);

    [[nodiscard]] int fd() const { return radio_ ? radio_->fd() : -1; }
    /// The end of the newest sample received.
    [[nodiscard]] Instant now() const noexcept { return now_; }
    [[nodiscard]] const node::SampleClock& clock() const noexcept { return clock_; }
    [[nodiscard]] const phy::Receiver& receiver() const noexcept { return receiver_; }
    /// A burst is on its way to the air, or its fate is not known yet.
    [[nodiscard]] bool sending() const noexcept { return !outstanding_.empty(); }
    [[nodiscard]] const RadioLinkCounters& counters() const noexcept { return counters_; }
    /// Of the radio, all times it was open added up.
    [[nodiscard]] RadioCounters radio_counters() const;
    [[nodiscard]] std::uint64_t next_index() const noexcept { return next_index_; }
    /// The modem's mode of a MAC mode, by name; "?" if there is none.
    [[nodiscard]] std::string_view mode_name(mac::ModeIndex mode) const noexcept;
    /// A recording was replayed to its end.
    [[nodiscard]] bool ended() const noexcept { return ended_; }

    /// Processes what the radio received. Error: the radio is lost. Precondition: it was not closed.
    [[nodiscard]] Status receive(RadioEvents& events);
    /// Modulates a burst and queues it at the radio. Error: the radio is lost (the burst is then reported late).
    [[nodiscard]] Status transmit(const mac::TxRequest& request);
    /// As phy::Receiver::set_doppler_hint(), from the next sample on; offsets beyond half the sample rate are limited.
    void set_doppler_hint(phy::DopplerShift hint);
    /// Radio::sign_off(), and whether that goes on.
    void sign_off() {
        if (radio_) {
            radio_->sign_off();
        }
    }
    [[nodiscard]] bool signing_off() const { return radio_ && radio_->signing_off(); }
    /// Lets go of a radio that is lost, so that it can be opened again: a device serves one at a time. Until replace()
    /// every burst is late.
    void close();
    /// Continues with another radio after `pause` without one. Outstanding bursts are reported late.
    void replace(std::unique_ptr<Radio> radio, Duration pause, RadioEvents& events);

private:
    struct Outstanding {
        std::uint64_t id = 0;
        bool reported = false;
        std::uint64_t end_index = 0;      // 0: late
        std::uint64_t give_up_index = 0;  // a second after its end a burst without a report counts as late
    };
    void take(const Radio::Reception& got, RadioEvents& events);
    void process(std::span<const phy::Sample> samples, RadioEvents& events);
    void deliver_reports(RadioEvents& events);
    void give_up_bursts();
    void find_gap(std::uint64_t first_index, RadioEvents& events);

    Config config_;
    std::unique_ptr<Radio> radio_;  // null: closed
    node::SampleClock clock_;
    phy::ModeIndex first_mode_;  // the MAC counts modes from here
    phy::Receiver receiver_;
    phy::Transmitter transmitter_;
    std::vector<phy::Sample> burst_;
    std::vector<Outstanding> outstanding_;
    std::uint64_t next_index_ = 0;      // radio index after the last sample taken
    std::uint64_t receiver_index_ = 0;  // the receiver's count of the same sample
    bool started_ = false, carrier_busy_ = false, ended_ = false;
    Instant now_{};
    std::optional<mac::RadioTiming> timing_;  // as last given to the events
    RadioLinkCounters counters_;
    RadioCounters earlier_;  // of radios that were closed
};

}  // namespace meshnet::station
